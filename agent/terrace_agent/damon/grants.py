"""What became of the amounts that our schemes were allowed, look by look. Pure.

Before: `look`. After: `control`. A scheme counts on from one amount to the next, so what an amount has come to is the
difference to the last look at which the scheme could move nothing. An agent that has just started has not seen that.
Only what is in force counts: of a kdamond whose commit was cut off nobody knows what it was allowed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from terrace_agent.damon.control import Direction, Grant, Usage
from terrace_agent.damon.schemes import is_open
from terrace_agent.damon.verify import Look
from terrace_agent.journal import OwnedKdamond


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One direction at the last look.

    Attributes:
        pid: of the kdamond that has the scheme.
        tried_bytes: by the scheme, when the amount that is open or will be was opened; `applied_bytes` likewise.
    """

    grant: Grant
    pid: int
    tried_bytes: int
    applied_bytes: int


Ledger = Mapping[Direction, Noted]


def advance(before: Ledger, looks: Iterable[Look], owned: tuple[OwnedKdamond, ...]) -> Ledger:
    """Returns what these looks make of what was noted."""
    in_force = {(claim.index, claim.pid) for claim in owned if claim.in_force}
    return {
        (look.source_nid, look.promotes): _note(before.get((look.source_nid, look.promotes)), look)
        for look in looks
        if (look.index, look.pid) in in_force
    }


def grants(ledger: Ledger) -> Mapping[Direction, Grant]:
    """Returns the amount of each running scheme that moves."""
    return {direction: noted.grant for direction, noted in ledger.items()}


def _note(before: Noted | None, look: Look) -> Noted:
    if before and (before.pid != look.pid or look.stats.sz_tried < before.tried_bytes):
        before = None
    return _open(before, look) if is_open(look.quotas.reset_interval_ms) else _closed(before, look)


def _open(before: Noted | None, look: Look) -> Noted:
    known = before if before and before.grant.bytes == look.quotas.bytes and _was_seen(before.grant) else None
    return Noted(
        grant=Grant(
            bytes=look.quotas.bytes,
            is_open=True,
            is_effective=True,
            last=_usage(known, look, look.quotas.bytes) if known else None,
        ),
        pid=look.pid,
        tried_bytes=known.tried_bytes if known else look.stats.sz_tried,
        applied_bytes=known.applied_bytes if known else look.stats.sz_applied,
    )


def _closed(before: Noted | None, look: Look) -> Noted:
    is_effective = look.quotas.effective_bytes == look.quotas.bytes
    is_waiting = before is not None and not before.grant.is_open and before.grant.bytes == look.quotas.bytes
    return Noted(
        grant=Grant(
            bytes=look.quotas.bytes,
            is_open=False,
            is_effective=is_effective,
            waited=before.grant.waited + 1 if before and is_waiting and not is_effective else 0,
            last=_last(before, look),
        ),
        pid=look.pid,
        tried_bytes=look.stats.sz_tried,
        applied_bytes=look.stats.sz_applied,
    )


def _was_seen(grant: Grant) -> bool:
    """Returns whether it is known from where an open amount counts."""
    return not grant.is_open or grant.last is not None


def _last(before: Noted | None, look: Look) -> Usage | None:
    if before is None or before.grant.last is None or not before.grant.is_open:
        return before.grant.last if before else None
    return _usage(before, look, before.grant.bytes)


def _usage(since: Noted, look: Look, size: int) -> Usage:
    return Usage(
        bytes=size,
        tried_bytes=look.stats.sz_tried - since.tried_bytes,
        applied_bytes=max(0, look.stats.sz_applied - since.applied_bytes),
    )
