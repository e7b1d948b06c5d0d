"""Whether demotion turns young pages away. Pure.

Before: `verify` looks at the counters. After: `schemes` leaves the young filter of a demotion out, or does not.

Where all memory is touched every few seconds, monitoring still finds regions that had no access in any sample for
`demotion.minAge`, but hardly a page of them has not been touched since: the young filter turns nearly all away (seen
on 7.3 with a zipfian drift: 4 of 1715 MiB tried got through), no room is made, and what is hotter waits on the slow
nid for ever. Then what monitoring finds coldest goes down all the same, until there is room for a while.

What is tried is all that a region has, so memory that never moves (the kernel's own, page cache that is to stay, pods
that are left alone) is tried again and again, and counts as turned away. Where there is so much of it that this is why
little gets through, to leave the filter out gains little, and costs as little.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon.verify import Look
from terrace_agent.topology.values import Topology

_LEAST_BYTES = 64 << 20
"""Less than that says nothing about the rest."""
_STARVED = 0.1
_WINDOW_S = 10.0
_REST_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is known of the demotion of one source.

    Attributes:
        pid: of its kdamond.
        tried_bytes: counted when it was last judged; `applied_bytes` likewise.
        at_s: when that was.
        lenient: young pages may go down.
    """

    pid: int
    tried_bytes: int
    applied_bytes: int
    at_s: float
    lenient: bool = False


Trials = Mapping[int, Trial]
"""By source nid."""


def enough_bytes(topology: Topology, *, cleans: bool) -> Mapping[int, int]:
    """Returns how much of each nid has to be tried before the tries are judged.

    Where nothing `cleans` accessed bits before (`schemes`), the first try of each page meets a bit that may be as old
    as the boot, and says nothing.
    """
    part = 16 if cleans else 1
    return {nid.nid: max(_LEAST_BYTES, nid.total_bytes // part) for nid in topology.nids}


def advance(before: Trials, looks: Iterable[Look], enough_bytes: Mapping[int, int], at_s: float) -> Trials:
    """Returns what these looks make of what was known; of several schemes of a demotion the first is judged.

    Args:
        before: what was known.
        looks: at the counters.
        enough_bytes: how much has to be tried to be judged, by source nid.
        at_s: when; any clock that does not jump.
    """
    firsts = {look.source_nid: look for look in sorted(looks, key=lambda look: -look.scheme) if not look.promotes}
    return {
        nid: _judge(before.get(nid), look, enough_bytes.get(nid, _LEAST_BYTES), at_s) for nid, look in firsts.items()
    }


def is_lenient(known: Trials, source_nid: int) -> bool:
    """Returns whether young pages may be demoted from this nid."""
    found = known.get(source_nid)
    return found is not None and found.lenient


def _judge(before: Trial | None, look: Look, enough_bytes: int, at_s: float) -> Trial:
    now = Trial(pid=look.pid, tried_bytes=look.stats.sz_tried, applied_bytes=look.stats.sz_applied, at_s=at_s)
    if before is None:
        return now
    tried = now.tried_bytes - before.tried_bytes
    if look.pid != before.pid or tried < 0:
        return replace(now, lenient=before.lenient)
    if before.lenient:
        rests = not tried and at_s - before.at_s >= _REST_S
        return replace(now, lenient=True) if tried else replace(before, lenient=not rests)
    if tried and (tried < enough_bytes or at_s - before.at_s < _WINDOW_S):
        return before
    starved = now.applied_bytes - before.applied_bytes < _STARVED * tried
    return replace(now, lenient=starved)
