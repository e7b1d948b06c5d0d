"""From counters of the kernel to bytes that arrived. Pure.

Before: `apply` and `read`. After: `engine`, `report`.

`sz_applied` is true on kernels whose DAMON allocates with `__GFP_THISNODE`; 6.17 to 7.2 count pages as applied that
landed on another nid (kernel.md facts 3 and 27), and no file tells the two kinds apart. The rule here is sound on both:
arrived = applied - what `numa_foreign` of the target nid grew by ("wanted here, got elsewhere"), looked at often, never
below 0. Where the target has room nothing is foreign and the two are equal; where it is full this is a lower bound.

`numa_foreign` counts an allocation of a huge page once (`zone_statistics()`, Linux mm/page_alloc.c), so as many of them
as there were huge migrations count as huge. Folios between a page and a huge page count as one page.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon.ownership import owner_of
from terrace_agent.damon.read import ObservedKdamond, SchemeStats
from terrace_agent.damon.tree import Action, Scheme
from terrace_agent.journal import Counter, JournalState
from terrace_api.node_tiering import Kdamond

_MOVES = {Action.MIGRATE_HOT: "promotion", Action.MIGRATE_COLD: "demotion"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """Counters of the node that DAMON does not keep.

    Attributes:
        foreign_pages: `numa_foreign`, by nid.
        thp_migrations: `thp_migration_success`.
    """

    foreign_pages: Mapping[int, int]
    thp_migrations: int
    page_bytes: int = 4_096
    huge_page_bytes: int = 2 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One scheme of ours at one look."""

    index: int
    scheme: int
    pid: int
    target_nid: int
    promotes: bool
    applied_bytes: int


def advance(state: JournalState, kdamonds: tuple[ObservedKdamond, ...], oracle: Oracle) -> JournalState:
    """Returns the journal with everything counted up to this look.

    A kdamond whose start was not seen is counted from now on; the counters of one that is gone become totals.
    """
    looks = tuple(_looks(state, kdamonds))
    known = {(counter.index, counter.scheme): counter for counter in state.counters}
    counters = tuple(_advance(known.get((look.index, look.scheme)), look, oracle) for look in looks)
    live = {(counter.index, counter.scheme, counter.pid) for counter in counters}
    gone = tuple(counter for counter in state.counters if (counter.index, counter.scheme, counter.pid) not in live)
    return _banking(replace(state, counters=counters), gone)


def begin(state: JournalState, kdamond: ObservedKdamond, oracle: Oracle) -> JournalState:
    """Returns the journal with the counters of a kdamond that was just started, from zero.

    `oracle` is from before the start, so that nothing foreign is missed.
    """
    fresh = replace(kdamond, stats=tuple(SchemeStats() for _ in kdamond.stats))
    started = tuple(_advance(None, look, oracle) for look in _looks(state, (fresh,)))
    rest = tuple(counter for counter in state.counters if counter.index != kdamond.index)
    gone = tuple(counter for counter in state.counters if counter.index == kdamond.index)
    return _banking(replace(state, counters=(*rest, *started)), gone)


def totals(state: JournalState) -> tuple[int, int]:
    """Returns promoted and demoted bytes of this boot."""
    return (
        state.promoted_bytes + sum(counter.arrived_bytes for counter in state.counters if counter.promotes),
        state.demoted_bytes + sum(counter.arrived_bytes for counter in state.counters if not counter.promotes),
    )


def describe(state: JournalState, kdamonds: tuple[ObservedKdamond, ...]) -> tuple[Kdamond, ...]:
    """Returns what status says of each kdamond of ours that is on, one entry per direction."""
    arrived = {(counter.index, counter.scheme): counter.arrived_bytes for counter in state.counters}
    return tuple(
        Kdamond(
            index=kdamond.index,
            pid=kdamond.pid,
            source_nid=claim.source_nid,
            target_nid=scheme.target_nid,
            direction=_MOVES[scheme.action],
            tried_bytes=stats.sz_tried,
            applied_bytes=stats.sz_applied,
            arrived_bytes=arrived.get((kdamond.index, number), 0),
            quota_exceeds=stats.qt_exceeds,
        )
        for kdamond in kdamonds
        if kdamond.pid and (claim := owner_of(kdamond, state.owned)) and claim.source_nid is not None
        for number, (scheme, stats) in enumerate(zip(_schemes(kdamond), kdamond.stats, strict=True))
        if scheme.target_nid is not None and scheme.action in _MOVES
    )


def _banking(state: JournalState, gone: tuple[Counter, ...]) -> JournalState:
    return replace(
        state,
        promoted_bytes=state.promoted_bytes + sum(counter.arrived_bytes for counter in gone if counter.promotes),
        demoted_bytes=state.demoted_bytes + sum(counter.arrived_bytes for counter in gone if not counter.promotes),
    )


def _looks(state: JournalState, kdamonds: tuple[ObservedKdamond, ...]) -> Iterator[_Look]:
    for kdamond in kdamonds:
        if kdamond.pid and owner_of(kdamond, state.owned):
            for number, (scheme, stats) in enumerate(zip(_schemes(kdamond), kdamond.stats, strict=True)):
                if scheme.target_nid is not None and scheme.action in _MOVES:
                    yield _Look(
                        index=kdamond.index,
                        scheme=number,
                        pid=kdamond.pid,
                        target_nid=scheme.target_nid,
                        promotes=scheme.action == Action.MIGRATE_HOT,
                        applied_bytes=stats.sz_applied,
                    )


def _advance(counter: Counter | None, look: _Look, oracle: Oracle) -> Counter:
    foreign_pages = oracle.foreign_pages.get(look.target_nid, 0)
    arrived_bytes = 0
    if counter and counter.pid == look.pid:
        arrived_bytes = counter.arrived_bytes
        if counter.target_nid == look.target_nid:
            applied = max(0, look.applied_bytes - counter.applied_bytes)
            arrived_bytes += max(0, applied - _foreign_bytes(counter, foreign_pages, oracle))
    return Counter(
        index=look.index,
        scheme=look.scheme,
        promotes=look.promotes,
        target_nid=look.target_nid,
        pid=look.pid,
        applied_bytes=look.applied_bytes,
        foreign_pages=foreign_pages,
        thp_migrations=oracle.thp_migrations,
        arrived_bytes=arrived_bytes,
    )


def _foreign_bytes(counter: Counter, foreign_pages: int, oracle: Oracle) -> int:
    allocations = max(0, foreign_pages - counter.foreign_pages)
    huge = min(allocations, max(0, oracle.thp_migrations - counter.thp_migrations))
    return huge * oracle.huge_page_bytes + (allocations - huge) * oracle.page_bytes


def _schemes(kdamond: ObservedKdamond) -> tuple[Scheme, ...]:
    return kdamond.tree.contexts[0].schemes if kdamond.tree and kdamond.tree.contexts else ()
