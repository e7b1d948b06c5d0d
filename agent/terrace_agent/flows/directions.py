"""Every direction that a policy enables on a node, with what bounds it. Pure.

Before: settings, topology. After: an engine that does not have the kernel hold these bounds by schemes of DAMON.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from terrace_agent.flows import fullness, limits
from terrace_agent.flows.limits import Stops, Window
from terrace_agent.flows.pairs import Pair, pairs_of
from terrace_agent.topology.values import Topology
from terrace_api.policy import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One direction between two nids.

    Attributes:
        window: of the fast nid; promotions into it share it.
        slow_used_bp: at which used share the slow nid takes nothing more.
    """

    pair: Pair
    window: Window
    stops: Stops
    slow_used_bp: int = limits.BP


def flows(settings: Settings, topology: Topology, *, has_safety_net: bool, chooses_target: bool) -> tuple[Flow, ...]:
    """Returns the directions that are enabled.

    Args:
        settings: of the policy.
        topology: at least two tiers.
        has_safety_net: whether reclaim may demote.
        chooses_target: whether it is the engine that says where pages go down to, so that a nid which is full can be
            left for another one; the kernel goes for the nearest first, down to its watermark.

    Raises:
        SettingsRejected: the tiers cannot be meant for this node.
    """
    return tuple(_flows(settings, topology, has_safety_net=has_safety_net, chooses_target=chooses_target))


def promotion_room_bytes(flow: Flow) -> int:
    """Returns what the fast nid of a promotion has beyond where promotion stops; below 0 for less than none."""
    fast = flow.pair.target
    return fast.free_bytes - limits.share_bytes(fast.total_bytes, flow.stops.promotion_free_bp)


def lack_bytes(flow: Flow) -> int:
    """Returns what the fast nid of a demotion lacks of its free target; below 0 for less than nothing."""
    fast = flow.pair.source
    return limits.share_bytes(fast.total_bytes, flow.stops.demotion_free_bp) - fast.free_bytes


def target_room_bytes(flow: Flow) -> int:
    """Returns what the slow nid of a demotion takes until it is full; below 0 for less than nothing."""
    slow = flow.pair.target
    return slow.free_bytes - limits.share_bytes(slow.total_bytes, limits.BP - flow.slow_used_bp)


def _flows(settings: Settings, topology: Topology, *, has_safety_net: bool, chooses_target: bool) -> Iterator[Flow]:
    windows = {nid.nid: limits.window(settings, nid, apply_interval_us=0) for nid in topology.nids}
    enabled = {True: settings.promotion.enabled, False: settings.demotion.enabled}
    least_free_bytes = fullness.least_free_bytes(settings, topology.nids, windows) if chooses_target else {}
    found = pairs_of(topology, least_free_bytes=least_free_bytes)
    pairs = tuple(pair for pair in found if enabled[pair.promotes])
    full_at_bp = fullness.full_at_bp(settings, pairs, windows)
    for pair in pairs:
        fast, slow = (pair.target, pair.source) if pair.promotes else (pair.source, pair.target)
        window, kept_bp = windows[fast.nid], fullness.kept_bp(full_at_bp, fast)
        yield Flow(
            pair=pair,
            window=window,
            stops=limits.stops(settings, fast, window, has_safety_net=has_safety_net, least_free_bp=kept_bp),
            slow_used_bp=full_at_bp.get(slow.nid, limits.BP),
        )
