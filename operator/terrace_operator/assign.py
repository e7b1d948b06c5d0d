"""Which policy each node shall follow, and why. Pure.

Before: `select`, `rank`. After: `decide` gives each node its spec, `rollout` says when it may have it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from terrace_api import OPT_OUT_LABEL, OPT_OUT_VALUE
from terrace_api.node_tiering import NodeTieringSpec, PolicyRef
from terrace_api.policy import TieringPolicy
from terrace_api.selectors import opted_out
from terrace_operator.fleet import InvalidPolicy, Node, Tiering
from terrace_operator.rank import contenders, ranked, why_it_wins


class Cause(StrEnum):
    """Why a node gets the spec that it gets."""

    OPTED_OUT = "OptedOut"
    HELD = "Held"
    FOLLOWS = "Follows"
    WAITS = "Waits"
    """It is to follow the policy's current revision, and its turn has not come."""
    NOT_SELECTED = "NotSelected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The policy that one node is to follow.

    Attributes:
        follows: name of that policy; None where no policy may touch the node.
        selected_by: the valid policies that select the node, best rank first.
        held: the spec that must stay as it is, whatever else is the case.
    """

    node: Node
    cause: Cause
    reason: str
    follows: str | None = None
    selected_by: tuple[PolicyRef, ...] = ()
    held: NodeTieringSpec | None = None


Held = Mapping[str, NodeTieringSpec]
"""Present specs by node name that must stay as they are."""


def held_specs(invalid: Iterable[InvalidPolicy], tierings: Iterable[Tiering]) -> Held:
    """Returns what must not be touched: the specs of nodes that follow a policy which became unreadable.

    Neither what such a policy wants nor its rank is known. To untier its nodes, or to give them to another policy,
    would be a guess; they keep what they have until the policy is repaired or deleted. Of specs that cannot be read
    either, as after going back to an older version of the operator, there is what can be, see `Tiering.told`.
    """
    unreadable = {policy.uid for policy in invalid}
    if not unreadable:
        return {}
    return {
        tiering.name: told
        for tiering in tierings
        if (told := tiering.told) and told.policy and told.policy.uid in unreadable
    }


def assign(policies: Iterable[TieringPolicy], nodes: Iterable[Node], held: Held) -> tuple[Assignment, ...]:
    """Returns one assignment per node, in the order of node names."""
    ranking = ranked(policies)
    return tuple(
        _assign_one(node, contenders(ranking, node), held.get(node.name))
        for node in sorted(nodes, key=lambda node: node.name)
    )


def _assign_one(node: Node, contending: tuple[TieringPolicy, ...], held: NodeTieringSpec | None) -> Assignment:
    selected_by = tuple(PolicyRef(name=policy.name, uid=policy.uid) for policy in contending)
    if opted_out(node.labels):
        reason = f"the node's label {OPT_OUT_LABEL}={OPT_OUT_VALUE} wins over every policy"
        return Assignment(node=node, cause=Cause.OPTED_OUT, reason=reason, selected_by=selected_by)
    if held is not None and held.policy is not None:
        name = held.policy.name
        reason = f"policy {name} cannot be read, so its nodes keep what they have"
        return Assignment(node=node, cause=Cause.HELD, reason=reason, follows=name, selected_by=selected_by, held=held)
    if not contending:
        return Assignment(node=node, cause=Cause.NOT_SELECTED, reason="no policy selects it")
    return Assignment(
        node=node,
        cause=Cause.FOLLOWS,
        reason=why_it_wins(contending),
        follows=contending[0].name,
        selected_by=selected_by,
    )
