"""What must be written so that the NodeTierings say what was decided. Pure.

Before: `decide`. After: `reconcile` applies the writes.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from terrace_api.node_tiering import NodeTieringSpec
from terrace_operator.decide import Decision
from terrace_operator.fleet import Tiering

_OUTRANKED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWrite:
    """One NodeTiering to make or to change.

    Attributes:
        uid: of the object that is changed, so that a write meant for it never lands on another one or makes it
            anew; None to make it.
        outranked: the policies that select the node and are not in force there.
        before: what the object says now.
    """

    name: str
    node_uid: str
    uid: str | None
    spec: NodeTieringSpec
    outranked: str = ""
    reason: str
    before: NodeTieringSpec | None = None

    @property
    def wanted(self) -> tuple[object, ...]:
        """All but the words, and what was there."""
        return self.uid, self.node_uid, self.spec, self.outranked


def node_writes(
    decisions: Iterable[Decision], tierings: Mapping[str, Tiering], adoptable: Container[str]
) -> tuple[NodeWrite, ...]:
    """Returns the writes for all nodes whose NodeTiering does not say what was decided.

    NodeTierings of nodes that are gone are the garbage collector's. So is one that belongs to an earlier registration
    of its node: once it is collected the node gets a new one, whose status is not about another machine. Only if its
    uid is in `adoptable`, because nobody collects it, it is taken over as it is.
    """
    found = (_write(decision, tierings.get(decision.node.name), adoptable) for decision in decisions)
    return tuple(write for write in found if write is not None)


def outlived(decisions: Iterable[Decision], tierings: Mapping[str, Tiering]) -> frozenset[str]:
    """Returns the uids of NodeTierings that belong to an earlier registration of their node and are not deleted yet."""
    return frozenset(
        tiering.uid
        for decision in decisions
        if (tiering := tierings.get(decision.node.name)) is not None
        and not tiering.deleting
        and tiering.node_uid not in {None, decision.node.uid}
    )


def _write(decision: Decision, tiering: Tiering | None, adoptable: Container[str]) -> NodeWrite | None:
    node, outranked = decision.node, _outranked(decision)
    if tiering is not None:
        if tiering.deleting or (tiering.node_uid not in {None, node.uid} and tiering.uid not in adoptable):
            return None
        if tiering.spec is None and tiering.told == decision.spec:
            return None  # it would be lost
        if (tiering.node_uid, tiering.outranked, tiering.spec) == (node.uid, outranked, decision.spec):
            return None
    return NodeWrite(
        name=node.name,
        node_uid=node.uid,
        uid=tiering.uid if tiering else None,
        spec=decision.spec,
        outranked=outranked,
        reason=decision.reason,
        before=tiering.told if tiering else None,
    )


def _outranked(decision: Decision) -> str:
    """Returns the names of the policies that would like to have the node and do not, the best rank first."""
    if decision.follows is None:
        return ""
    others = [policy.name for policy in decision.selected_by if policy.name != decision.follows]
    return ",".join(others[:_OUTRANKED])
