"""What a policy comes to for this engine: flows, orders, the safety net, and the words for them. Pure.

Before: settings, topology, what is tracked. After: `engine` makes a plan of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from terrace_agent.flows import balancing, only_damon, relief
from terrace_agent.flows.directions import Flow
from terrace_agent.move_pages.allotment import Allotment, together
from terrace_agent.move_pages.allowance import SHARE
from terrace_agent.move_pages.batches import Outcome, obstacles
from terrace_agent.move_pages.choose import Tracked, interval_s, misplaced_bytes, orders
from terrace_agent.steps import Move
from terrace_agent.workloads.limits import unkept
from terrace_agent.workloads.values import Movable
from terrace_api.node_tiering import Effective, Levels
from terrace_api.policy import PageCache, Settings
from terrace_api.units import Duration, Percent, display_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How the engine itself is doing.

    Attributes:
        tracker: its name.
        blind_spot: what it cannot see, in words.
        pause_s: until the next look, longer than asked where a look costs more than its share.
        problem: of the mover, in words; empty for none.
        outcome: of all orders so far.
        too_large: how many processes are not looked at for their size.
        no_room: how many the agent has no memory for.
        closed: how many may not be looked at.
        left_out: how many the tracker has no room for.
        longest_stall_s: that a look held up a process.
        unwatched: which guardrail holds nothing on this kernel, in words; empty for none.
        numa_balancing: bits of the kernel's switch; None on a kernel without it.
    """

    tracker: str
    blind_spot: str
    pause_s: float
    problem: str = ""
    outcome: Outcome = field(default_factory=Outcome)
    too_large: int = 0
    no_room: int = 0
    closed: int = 0
    left_out: int = 0
    longest_stall_s: float = 0.0
    unwatched: str = ""
    numa_balancing: int | None = None


def moves(
    settings: Settings, wanted: Iterable[Flow], tracked: Iterable[Tracked], movable: Movable, elapsed_s: float
) -> Iterator[Move]:
    """Yields the orders that are due, those that make room first; none into a nid that a cpuset excludes."""
    tracked, allotment = tuple(tracked), Allotment(elapsed_s)
    for alike in together(wanted):
        found = [(flow, _movable_to(flow.pair.target.nid, tracked, movable)) for flow in alike]
        if sum(allotment.bytes_for(flow, 0) > 0 for flow, _ in found) > 1:
            # Who wants least goes first: what it leaves is there for the others.
            found.sort(key=lambda pair: _wants_bytes(settings, allotment, *pair))
        for others, (flow, mine) in zip(reversed(range(len(found))), found, strict=True):
            for order in orders(settings, flow, mine, allotment.bytes_for(flow, others)):
                allotment.give(order)
                yield order


def _wants_bytes(settings: Settings, allotment: Allotment, flow: Flow, mine: Iterable[Tracked]) -> int:
    most = allotment.bytes_for(flow, 0)
    return min(most, misplaced_bytes(settings, flow, mine)) if most else 0


def _movable_to(nid: int, tracked: Iterable[Tracked], movable: Movable) -> tuple[Tracked, ...]:
    allowed = {cgroup.path for cgroup in movable.allowed if cgroup.may_go_to(nid)}
    return tuple(one for one in tracked if one.cgroup in allowed)


def levels(settings: Settings, wanted: Iterable[Flow], tracked: Iterable[Tracked]) -> Levels:
    """Returns how much of what is tracked is on the wrong tier."""
    wanted, tracked = tuple(wanted), tuple(tracked)
    up = sum(misplaced_bytes(settings, flow, tracked) for flow in wanted if flow.pair.promotes)
    down = sum(misplaced_bytes(settings, flow, tracked) for flow in wanted if not flow.pair.promotes)
    fast = {flow.pair.target.nid: _room_bytes(flow) for flow in wanted if flow.pair.promotes}
    return Levels(hot_on_slow_bytes=up, cold_on_fast_bytes=down, forecast_bytes=min(up, sum(fast.values()) + down))


def _room_bytes(flow: Flow) -> int:
    fast = flow.pair.target
    return fast.free_bytes + (fast.droppable_bytes if flow.stops.relieved else 0)


def effective(settings: Settings, wanted: tuple[Flow, ...], condition: Condition, movable: Movable) -> Effective:
    """Returns the numbers behind it, of the fast nid that is bounded most."""
    tightest = max(wanted, key=lambda flow: flow.stops.promotion_free_bp)
    return Effective(
        fast_used_target=str(Percent(tightest.stops.promotion_used_bp)),
        fast_free_target=str(Percent(tightest.stops.demotion_free_bp)),
        fast_floor_bytes=tightest.stops.floor_bytes,
        quota_bytes_per_second=tightest.window.bytes_per_second,
        sample_interval=str(Duration(round(condition.pause_s * 1e6))),
        notes=(*_notes(settings, condition), *unkept(movable, "move_pages"), *_reliefs(wanted)),
    )


def words(wanted: Iterable[Flow]) -> tuple[str, ...]:
    """Returns one line per source and direction."""
    return tuple(_sentence(flow) for flow in wanted)


def _reliefs(wanted: Iterable[Flow]) -> Iterator[str]:
    nids = {nid.nid: nid for flow in wanted for nid in (flow.pair.source, flow.pair.target)}
    return relief.words(nids.values())


def _sentence(flow: Flow) -> str:
    source, target, rate = flow.pair.source.nid, flow.pair.target.nid, display_bytes(flow.window.bytes_per_second)
    if flow.pair.promotes:
        until = f"until {Percent(flow.stops.promotion_used_bp)} of nid {target} is used"
        return f"move_pages promotes what is hot from nid {source} to nid {target}, up to {rate}/s, {until}"
    until = f"while less than {Percent(flow.stops.demotion_free_bp)} of nid {source} is free"
    return f"move_pages demotes what is cold from nid {source} to nid {target}, up to {rate}/s, {until}"


def _notes(settings: Settings, condition: Condition) -> Iterator[str]:
    yield f"accesses are tracked by {condition.tracker}: {condition.blind_spot}"
    yield from filter(None, (condition.problem, condition.unwatched))
    yield from balancing.words(condition.numa_balancing)
    yield (
        "promotion.minAccesses and minAge, demotion.maxAccesses, youngFilter, quota.time and weights: move_pages takes "
        "for hot what two of the last three looks saw touched, for cold what none of demotion.minAge may have"
    )
    yield from only_damon.words(settings, "move_pages")
    if kept := obstacles(condition.outcome):
        yield f"pages that did not move since the agent started: {kept}"
    if condition.pause_s > interval_s(settings):
        yield (
            f"monitoring.cpuPercent {settings.monitoring.cpu_percent}: a look costs so much that the next one waits "
            f"{condition.pause_s:.0f} s"
        )
    if condition.too_large:
        yield f"{condition.too_large} processes are too large to be looked at by {condition.tracker}"
    if condition.no_room:
        yield (
            f"{condition.no_room} processes are not looked at: what is known of pages may take 1/{SHARE} of the "
            "agent's own memory limit, and theirs do not fit. A higher limit helps (agent.resources.limits.memory)"
        )
    if condition.left_out:
        yield f"{condition.left_out} processes are not looked at: {condition.tracker} watches the largest only"
    if condition.closed:
        yield f"{condition.closed} processes may not be looked at (CAP_SYS_PTRACE, CAP_DAC_OVERRIDE)"
    if condition.longest_stall_s > 0.1:
        yield f"a look held up a process for up to {condition.longest_stall_s * 1000:.0f} ms"
    if settings.demotion.enabled and settings.demotion.page_cache is PageCache.INCLUDE:
        yield "demotion.pageCache: this engine moves private memory only"
