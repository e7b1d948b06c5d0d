"""How much each direction may move, decided by the agent where the kernel has no temporal tuner. Pure.

Before: `desired` (the flows, with free memory and stops of this turn). After: `schemes` (an allowance is a quota
without an end), `change` (a renewed one makes the schemes anew).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon.schemes import Allowance, Flow
from terrace_agent.flows.limits import BP, share_bytes

TURN_MS = 1_000
"""The window of an allowance: what one turn may move is counted for it."""

_MOVING_S = TURN_MS / 1_000
_RESTING_S = 2.0
_PAGE_BYTES = 4_096
_UNMEASURED_BYTES_PER_MS = 1024 * _PAGE_BYTES
_MOST_COST = 8
_WORTH_A_COMMIT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a running scheme was allowed, and what has become of it."""

    bytes: int
    tried_bytes: int
    applied_bytes: int

    @property
    def left_bytes(self) -> int:
        """What it may still try."""
        return max(0, self.bytes - self.tried_bytes)

    @property
    def is_in_use(self) -> bool:
        """Whether there was something to move."""
        return self.left_bytes < self.bytes // 2


Direction = tuple[int, bool]
"""Source nid, and whether it promotes."""


def granted(flows: tuple[Flow, ...], grants: Mapping[Direction, Grant]) -> tuple[Flow, ...]:
    """Returns the flows with their allowances; `grants` are those that run now.

    The law. Free memory of the fast nid is to stay between two marks: *stop*, where promotion ends (the floor and one
    turn's worth above it), and *target*, up to which demotion makes room, at least one turn's worth higher.

    - Promotion may use the headroom above stop, demotion the deficit below target plus what promotion is about to
      bring, each at most one turn's worth: both work in the same turn, and free memory stays where it is while they
      do. At rest neither has anything to do.
    - The kernel charges what was tried. What the young filter turned away is asked for again, up to eight times, by
      the share that the last allowance got through; never beyond headroom and room, so that an allowance is safe
      even if all of it is moved.
    - An allowance stays as long as half of what is wanted is left of it, and as it overdraws the headroom by no more
      than the half turn that stop leaves above the floor. Less than an eighth of a turn is not worth a commit. So a
      node that breathes is let be.

    Why an allowance and not a rate: kdamonds go on when the agent is gone. The kernel computes a quota when a window
    begins and not at a commit (`damos_adjust_quota()`, `damos_commit_quota()`, mm/damon/core.c), so a window that
    never ends is an amount: a dead agent leaves at most one allowance of each direction, each within what was free,
    and then nothing moves. It is renewed by taking the scheme away and adding it as a new one, with a window of its
    own; killed in between, the agent leaves no scheme.

    Why not `consist`, the only tuner before 7.1: it starts at one byte, multiplies by (2 - score) per window without
    an upper end, and falls again by as little as (score - 1) per window (`damon_feed_loop_next_input()`), so that it
    neither begins in time nor stops at the goal: with windows of 100 ms 900 MiB were moved for 250 MiB on 7.0.
    """
    promoting = {_key(flow): _promotion(flow, flows, grants.get(_key(flow))) for flow in flows if flow.pair.promotes}
    incoming = {
        flow.pair.target.nid: _incoming(flow.pair.target.nid, flows, promoting, grants)
        for flow in flows
        if flow.pair.promotes
    }
    return tuple(
        replace(
            flow,
            allowance=promoting[_key(flow)]
            if flow.pair.promotes
            else _demotion(flow, flows, incoming.get(flow.pair.source.nid, 0), grants.get(_key(flow))),
        )
        for flow in flows
    )


def withdrawn(flows: tuple[Flow, ...]) -> tuple[Flow, ...]:
    """Returns the flows with nothing allowed: what still moves has no scheme any more."""
    return tuple(replace(flow, allowance=Allowance(bytes=0, renewed=False)) for flow in flows)


def turn_s(flows: tuple[Flow, ...], slowest_aggr_us: int) -> float:
    """Returns after how long the allowances should be looked at again.

    Up to 6.17 each commit restarts the aggregation (`damon_set_attrs()`, mm/damon/core.c), so two of them must fit
    between two commits.
    """
    if any(flow.allowance and flow.allowance.renewed for flow in flows):
        return max(_MOVING_S, 2 * slowest_aggr_us / 1_000_000)
    return _RESTING_S


def _promotion(flow: Flow, flows: tuple[Flow, ...], grant: Grant | None) -> Allowance:
    fast = flow.pair.target
    headroom = fast.free_bytes - share_bytes(fast.total_bytes, flow.stops.promotion_free_bp)
    most = max(0, headroom) // _alike(flow, flows)
    turn = _turn_bytes(flow)
    return _allowance(min(turn, most), most, turn, grant)


def _demotion(flow: Flow, flows: tuple[Flow, ...], incoming: int, grant: Grant | None) -> Allowance:
    fast, slow = flow.pair.source, flow.pair.target
    deficit = share_bytes(fast.total_bytes, flow.stops.demotion_free_bp) - fast.free_bytes + incoming
    room = slow.free_bytes - share_bytes(slow.total_bytes, BP - flow.slow_used_bp)
    most = max(0, min(_MOST_COST * deficit, room // _alike(flow, flows)))
    turn = _turn_bytes(flow)
    return _allowance(max(0, min(turn, deficit, most)), most, turn, grant)


def _allowance(want: int, most: int, turn: int, grant: Grant | None) -> Allowance:
    left, most = grant.left_bytes if grant else 0, min(most, _MOST_COST * turn)
    fits = left <= most + turn // 2
    enough = left >= want // 2 or want < turn // _WORTH_A_COMMIT
    if fits and enough:
        return Allowance(bytes=grant.bytes if grant else 0, renewed=False)
    return Allowance(bytes=_whole_pages(min(want * _cost(grant), most)), renewed=True)


def _turn_bytes(flow: Flow) -> int:
    """Returns what one turn may move: a time quota counts as the kernel counts it before it has measured anything.

    A scheme that has just been added has not (`damos_set_effective_quota()`: 1024 pages per ms).
    """
    if not flow.window.time_ms:
        return flow.quota_bytes
    return min(flow.quota_bytes, flow.window.time_ms * _UNMEASURED_BYTES_PER_MS)


def _cost(grant: Grant | None) -> int:
    """Returns how many bytes have to be tried for one to be applied."""
    if grant is None or not grant.is_in_use:
        return 1
    return max(1, min(_MOST_COST, grant.tried_bytes // max(1, grant.applied_bytes)))


def _incoming(
    fast: int, flows: tuple[Flow, ...], promoting: Mapping[Direction, Allowance], grants: Mapping[Direction, Grant]
) -> int:
    """Returns what promotion is about to bring: where the last allowance was used, the new one will be."""
    return sum(
        promoting[_key(flow)].bytes
        for flow in flows
        if flow.pair.promotes and flow.pair.target.nid == fast and _was_used(grants.get(_key(flow)))
    )


def _was_used(grant: Grant | None) -> bool:
    return grant is not None and grant.is_in_use


def _alike(flow: Flow, flows: tuple[Flow, ...]) -> int:
    """Returns how many flows of this direction share the target."""
    return sum(
        other.pair.target.nid == flow.pair.target.nid and other.pair.promotes == flow.pair.promotes for other in flows
    )


def _key(flow: Flow) -> Direction:
    return flow.pair.source.nid, flow.pair.promotes


def _whole_pages(count: int) -> int:
    return count // _PAGE_BYTES * _PAGE_BYTES
