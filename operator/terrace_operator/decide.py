"""What each node's NodeTiering shall say, and why. Pure.

Before: `assign` says whom each node is to follow. After: `node_writes` compares with what is there, `tally` counts.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from terrace_api.node_tiering import NodeTieringSpec, PolicyRef
from terrace_operator.assign import Assignment, Cause
from terrace_operator.compile import RESTORE
from terrace_operator.fleet import Agents, Node, Tiering
from terrace_operator.member import Member, enroll
from terrace_operator.phase import Lasting, Rollout, Since
from terrace_operator.progress import Goal
from terrace_operator.rollout import roll_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One node's spec and the reason for it.

    Attributes:
        follows: name of the policy that is, or after a wait will be, in force; None with `Restore`.
        selected_by: the valid policies that select the node, best rank first.
    """

    node: Node
    spec: NodeTieringSpec
    cause: Cause
    reason: str
    follows: str | None = None
    selected_by: tuple[PolicyRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """All that one look at the whole state came to.

    Attributes:
        decisions: one per node, in the order of node names.
        rollouts: by the policy's name.
    """

    decisions: tuple[Decision, ...]
    rollouts: Mapping[str, Rollout]

    def lasting(self, goals: Iterable[Goal]) -> dict[tuple[str, str, Lasting], float]:
        """Returns what the next look needs to know of this one, see `Since.at_s`."""
        found = ((goal, self.rollouts[goal.policy.name].lasting) for goal in goals)
        return {(*goal.key, one[0]): one[1] for goal, one in found if one is not None}


def decide(
    assignments: Iterable[Assignment],
    goals: Sequence[Goal],
    tierings: Mapping[str, Tiering],
    agents: Agents,
    since: Since,
    *,
    unsure: Container[str] = (),
) -> Decided:
    """Returns what every node shall have now; see `Member.unsure` for the last argument."""
    assigned = tuple(assignments)
    members: defaultdict[str | None, list[Member]] = defaultdict(list)
    for one in assigned:
        if one.cause is Cause.FOLLOWS:
            members[one.follows].append(enroll(one, tierings, agents, unsure))
    rollouts = {goal.policy.name: roll_out(goal, members[goal.policy.name], since) for goal in goals}
    targets = {goal.policy.name: goal.target for goal in goals}
    decisions = tuple(
        _by_rollout(one, rollouts[one.follows], targets[one.follows])
        if one.cause is Cause.FOLLOWS and one.follows
        else _at_once(one)
        for one in assigned
    )
    return Decided(decisions=decisions, rollouts=rollouts)


def _at_once(assignment: Assignment) -> Decision:
    """What no rollout holds up: `Restore`, and what must stay as it is."""
    return Decision(
        node=assignment.node,
        spec=assignment.held or RESTORE,
        cause=assignment.cause,
        reason=assignment.reason,
        follows=assignment.follows,
        selected_by=assignment.selected_by,
    )


def _by_rollout(assignment: Assignment, rollout: Rollout, target: NodeTieringSpec) -> Decision:
    spec = rollout.specs[assignment.node.name]
    current = spec is target or (spec.policy, spec.revision) == (target.policy, target.revision)
    return Decision(
        node=assignment.node,
        spec=spec,
        cause=Cause.FOLLOWS if current else Cause.WAITS,
        reason=assignment.reason if current else rollout.message,
        follows=assignment.follows,
        selected_by=assignment.selected_by,
    )
