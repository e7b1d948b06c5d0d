"""How much each direction may move, decided by the agent where the kernel has no temporal tuner. Pure.

Before: `desired` (the flows, with free memory and stops of this turn), `grants` (what became of the amounts before).
After: `schemes` (an amount is a quota without an end).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon.flow import Allowance, Flow, Phase
from terrace_agent.damon.schemes import UNMEASURED_BYTES_PER_MS
from terrace_agent.flows.limits import BP, share_bytes

TURN_MS = 1_000
"""What one turn may move is counted for that time."""

_MOVING_S = 0.8
_PRIMED_S = 0.2
_RESTING_S = 2.0
_PAGE_BYTES = 4_096
_MOST_COST = 8
_WORTH_A_COMMIT = 8
_HELD_BY_KSWAPD = 8
"""How far above the low watermark free memory comes beside a stream, in times of the overdraft (seen on 6.12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What has become of an amount since it could move."""

    bytes: int
    tried_bytes: int = 0
    applied_bytes: int = 0

    @property
    def left_bytes(self) -> int:
        """What it may still try."""
        return max(0, self.bytes - self.tried_bytes)

    @property
    def is_in_use(self) -> bool:
        """Whether there was something to move."""
        return self.left_bytes < self.bytes // 2

    @property
    def is_used_up(self) -> bool:
        """Whether there was as much to move, and maybe more."""
        return self.left_bytes <= self.bytes // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The amount of a running scheme.

    Attributes:
        bytes: of its quota.
        is_open: it may move; else it matches nothing.
        is_effective: a quota window has begun with this amount.
        waited: for how many looks it has not become effective.
        last: what has become of the amount that is open, or was last; None where this agent did not see that.
    """

    bytes: int
    is_open: bool
    is_effective: bool
    waited: int = 0
    last: Usage | None = None


Direction = tuple[int, bool]
"""Source nid, and whether it promotes."""


def granted(flows: tuple[Flow, ...], grants: Mapping[Direction, Grant]) -> tuple[Flow, ...]:
    """Returns the flows with their allowances; `grants` are those that run now.

    The law. Free memory of the fast nid is to stay between two marks: *stop*, where promotion ends (the floor and one
    turn's worth above it), and *target*, up to which demotion makes room, at least one turn's worth higher.

    - Promotion may use the headroom above stop, demotion the deficit below target plus what promotion is about to
      bring, each at most what the policy's rate comes to in a turn: both work in the same turn, and free memory stays
      where it is while they do. As long as promotion uses up what it gets, room is made for twice as much. At rest
      neither has anything to do.
    - Where reclaim makes the room, by dropping page cache, free memory goes up and down about kswapd's watermarks: a
      little beyond stop is no overdraft then, and there are two amounts, so that what waits is not outdated by a look.
    - The kernel charges what was tried. What the young filter turned away is asked for again, up to eight times, by
      the share that the last amount got through; never beyond headroom and room, so that an amount is safe even if
      all of it is moved.
    - An open amount stays as long as half of what is wanted is left of it, and as it overdraws the headroom by no more
      than the half turn that stop leaves above the floor. Less than an eighth of a turn is not worth a commit. So a
      node that breathes is let be. Demotion is closed at rest, promotion is not: what gets hot then moves at once.

    Why an amount and not a rate: kdamonds go on when the agent is gone. The kernel computes a quota when a window
    begins and not at a commit (`damos_adjust_quota()`, `damos_commit_quota()`, mm/damon/core.c), so a window that
    never ends is an amount: a dead agent leaves at most one of each direction, each within what was free, and then
    nothing moves.

    Why in two steps: the first window of a scheme may be one without any quota (Linux 6.17 since ce652aac9c90, and
    6.12 and 6.16 since their September 2025: `quota->esz` stays 0 until the second begins), and an amount that changes
    while a window goes on is not looked at. So an amount is *primed* first: the scheme matches nothing, and its windows
    have no length, so that each application begins a new one. Once `effective_bytes` shows the amount, the scheme is
    *opened*: it gets its pattern, and the window that has begun gets no end. Killed in between, the agent leaves a
    scheme that matches nothing.

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


def withdrawn(flows: tuple[Flow, ...], grants: Mapping[Direction, Grant]) -> tuple[Flow, ...]:
    """Returns the flows with nothing allowed."""
    return tuple(replace(flow, allowance=_closed(grants.get(_key(flow)))) for flow in flows)


def turn_s(flows: tuple[Flow, ...], grants: Mapping[Direction, Grant], slowest_aggr_us: int) -> float:
    """Returns after how long the allowances should be looked at again.

    Up to 6.17 each commit restarts the aggregation (`damon_set_attrs()`, mm/damon/core.c), so two of them must fit
    between two commits that move something. What is primed takes an application to become effective; where watermarks
    keep the scheme from being applied, that can take for ever.
    """
    phases = {flow.allowance.phase for flow in flows if flow.allowance}
    if Phase.OPENED in phases:
        return max(_MOVING_S, 2 * slowest_aggr_us / 1_000_000)
    if Phase.PRIMED in phases:
        waited = max((grant.waited for grant in grants.values()), default=0)
        return min(_RESTING_S, _PRIMED_S * (1 << min(waited, 8)))
    return _RESTING_S


def _promotion(flow: Flow, flows: tuple[Flow, ...], grant: Grant | None) -> Allowance:
    fast = flow.pair.target
    headroom = fast.free_bytes - share_bytes(fast.total_bytes, flow.stops.promotion_free_bp)
    most = max(0, _overdrawn(headroom, flow.stops.overdraw_bytes)) // _sharers(flow, flows)
    return _allowance(flow, min(_rate_bytes(flow), most), most, grant)


def _overdrawn(headroom: int, overdraw: int) -> int:
    """Returns what may be moved.

    As long as kswapd holds free memory it is one of two amounts, the larger not quite twice the smaller: free memory
    goes up and down faster than amounts become effective, so one that followed it would no longer fit by then. Neither
    goes further below the low watermark than twice `overdraw`, and what goes below it has woken kswapd.
    """
    if not -overdraw <= headroom <= _HELD_BY_KSWAPD * overdraw:
        return headroom + overdraw
    return overdraw * 7 // 4 if headroom >= 0 else overdraw


def _demotion(flow: Flow, flows: tuple[Flow, ...], incoming: int, grant: Grant | None) -> Allowance:
    fast, slow = flow.pair.source, flow.pair.target
    makes_room = 0 if flow.stops.relieved else incoming
    deficit = share_bytes(fast.total_bytes, flow.stops.demotion_free_bp) - fast.free_bytes + makes_room
    room = slow.free_bytes - share_bytes(slow.total_bytes, BP - flow.slow_used_bp)
    most = max(0, min(_MOST_COST * deficit, room // _sharers(flow, flows)))
    found = _allowance(flow, max(0, min(_rate_bytes(flow), deficit, most)), most, grant)
    # What helps demotion along costs CPU time as long as demotion is open: see `schemes`.
    is_over = grant is not None and (deficit <= 0 or _is_spent(grant))
    return replace(found, phase=Phase.CLOSED) if found.phase is Phase.OPEN and is_over else found


def _allowance(flow: Flow, want: int, most: int, grant: Grant | None) -> Allowance:
    """Returns what to do about one direction that should get `want` and must not get more than `most`."""
    turn, most = flow.quota_bytes, min(most, _MOST_COST * _rate_bytes(flow))
    is_worth_it = want >= max(_PAGE_BYTES, _worth_a_commit(flow))
    if grant is None or (grant.is_open and grant.last is None):
        return _primed(want, most, grant) if is_worth_it else _closed(grant)
    if grant.is_open and grant.last:
        left = grant.last.left_bytes
        if left <= most + turn // 2 and (left >= want // 2 or not is_worth_it):
            return Allowance(bytes=grant.bytes, phase=Phase.OPEN)
    if not is_worth_it:
        return _closed(grant)
    if not grant.is_open and want // 2 <= grant.bytes <= most:
        return Allowance(bytes=grant.bytes, phase=Phase.OPENED if grant.is_effective else Phase.PRIMED)
    return _primed(want * _cost(grant.last), most, grant)


def _worth_a_commit(flow: Flow) -> int:
    """Returns the least amount: what may be overdrawn is one, for beside a stream it is often all that there is."""
    worth, overdraw = flow.quota_bytes // _WORTH_A_COMMIT, flow.stops.overdraw_bytes
    return min(worth, overdraw) if flow.pair.promotes and overdraw else worth


def _is_spent(grant: Grant) -> bool:
    return grant.last is not None and not grant.last.left_bytes


def _closed(grant: Grant | None) -> Allowance:
    return Allowance(bytes=grant.bytes if grant else _PAGE_BYTES, phase=Phase.CLOSED)


def _primed(want: int, most: int, grant: Grant | None) -> Allowance:
    """Returns a new amount, which is none of those that a window may already have begun with."""
    begun = {grant.bytes, grant.last.bytes if grant.last else 0} if grant else set()
    whole = max(_PAGE_BYTES, min(want, most) // _PAGE_BYTES * _PAGE_BYTES)
    return Allowance(
        bytes=next(size for size in range(whole, 0, -_PAGE_BYTES) if size not in begun or size <= _PAGE_BYTES),
        phase=Phase.PRIMED,
    )


def _rate_bytes(flow: Flow) -> int:
    """Returns what one turn may move: a time quota counts as the kernel counts it before it has measured anything.

    A scheme that has just been added has not (`damos_set_effective_quota()`: 1024 pages per ms).
    """
    if not flow.window.time_ms:
        return flow.rate_bytes
    return min(flow.rate_bytes, flow.window.time_ms * UNMEASURED_BYTES_PER_MS)


def _cost(last: Usage | None) -> int:
    """Returns how many bytes have to be tried for one to be applied."""
    if last is None or not last.is_in_use:
        return 1
    return max(1, min(_MOST_COST, last.tried_bytes // max(1, last.applied_bytes)))


def _incoming(
    fast: int, flows: tuple[Flow, ...], promoting: Mapping[Direction, Allowance], grants: Mapping[Direction, Grant]
) -> int:
    """Returns what promotion is about to bring: where the last amount was used up, up to twice as much."""
    return sum(
        min(_rate_bytes(flow), 2 * promoting[_key(flow)].bytes)
        for flow in flows
        if flow.pair.promotes and flow.pair.target.nid == fast and _was_used_up(grants.get(_key(flow)))
    )


def _was_used_up(grant: Grant | None) -> bool:
    return grant is not None and grant.last is not None and grant.last.is_used_up


def _sharers(flow: Flow, flows: tuple[Flow, ...]) -> int:
    """Returns how many flows share what is free on the target: into a nid of a middle tier those of both directions."""
    return sum(other.pair.target.nid == flow.pair.target.nid for other in flows)


def _key(flow: Flow) -> Direction:
    return flow.pair.source.nid, flow.pair.promotes
