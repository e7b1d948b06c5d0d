"""One policy and its nodes. Pure.

Before: `fleet`. After: `show.policy`, or JSON.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from terrace_api.conditions import Condition
from terrace_api.policy import TieringPolicy
from terrace_api.policy_status import TieringPolicyStatus
from terrace_kubectl.errors import BadInput
from terrace_kubectl.fleet import Fleet
from terrace_kubectl.near import there_are
from terrace_kubectl.policy_rows import PolicyRow, policy_row, selection
from terrace_kubectl.problems import Problem, problems
from terrace_kubectl.rows import WELL, NodeRow, TierUse, add_up, by_urgency, node_rows
from terrace_operator.fleet import InvalidPolicy
from terrace_operator.standing import State


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """One policy.

    Attributes:
        selects: which nodes, in words.
        revision: that nodes are asked for now.
        good: the revision that proved itself last; empty for none.
        left_out: what is not counted in `updated` and `ready`, in words.
        members: the nodes that follow it, those that need attention first.
        problems: what they say.
    """

    policy: PolicyRow
    selects: str
    paused: bool
    revision: str
    good: str
    left_out: tuple[str, ...]
    tiers: tuple[TierUse, ...]
    conditions: tuple[Condition, ...]
    members: tuple[NodeRow, ...]
    problems: tuple[Problem, ...]


def view(fleet: Fleet, name: str) -> PolicyView:
    """Returns the policy of that name.

    Raises:
        BadInput: there is none.
    """
    policy = find(fleet.policies.all, name)
    status = fleet.policies.statuses.get(policy.uid)
    current = status.revision if status else ""
    members = tuple(_as_member(row, current) for row in node_rows(fleet) if row.policy == name)
    valid = policy if isinstance(policy, TieringPolicy) else None
    return PolicyView(
        policy=policy_row(policy, status),
        selects=selection(valid.spec) if valid else "",
        paused=valid.spec.paused if valid else False,
        revision=current,
        good=status.last_good.revision if status and status.last_good else "",
        left_out=_left_out(status) if status else (),
        tiers=add_up(members),
        conditions=status.conditions if status else (),
        members=by_urgency(members),
        problems=problems(members),
    )


def find(policies: Iterable[TieringPolicy | InvalidPolicy], name: str) -> TieringPolicy | InvalidPolicy:
    """Returns the policy of that name.

    Raises:
        BadInput: there is none; says which there are.
    """
    known = {policy.name: policy for policy in policies}
    if name not in known:
        raise BadInput(f"there is no TieringPolicy {name}; {there_are(name, known)}")
    return known[name]


def _as_member(row: NodeRow, current: str) -> NodeRow:
    """A node that is well on an older revision waits for its turn."""
    if row.told == current or row.state not in WELL:
        return row
    return replace(
        row, state=State.WAITING.value, reason="Waits", message=f"has revision {row.told}; its turn has not come"
    )


def _left_out(status: TieringPolicyStatus) -> tuple[str, ...]:
    counts = (
        (status.unsupported_nodes, "cannot run an engine"),
        (status.silent_nodes, "silent"),
        (status.conflicted_nodes, "follow another policy"),
    )
    return tuple(f"{count} {what}" for count, what in counts if count)
