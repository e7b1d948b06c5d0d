"""From counters of the kernel to bytes that arrived. Pure.

Before: `apply` and `read`. After: `engine`, `report`.

`sz_applied` is true on kernels whose DAMON allocates with `__GFP_THISNODE`; 6.17 to 7.2 count pages as applied that
landed on another nid (kernel.md facts 3 and 27). Where `features` has proof of the first kind, arrived = applied.
Else a rule that is sound on both: arrived = applied - what `numa_foreign` of the target nid grew by ("wanted here, got
elsewhere"), looked at often, never below 0. Where the target has room nothing is foreign and the two are equal; where
it is full this is a lower bound, since pages of applications that found no room count as well.

`numa_foreign` counts an allocation of a huge page once (`zone_statistics()`, Linux mm/page_alloc.c), so as many of them
as there were huge migrations count as huge. Folios between a page and a huge page count as one page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon.read import SchemeStats
from terrace_agent.damon.tree import Action
from terrace_agent.journal import Counter, JournalState
from terrace_api.node_tiering import Kdamond


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """Counters of the node that DAMON does not keep.

    Attributes:
        foreign_pages: `numa_foreign`, by nid; empty where applied is known to be true.
        thp_migrations: `thp_migration_success`.
    """

    foreign_pages: Mapping[int, int]
    thp_migrations: int
    page_bytes: int = 4_096
    huge_page_bytes: int = 2 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One scheme of a running kdamond of ours at one look.

    Attributes:
        index: of its kdamond.
        scheme: its number there.
    """

    index: int
    pid: int
    source_nid: int
    scheme: int
    action: Action
    target_nid: int
    stats: SchemeStats

    @property
    def promotes(self) -> bool:
        """The direction; False demotes."""
        return self.action == Action.MIGRATE_HOT


def advance(state: JournalState, looks: tuple[Look, ...], oracle: Oracle) -> JournalState:
    """Returns the journal with everything counted up to this look.

    A kdamond whose start was not seen is counted from now on; the counters of one that is gone become totals.
    """
    known = {(counter.index, counter.scheme): counter for counter in state.counters}
    counters = tuple(_advance(known.get((look.index, look.scheme)), look, oracle) for look in looks)
    live = {(counter.index, counter.scheme, counter.pid) for counter in counters}
    gone = tuple(counter for counter in state.counters if (counter.index, counter.scheme, counter.pid) not in live)
    return _banking(replace(state, counters=counters), gone)


def begin(state: JournalState, index: int, looks: tuple[Look, ...], oracle: Oracle) -> JournalState:
    """Returns the journal with the counters of kdamond `index`, which was just started, from zero.

    `oracle` is from before the start, so that nothing foreign is missed.
    """
    started = tuple(_advance(None, replace(look, stats=SchemeStats()), oracle) for look in looks)
    rest = tuple(counter for counter in state.counters if counter.index != index)
    gone = tuple(counter for counter in state.counters if counter.index == index)
    return _banking(replace(state, counters=(*rest, *started)), gone)


def totals(state: JournalState) -> tuple[int, int]:
    """Returns promoted and demoted bytes of this boot."""
    return (
        state.promoted_bytes + sum(counter.arrived_bytes for counter in state.counters if counter.promotes),
        state.demoted_bytes + sum(counter.arrived_bytes for counter in state.counters if not counter.promotes),
    )


def describe(state: JournalState, looks: tuple[Look, ...]) -> tuple[Kdamond, ...]:
    """Returns what status says of each running kdamond of ours, one entry per direction."""
    arrived = {(counter.index, counter.scheme): counter.arrived_bytes for counter in state.counters}
    return tuple(
        Kdamond(
            index=look.index,
            pid=look.pid,
            source_nid=look.source_nid,
            target_nid=look.target_nid,
            direction="promotion" if look.promotes else "demotion",
            tried_bytes=look.stats.sz_tried,
            applied_bytes=look.stats.sz_applied,
            arrived_bytes=arrived.get((look.index, look.scheme), 0),
            quota_exceeds=look.stats.qt_exceeds,
        )
        for look in looks
    )


def _banking(state: JournalState, gone: tuple[Counter, ...]) -> JournalState:
    return replace(
        state,
        promoted_bytes=state.promoted_bytes + sum(counter.arrived_bytes for counter in gone if counter.promotes),
        demoted_bytes=state.demoted_bytes + sum(counter.arrived_bytes for counter in gone if not counter.promotes),
    )


def _advance(counter: Counter | None, look: Look, oracle: Oracle) -> Counter:
    foreign_pages = oracle.foreign_pages.get(look.target_nid, 0)
    arrived_bytes = 0
    if counter and counter.pid == look.pid:
        arrived_bytes = counter.arrived_bytes
        if counter.target_nid == look.target_nid:
            applied = max(0, look.stats.sz_applied - counter.applied_bytes)
            arrived_bytes += max(0, applied - _foreign_bytes(counter, foreign_pages, oracle))
    return Counter(
        index=look.index,
        scheme=look.scheme,
        promotes=look.promotes,
        target_nid=look.target_nid,
        pid=look.pid,
        applied_bytes=look.stats.sz_applied,
        foreign_pages=foreign_pages,
        thp_migrations=oracle.thp_migrations,
        arrived_bytes=arrived_bytes,
    )


def _foreign_bytes(counter: Counter, foreign_pages: int, oracle: Oracle) -> int:
    allocations = max(0, foreign_pages - counter.foreign_pages)
    huge = min(allocations, max(0, oracle.thp_migrations - counter.thp_migrations))
    return huge * oracle.huge_page_bytes + (allocations - huge) * oracle.page_bytes
