"""Every direction that a policy enables on a node, with what bounds it. Pure.

Before: settings, topology. After: an engine that does not have the kernel hold these bounds by schemes of DAMON.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from terrace_agent.flows import limits
from terrace_agent.flows.limits import Stops, Window
from terrace_agent.flows.pairs import Pair, pairs_of
from terrace_agent.topology.values import Topology
from terrace_api.policy import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One direction between two nids."""

    pair: Pair
    window: Window
    stops: Stops


def flows(settings: Settings, topology: Topology, *, has_safety_net: bool) -> tuple[Flow, ...]:
    """Returns the directions that are enabled.

    Raises:
        SettingsRejected: the tiers cannot be meant for this node.
    """
    return tuple(_flows(settings, topology, has_safety_net=has_safety_net))


def demotion_room_bytes(settings: Settings, flow: Flow) -> int:
    """Returns what the fast nid lacks of its free target, as far as the slow one has room; below 0 for less than none.

    Args:
        settings: whose guardrail keeps room in the slow nid.
        flow: a demotion.
    """
    fast, slow, guard = flow.pair.source, flow.pair.target, settings.guardrails.slow_free_min
    lack = limits.share_bytes(fast.total_bytes, flow.stops.demotion_free_bp) - fast.free_bytes
    kept = limits.share_bytes(slow.total_bytes, guard.share.bp) if guard.enabled else 0
    return min(lack, slow.free_bytes - slow.floor_bytes - kept)


def _flows(settings: Settings, topology: Topology, *, has_safety_net: bool) -> Iterator[Flow]:
    enabled = {True: settings.promotion.enabled, False: settings.demotion.enabled}
    for pair in pairs_of(topology):
        if enabled[pair.promotes]:
            fast = pair.target if pair.promotes else pair.source
            window = limits.window(settings, fast, apply_interval_us=0)
            stops = limits.stops(settings, fast, window, has_safety_net=has_safety_net)
            yield Flow(pair=pair, window=window, stops=stops)
