"""From counters of the kernel to bytes that arrived while this engine was in force. Pure.

Before: `observe`, the journal. After: `verify`, the status.

`pgpromote_success` counts pages that NUMA balancing moved to a faster memory tier, `pgdemote_*` those that reclaim
moved to a slower one, one counter for each kind of reclaim (`demote_folio_list()`, Linux mm/vmscan.c). Both are counted
after the move, so they are what arrived. They belong to the whole node: what an administrator's own settings move
counts, too, as long as the engine is in force.
"""

from collections.abc import Mapping
from dataclasses import replace

from terrace_agent.journal import JournalState

_PROMOTED = "pgpromote_success"
_DEMOTED = "pgdemote_"


def begin(state: JournalState, pages: Mapping[str, int], page_bytes: int) -> JournalState:
    """Returns the journal from where counting begins; where it already counts, it goes on."""
    return advance(state, pages, page_bytes) if state.counted_pages else replace(state, counted_pages=_sorted(pages))


def advance(state: JournalState, pages: Mapping[str, int], page_bytes: int) -> JournalState:
    """Returns the journal with everything counted up to `pages`; nothing where no counting has begun.

    `page_bytes` is this kernel's: 64 KiB on some of arm64.
    """
    before = dict(state.counted_pages)
    if not before:
        return state
    # What is new, of a module that came late, is counted from now on.
    grown = {name: max(0, count - before.get(name, count)) for name, count in pages.items()}
    return replace(
        state,
        counted_pages=_sorted(pages),
        promoted_bytes=state.promoted_bytes + grown.get(_PROMOTED, 0) * page_bytes,
        demoted_bytes=state.demoted_bytes
        + sum(count for name, count in grown.items() if name.startswith(_DEMOTED)) * page_bytes,
    )


def end(state: JournalState, pages: Mapping[str, int], page_bytes: int) -> JournalState:
    """Returns the journal with everything counted, and counting at its end."""
    return replace(advance(state, pages, page_bytes), counted_pages=())


def _sorted(pages: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(pages.items()))
