"""From counters of the kernel to bytes that arrived. Pure.

Before: `apply` and `read`. After: `engine`, `report`.

`sz_applied` is true on kernels whose DAMON allocates with `__GFP_THISNODE`; 6.17 to 7.2 count pages as applied that
landed on another nid (docs/kernel-facts.md, 3 and 27). Where `features` has proof of the first kind, arrived = applied.
Else a rule that is sound on both: arrived = applied - what `numa_foreign` of the target nid grew by ("wanted here, got
elsewhere"), looked at often, never below 0. Where the target has room nothing is foreign and the two are equal; where
it is full this is a lower bound, since pages of applications that found no room count as well.

`numa_foreign` counts an allocation of a huge page once (`zone_statistics()`, Linux mm/page_alloc.c), so as many of them
as there were huge migrations count as huge. Folios between a page and a huge page count as one page.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from terrace_agent.damon.read import ObservedQuotas, SchemeStats
from terrace_agent.damon.tallies import nothing, summed, tally_of
from terrace_agent.damon.tree import Action
from terrace_agent.journal import Counter, JournalState, Tally
from terrace_api.node_tiering import Kdamond


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """Counters of the node that DAMON does not keep.

    Attributes:
        foreign_pages: `numa_foreign`, by nid; empty where applied is known to be true.
        thp_migrations: `thp_migration_success`.
        page_bytes: of this kernel: 64 KiB on some of arm64.
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
    quotas: ObservedQuotas = field(default_factory=ObservedQuotas)

    @property
    def promotes(self) -> bool:
        """The direction; False demotes."""
        return self.action == Action.MIGRATE_HOT


def advance(
    state: JournalState, looks: tuple[Look, ...], oracle: Oracle, running: frozenset[int] = frozenset()
) -> JournalState:
    """Returns the journal with everything counted up to this look.

    A kdamond whose start was not seen is counted from now on; the counters of one that is gone become totals, those of
    a scheme that is gone from one that runs (`running`: their pids) become its tallies.
    """
    for index in sorted({look.index for look in looks if _began_anew(state, look)}):
        state = recount(state, index)
    counters = tuple(_advanced(state, looks, oracle))
    live = {(counter.index, counter.scheme, counter.pid) for counter in counters}
    pids = running | {look.pid for look in looks}
    unseen = [counter for counter in state.counters if (counter.index, counter.scheme, counter.pid) not in live]
    waiting = [counter for counter in unseen if counter.pid in pids and counter.index in _unsettled(state)]
    gone = [counter for counter in unseen if counter not in waiting]
    tallies = (*state.tallies, *map(tally_of, gone))
    return _banking(
        replace(state, counters=(*counters, *waiting), tallies=summed(tally for tally in tallies if tally.pid in pids)),
        tuple(tally for tally in tallies if tally.pid not in pids),
    )


def _advanced(state: JournalState, looks: tuple[Look, ...], oracle: Oracle) -> Iterator[Counter]:
    """Yields the counters as of these looks; what is foreign counts once for all schemes of a kdamond that go there."""
    known = {(counter.index, counter.scheme): counter for counter in state.counters}
    spent: dict[tuple[int, int], int] = {}
    for look in looks:
        before = known.get((look.index, look.scheme)) or _newborn(state, look)
        place = look.index, look.target_nid
        after = _advance(before, look, oracle, spent.get(place, 0))
        if before and (before.pid, before.target_nid) == (look.pid, look.target_nid):
            missed = (after.applied_bytes - before.applied_bytes) - (after.arrived_bytes - before.arrived_bytes)
            spent[place] = spent.get(place, 0) + max(0, missed)
        yield after


def _unsettled(state: JournalState) -> set[int]:
    """Returns the kdamonds that may run more schemes than are staged: a commit was cut off, or refused."""
    return {claim.index for claim in state.owned if not claim.in_force}


def _newborn(state: JournalState, look: Look) -> Counter | None:
    """Returns the counter from zero of a scheme that a commit has added since the others of its kdamond were seen."""
    for other in state.counters:
        if (other.index, other.pid, other.target_nid) == (look.index, look.pid, look.target_nid):
            return replace(
                other,
                scheme=look.scheme,
                promotes=look.promotes,
                applied_bytes=0,
                arrived_bytes=0,
                tried_bytes=0,
                quota_exceeds=0,
            )
    return None


def begin(state: JournalState, index: int, looks: tuple[Look, ...], oracle: Oracle) -> JournalState:
    """Returns the journal with the counters of kdamond `index`, whose schemes have just begun, from zero.

    `oracle` is from before they did, so that nothing foreign is missed.
    """
    state = recount(state, index)
    started = tuple(_advance(None, replace(look, stats=SchemeStats()), oracle) for look in looks)
    return replace(state, counters=(*state.counters, *started))


def recount(state: JournalState, index: int) -> JournalState:
    """Returns the journal after the schemes of kdamond `index`, which runs on, were taken away."""
    gone = [counter for counter in state.counters if counter.index == index]
    return replace(
        state,
        counters=tuple(counter for counter in state.counters if counter.index != index),
        tallies=summed((*state.tallies, *map(tally_of, gone))),
    )


def totals(state: JournalState) -> tuple[int, int]:
    """Returns promoted and demoted bytes of this boot."""
    tallies = (*state.tallies, *map(tally_of, state.counters))
    return (
        state.promoted_bytes + sum(tally.arrived_bytes for tally in tallies if tally.promotes),
        state.demoted_bytes + sum(tally.arrived_bytes for tally in tallies if not tally.promotes),
    )


def describe(
    state: JournalState, looks: tuple[Look, ...], running: frozenset[int] = frozenset()
) -> tuple[Kdamond, ...]:
    """Returns what status says of each running kdamond of ours, one entry per direction and target.

    A direction that has no scheme just now is still one of the kdamond.
    """
    now = (replace(tally_of(_advance(None, look, _NOTHING)), arrived_bytes=_arrived(state, look)) for look in looks)
    pids = running | {look.pid for look in looks}
    before = (tally for tally in (*state.tallies, *_nothing_yet(state)) if tally.pid in pids)
    sources = {claim.index: claim.source_nid for claim in state.owned} | {look.index: look.source_nid for look in looks}
    return tuple(
        Kdamond(
            index=tally.index,
            pid=tally.pid,
            source_nid=source_nid,
            target_nid=tally.target_nid,
            direction="promotion" if tally.promotes else "demotion",
            tried_bytes=tally.tried_bytes,
            applied_bytes=tally.applied_bytes,
            arrived_bytes=tally.arrived_bytes,
            quota_exceeds=tally.quota_exceeds,
        )
        for tally in summed((*before, *now))
        if (source_nid := sources.get(tally.index)) is not None
    )


def _nothing_yet(state: JournalState) -> Iterator[Tally]:
    for claim in state.owned:
        if claim.pid is None:
            continue
        for promotes, target_nid in claim.directions:
            yield nothing(index=claim.index, pid=claim.pid, promotes=promotes, target_nid=target_nid)


_NOTHING = Oracle(foreign_pages={}, thp_migrations=0)


def _arrived(state: JournalState, look: Look) -> int:
    mine = (c for c in state.counters if (c.index, c.scheme, c.pid) == (look.index, look.scheme, look.pid))
    return sum(counter.arrived_bytes for counter in mine)


def _banking(state: JournalState, gone: tuple[Tally, ...]) -> JournalState:
    return replace(
        state,
        promoted_bytes=state.promoted_bytes + sum(tally.arrived_bytes for tally in gone if tally.promotes),
        demoted_bytes=state.demoted_bytes + sum(tally.arrived_bytes for tally in gone if not tally.promotes),
    )


def _began_anew(state: JournalState, look: Look) -> bool:
    """Returns whether the scheme in this place is another one than when last looked at, in a kdamond that runs on."""
    counter = next((c for c in state.counters if (c.index, c.scheme) == (look.index, look.scheme)), None)
    if counter is None or counter.pid != look.pid:
        return False
    return look.stats.sz_applied < counter.applied_bytes or look.promotes != counter.promotes


def _advance(counter: Counter | None, look: Look, oracle: Oracle, spent_bytes: int = 0) -> Counter:
    foreign_pages = oracle.foreign_pages.get(look.target_nid, 0)
    arrived_bytes = 0
    if counter and counter.pid == look.pid:
        arrived_bytes = counter.arrived_bytes
        if counter.target_nid == look.target_nid:
            applied = max(0, look.stats.sz_applied - counter.applied_bytes)
            arrived_bytes += max(0, applied - max(0, _foreign_bytes(counter, foreign_pages, oracle) - spent_bytes))
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
        tried_bytes=look.stats.sz_tried,
        quota_exceeds=look.stats.qt_exceeds,
    )


def _foreign_bytes(counter: Counter, foreign_pages: int, oracle: Oracle) -> int:
    allocations = max(0, foreign_pages - counter.foreign_pages)
    huge = min(allocations, max(0, oracle.thp_migrations - counter.thp_migrations))
    return huge * oracle.huge_page_bytes + (allocations - huge) * oracle.page_bytes
