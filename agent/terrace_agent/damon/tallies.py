"""Sums of what schemes have done. Pure.

Schemes come and go while a kdamond runs, and each counts from zero: status wants one number per kdamond, direction and
target. Used by `verify`.
"""

from collections.abc import Iterable
from dataclasses import replace

from terrace_agent.journal import Counter, Tally


def summed(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """Returns one tally per kdamond, direction and target, in that order, promotion first."""
    sums: dict[tuple[int, bool, int, int], Tally] = {}
    for tally in tallies:
        key = (tally.index, not tally.promotes, tally.target_nid, tally.pid)
        sums[key] = _added(sums[key], tally) if key in sums else tally
    return tuple(sums[key] for key in sorted(sums))


def _added(one: Tally, other: Tally) -> Tally:
    return replace(
        one,
        tried_bytes=one.tried_bytes + other.tried_bytes,
        applied_bytes=one.applied_bytes + other.applied_bytes,
        arrived_bytes=one.arrived_bytes + other.arrived_bytes,
        quota_exceeds=one.quota_exceeds + other.quota_exceeds,
    )


def nothing(*, index: int, pid: int, promotes: bool, target_nid: int) -> Tally:
    """Returns the tally of a direction in which nothing has moved yet."""
    return Tally(
        index=index,
        pid=pid,
        promotes=promotes,
        target_nid=target_nid,
        tried_bytes=0,
        applied_bytes=0,
        arrived_bytes=0,
        quota_exceeds=0,
    )


def tally_of(counter: Counter) -> Tally:
    """Returns what one scheme has done so far."""
    return Tally(
        index=counter.index,
        pid=counter.pid,
        promotes=counter.promotes,
        target_nid=counter.target_nid,
        tried_bytes=counter.tried_bytes,
        applied_bytes=counter.applied_bytes,
        arrived_bytes=counter.arrived_bytes,
        quota_exceeds=counter.quota_exceeds,
    )
