"""Why a node is as it is: which policy and why not the others, which engine and why not the others. Pure.

Before: `fleet`. After: `show.explain`, or JSON.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import ConditionType, Effective, EngineCapability, NodeTieringStatus, NumaNode
from terrace_api.policy import TieringPolicy
from terrace_api.selectors import LabelSelector, matches
from terrace_kubectl.fleet import Seen
from terrace_kubectl.policy_rows import requirement_words
from terrace_kubectl.rows import NodeRow, condition, node_row
from terrace_kubectl.settings import changed_from_default
from terrace_operator.assign import Assignment, Cause, assign, held_specs
from terrace_operator.fleet import InvalidPolicy, Node, Policies
from terrace_operator.rank import ranked
from terrace_operator.trial import is_over

_BAD_WHEN_TRUE = (ConditionType.GUARDRAIL_TRIPPED.value, ConditionType.TIERS_INVERTED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One policy and why this node does or does not follow it."""

    policy: str
    follows: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodGroup:
    """Pods that are treated alike, for one reason."""

    tiered: bool
    why: str
    pods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeExplained:
    """One node.

    Attributes:
        why: the decision about whom it follows, in words.
        blocking: the conditions that are not as they should be, each thing said once.
        settings: what the policy sets that is not the default.
        refused: the agent refused these settings, and `effective` is of those that were in force before.
        unknown_fields: of its settings, what the agent does not know.
    """

    node: NodeRow
    why: str
    candidates: tuple[Candidate, ...]
    engines: tuple[EngineCapability, ...]
    numa_nodes: tuple[NumaNode, ...]
    blocking: tuple[Condition, ...]
    settings: tuple[str, ...]
    refused: bool
    effective: Effective | None
    unknown_fields: tuple[str, ...]
    pods: tuple[PodGroup, ...]


def explain(node: Node, seen: Seen | None, policies: Policies, now: datetime) -> NodeExplained:
    """Returns why a node is as it is."""
    running = tuple(policy for policy in policies.valid if not is_over(policy, now))
    status = seen.status if seen else None
    spec = seen.tiering.spec if seen else None
    held = held_specs(policies.invalid, [seen.tiering] if seen else [])
    (assignment,) = assign(running, [node], held)
    row = node_row(node, seen)
    return NodeExplained(
        node=row,
        why=assignment.reason,
        candidates=tuple(_candidates(assignment, policies, running)),
        engines=status.engines if status else (),
        numa_nodes=status.numa_nodes if status else (),
        blocking=_blocking(row, status) if status else (),
        settings=changed_from_default(spec.settings) if spec and spec.settings else (),
        refused=_refused(row, status),
        effective=status.effective if status else None,
        unknown_fields=status.unknown_fields if status else (),
        pods=_pods(status) if status else (),
    )


def _candidates(assignment: Assignment, policies: Policies, running: tuple[TieringPolicy, ...]) -> Iterator[Candidate]:
    for policy in ranked(policies.valid):
        chosen = policy.name == assignment.follows
        why = "" if chosen else _why_not(policy, assignment, over=policy not in running)
        yield Candidate(policy=policy.name, follows=chosen, why=why)
    for invalid in policies.invalid:
        yield Candidate(policy=invalid.name, follows=invalid.name == assignment.follows, why=_unreadable(invalid))


def _why_not(policy: TieringPolicy, assignment: Assignment, *, over: bool) -> str:
    if over:
        return "its trial is over"
    if unmet := tuple(_unmet(policy, assignment.node)):
        return f"does not select it: {'; '.join(unmet)}"
    if assignment.cause is Cause.FOLLOWS:
        return f"selects it too, and ranks below {assignment.follows}"
    return f"selects it, but {assignment.reason}"


def _unmet(policy: TieringPolicy, node: Node) -> Iterator[str]:
    spec = policy.spec
    if spec.trial is not None and node.name not in spec.trial.node_names:
        yield f"its trial is on {', '.join(spec.trial.node_names)} only"
    if spec.node_selector is not None:
        yield from _unmet_labels(spec.node_selector, node)


def _unmet_labels(selector: LabelSelector, node: Node) -> Iterator[str]:
    for key, value in selector.match_labels or ():
        if not matches(LabelSelector(match_labels=((key, value),)), node.labels):
            yield f"it wants {key}={value}, and the node has {_label(node, key)}"
    for one in selector.match_expressions or ():
        if not matches(LabelSelector(match_expressions=(one,)), node.labels):
            yield f"it wants {requirement_words(one)}, and the node has {_label(node, one.key)}"


def _label(node: Node, key: str) -> str:
    return f"{key}={node.labels[key]}" if key in node.labels else f"no {key}"


def _unreadable(policy: InvalidPolicy) -> str:
    return f"cannot be read: {'; '.join(map(str, policy.problems[:3]))}"


def _blocking(row: NodeRow, status: NodeTieringStatus) -> tuple[Condition, ...]:
    """Returns what does not hold, and of `_BAD_WHEN_TRUE` what does."""
    bad: dict[str, ConditionStatus] = dict.fromkeys(_BAD_WHEN_TRUE, ConditionStatus.TRUE)
    found = [one for one in status.conditions if one.status is bad.get(one.type, ConditionStatus.FALSE)]
    unsaid = [one for one in found if one.message != row.message]
    return tuple({one.message: one for one in reversed(unsaid)}.values())[::-1]


def _refused(row: NodeRow, status: NodeTieringStatus | None) -> bool:
    accepted = condition(status, ConditionType.ACCEPTED)
    return row.revision not in {"", row.told} and accepted is not None and accepted.status is ConditionStatus.FALSE


def _pods(status: NodeTieringStatus) -> tuple[PodGroup, ...]:
    decided: Iterable[tuple[bool, str]] = ((pod.tiered, pod.why) for pod in status.pods if pod.tiered is not None)
    most_first = sorted(Counter(decided).items(), key=lambda item: (-item[1], item[0]))
    return tuple(PodGroup(tiered=tiered, why=why, pods=pods) for (tiered, why), pods in most_first)
