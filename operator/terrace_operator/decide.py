"""What each node's NodeTiering shall say, and why. Pure.

Before: `rank`, `compile`. After: `node_writes` compares with what is there; `rollup` counts per policy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from terrace_api import OPT_OUT_LABEL, OPT_OUT_VALUE
from terrace_api.node_tiering import NodeTieringSpec
from terrace_api.policy import TieringPolicy
from terrace_api.selectors import opted_out
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.fleet import InvalidPolicy, Node, Tiering
from terrace_operator.rank import contenders, ranked, why_it_wins


class Cause(StrEnum):
    """Why a node gets the spec that it gets."""

    OPTED_OUT = "OptedOut"
    HELD = "Held"
    FOLLOWS = "Follows"
    NOT_SELECTED = "NotSelected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One node's spec and the reason for it.

    Attributes:
        follows: name of the policy that is in force; None with `Restore`.
        selected_by: names of the valid policies that select the node, best rank first.
    """

    node: Node
    spec: NodeTieringSpec
    cause: Cause
    reason: str
    follows: str | None = None
    selected_by: tuple[str, ...] = ()


Held = Mapping[str, NodeTieringSpec]
"""Present specs by node name that must stay as they are."""


def held_specs(invalid: Iterable[InvalidPolicy], tierings: Iterable[Tiering]) -> Held:
    """Returns what must not be touched: the specs of nodes that follow a policy which became unreadable.

    Neither what such a policy wants nor its rank is known. To untier its nodes, or to give them to another policy,
    would be a guess; they keep what they have until the policy is repaired or deleted.
    """
    unreadable = {policy.uid for policy in invalid}
    if not unreadable:
        return {}
    return {
        tiering.name: tiering.spec
        for tiering in tierings
        if tiering.spec and tiering.spec.policy and tiering.spec.policy.uid in unreadable
    }


def decide(policies: Iterable[TieringPolicy], nodes: Iterable[Node], held: Held) -> tuple[Decision, ...]:
    """Returns one decision per node, in the order of node names."""
    ranking = ranked(policies)
    specs = {policy.name: compile_spec(policy) for policy in ranking}
    return tuple(
        _decide_one(node, contenders(ranking, node.labels), specs, held.get(node.name))
        for node in sorted(nodes, key=lambda node: node.name)
    )


def _decide_one(
    node: Node,
    contending: tuple[TieringPolicy, ...],
    specs: Mapping[str, NodeTieringSpec],
    held: NodeTieringSpec | None,
) -> Decision:
    names = tuple(policy.name for policy in contending)
    if opted_out(node.labels):
        reason = f"the node's label {OPT_OUT_LABEL}={OPT_OUT_VALUE} wins over every policy"
        return Decision(node=node, spec=RESTORE, cause=Cause.OPTED_OUT, reason=reason, selected_by=names)
    if held is not None and held.policy is not None:
        name = held.policy.name
        reason = f"policy {name} cannot be read, so its nodes keep what they have"
        return Decision(node=node, spec=held, cause=Cause.HELD, reason=reason, follows=name, selected_by=names)
    if not contending:
        return Decision(node=node, spec=RESTORE, cause=Cause.NOT_SELECTED, reason="no policy selects it")
    return Decision(
        node=node,
        spec=specs[names[0]],
        cause=Cause.FOLLOWS,
        reason=why_it_wins(contending),
        follows=names[0],
        selected_by=names,
    )
