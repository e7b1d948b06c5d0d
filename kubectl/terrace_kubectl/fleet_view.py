"""The fleet at a glance. Pure.

Before: `fleet`. After: `show.fleet`, or JSON.
"""

from collections import Counter
from dataclasses import dataclass

from terrace_kubectl.fleet import Fleet
from terrace_kubectl.policy_rows import PolicyRow, policy_rows
from terrace_kubectl.problems import Problem, problems
from terrace_kubectl.rows import TierUse, add_up, by_urgency, node_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many nodes are so."""

    name: str
    nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """All nodes and policies in numbers.

    Attributes:
        states: the most urgent first.
        engines: which engine runs on how many nodes.
        tiered_nodes: how many nodes have more than one tier; `tiers` is of those.
    """

    nodes: int
    states: tuple[Count, ...]
    engines: tuple[Count, ...]
    tiered_nodes: int
    tiers: tuple[TierUse, ...]
    promoted_bytes: int
    demoted_bytes: int
    policies: tuple[PolicyRow, ...]
    problems: tuple[Problem, ...]


def view(fleet: Fleet) -> FleetView:
    """Returns the fleet at a glance."""
    rows = node_rows(fleet)
    states = Counter(row.state for row in by_urgency(rows))
    engines = Counter(row.engine for row in rows if row.engine)
    return FleetView(
        nodes=len(rows),
        states=tuple(Count(name=name, nodes=nodes) for name, nodes in states.items()),
        engines=tuple(Count(name=name, nodes=engines[name]) for name in sorted(engines)),
        tiered_nodes=sum(len(row.tiers) > 1 for row in rows),
        tiers=add_up(rows),
        promoted_bytes=sum(row.promoted_bytes for row in rows),
        demoted_bytes=sum(row.demoted_bytes for row in rows),
        policies=policy_rows(fleet.policies),
        problems=problems(rows),
    )
