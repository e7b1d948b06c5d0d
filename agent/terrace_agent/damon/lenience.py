"""Whether demotion turns young pages away. Pure.

Before: `verify` looks at the counters. After: `schemes` leaves the young filter of a demotion out, or does not.

Where all memory is touched every few seconds, monitoring still finds regions that had no access in any sample for
`demotion.minAge`, but hardly a page of them has not been touched since: the young filter turns nearly all away (seen
on 7.3 with a zipfian drift: 4 of 1715 MiB tried got through), no room is made, and what is hotter waits on the slow
nid for ever. Then what monitoring finds coldest goes down all the same, until there is room for a while.

Other filters turn pages away as well. Whether it was this one shows when it is left out: if hardly more gets through
then, it comes back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon.verify import Look
from terrace_agent.topology.values import Topology

_LEAST_BYTES = 64 << 20
"""Less than that says nothing about the rest."""
_STARVED = 0.1
_HELPED = 4
"""Times as much as before has to get through."""
_REST_S = 60.0
_VAIN_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is known of the demotion of one source.

    Attributes:
        pid: of its kdamond.
        tried_bytes: counted when it was last judged; `applied_bytes` likewise.
        at_s: when it last tried anything, where it is lenient; until when it stays strict, where that was in vain.
        lenient: young pages may go down.
        share: of what was tried got through when it became lenient; None once it was seen that more does now.
    """

    pid: int
    tried_bytes: int
    applied_bytes: int
    at_s: float = 0.0
    lenient: bool = False
    share: float | None = None


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
    tried_bytes, applied_bytes = look.stats.sz_tried, look.stats.sz_applied
    if before is None or look.pid != before.pid or tried_bytes < before.tried_bytes:
        fresh = before or Trial(pid=look.pid, tried_bytes=0, applied_bytes=0)
        return replace(fresh, pid=look.pid, tried_bytes=tried_bytes, applied_bytes=applied_bytes)
    now = replace(before, tried_bytes=tried_bytes, applied_bytes=applied_bytes)
    tried = tried_bytes - before.tried_bytes
    share = max(0, applied_bytes - before.applied_bytes) / tried if tried else 0.0
    if before.lenient:
        return _while_lenient(before, now, tried, share, at_s)
    if tried < enough_bytes:
        return before
    if share >= _STARVED or at_s < before.at_s:
        return now
    return replace(now, lenient=True, at_s=at_s, share=share)


def _while_lenient(before: Trial, now: Trial, tried: int, share: float, at_s: float) -> Trial:
    if tried < (1 if before.share is None else _LEAST_BYTES):
        return before if at_s - before.at_s < _REST_S else replace(now, lenient=False, at_s=at_s, share=None)
    if before.share is not None and share < max(_STARVED, _HELPED * before.share):
        return replace(now, lenient=False, at_s=at_s + _VAIN_S, share=None)
    return replace(now, at_s=at_s, share=None)
