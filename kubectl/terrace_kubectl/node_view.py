"""One node as it stands. Pure.

Before: `fleet`. After: `show.node`, or JSON.
"""

from dataclasses import dataclass

from terrace_api.conditions import Condition
from terrace_api.node_tiering import Kdamond, Levels, NumaNode, PodPlacement
from terrace_kubectl.fleet import Seen
from terrace_kubectl.rows import NodeRow, node_row
from terrace_operator.fleet import Node

MOST_PODS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node.

    Attributes:
        since: when its revision came into force; empty for none.
        levels: in mode Observe, what is on the wrong tier.
        plan: in mode Observe, what Enforce would start.
        pods: those with the most memory on slow tiers.
        more_pods: how many others there are.
    """

    node: NodeRow
    since: str
    numa_nodes: tuple[NumaNode, ...]
    kdamonds: tuple[Kdamond, ...]
    levels: Levels | None
    plan: tuple[str, ...]
    conditions: tuple[Condition, ...]
    pods: tuple[PodPlacement, ...]
    more_pods: int


def view(node: Node, seen: Seen | None) -> NodeView:
    """Returns one node."""
    status = seen.status if seen else None
    pods = sorted(status.pods, key=lambda pod: (-pod.slow_bytes, -pod.fast_bytes, pod.name)) if status else []
    return NodeView(
        node=node_row(node, seen),
        since=(status.active_since or "") if status else "",
        numa_nodes=status.numa_nodes if status else (),
        kdamonds=status.kdamonds if status else (),
        levels=status.levels if status else None,
        plan=status.plan if status else (),
        conditions=status.conditions if status else (),
        pods=tuple(pods[:MOST_PODS]),
        more_pods=max(0, len(pods) - MOST_PODS),
    )
