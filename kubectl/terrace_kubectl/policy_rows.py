"""One policy in one line. Pure.

Before: `fleet`. After: `fleet_view`, `policy_view`, `report`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from terrace_api.conditions import Condition
from terrace_api.policy import TieringPolicy, TieringPolicySpec
from terrace_api.policy_status import TieringPolicyStatus
from terrace_api.selectors import LabelSelector, Operator, Requirement
from terrace_operator.fleet import InvalidPolicy, Policies
from terrace_operator.rank import ranked


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One policy.

    Attributes:
        updated: such as `3/5`: how many nodes have the current revision.
        ready: likewise, how many do what it says.
        reason: of its condition Ready.
    """

    name: str
    mode: str
    priority: int
    nodes: int
    updated: str
    ready: str
    promoted_bytes: int
    demoted_bytes: int
    is_ready: bool
    reason: str
    message: str


def policy_rows(policies: Policies) -> tuple[PolicyRow, ...]:
    """Returns all policies, the one that wins first; those that cannot be read last."""
    return tuple(policy_row(policy, policies.statuses.get(policy.uid)) for policy in by_rank(policies))


def by_rank(policies: Policies) -> tuple[TieringPolicy | InvalidPolicy, ...]:
    """Returns all policies in the order in which they win."""
    return (*ranked(policies.valid), *policies.invalid)


def policy_row(policy: TieringPolicy | InvalidPolicy, status: TieringPolicyStatus | None) -> PolicyRow:
    """Returns one policy."""
    ready = of_type(status, "Ready")
    spec = policy.spec if isinstance(policy, TieringPolicy) else None
    answered = status is not None and status.observed_generation == policy.generation
    return PolicyRow(
        name=policy.name,
        mode=spec.mode.value if spec else "",
        priority=spec.priority if spec else 0,
        nodes=status.nodes if status else 0,
        updated=status.updated if status else "",
        ready=status.ready if status else "",
        promoted_bytes=status.promoted_bytes if status else 0,
        demoted_bytes=status.demoted_bytes if status else 0,
        is_ready=answered and ready is not None and ready.status == "True",
        reason=ready.reason if ready and answered else "NotObserved",
        message=ready.message if ready and answered else "the operator has not looked at this version of it yet",
    )


def of_type(status: TieringPolicyStatus | None, type_: str) -> Condition | None:
    """Returns a condition of a policy."""
    return next((found for found in status.conditions if found.type == type_), None) if status else None


def selection(spec: TieringPolicySpec) -> str:
    """Returns in words which nodes a policy selects."""
    chosen = "all nodes" if spec.all_nodes else f"nodes with {selector_words(spec.node_selector)}"
    if spec.trial is None:
        return chosen
    return f"a trial on {', '.join(spec.trial.node_names)} for {spec.trial.duration}, of {chosen}"


def selector_words(selector: LabelSelector | None) -> str:
    """Returns a selector as `kubectl get -l` takes it."""
    return ",".join(words for words, _ in requirements(selector))


def requirements(selector: LabelSelector | None) -> Iterator[tuple[str, LabelSelector]]:
    """Yields each requirement of a selector, in words and as a selector of its own."""
    for label in (selector and selector.match_labels) or ():
        yield f"{label[0]}={label[1]}", LabelSelector(match_labels=(label,))
    for one in (selector and selector.match_expressions) or ():
        yield requirement_words(one), LabelSelector(match_expressions=(one,))


def requirement_words(requirement: Requirement) -> str:
    """Returns one requirement as `kubectl get -l` takes it."""
    values = f"({','.join(requirement.values or ())})"
    match requirement.operator:
        case Operator.IN:
            return f"{requirement.key} in {values}"
        case Operator.NOT_IN:
            return f"{requirement.key} notin {values}"
        case Operator.EXISTS:
            return requirement.key
        case Operator.DOES_NOT_EXIST:
            return f"!{requirement.key}"
