"""Why a pod's memory is tiered or is not. Pure.

What is done with a pod is decided on its node, by the agent, from the policy's rules, the pod's label and its cpuset;
the agent's report says so. Where there is no report of the pod, the reason for that is the answer.

Before: `fleet`. After: `show.explain`, or JSON.
"""

from dataclasses import dataclass

from terrace_api import OPT_OUT_LABEL, OPT_OUT_VALUE
from terrace_api.conditions import ConditionStatus
from terrace_api.node_tiering import Action, ConditionType, NodeTieringSpec, NodeTieringStatus, PodPlacement
from terrace_api.policy import Mode
from terrace_api.selectors import opted_out
from terrace_kubectl.fleet import Pod, Seen
from terrace_kubectl.rows import HELD, NodeRow, condition
from terrace_operator.standing import State


@dataclass(frozen=True, slots=True, kw_only=True)
class PodExplained:
    """One pod.

    Attributes:
        tiered: whether its memory may move; None if that is not known.
        moves: it may move, and nothing that is known holds it up.
        why: the whole answer, one reason a line, the one that decides first.
        placement: where its memory is, if the agent has looked at the pod.
    """

    namespace: str
    name: str
    node: str
    policy: str
    mode: str
    tiered: bool | None
    moves: bool
    why: tuple[str, ...]
    placement: PodPlacement | None


def explain(pod: Pod, row: NodeRow | None, seen: Seen | None) -> PodExplained:
    """Returns why the pod is or is not tiered; `row` is its node, None while it has none."""
    placement = _placement(pod, seen.status) if seen and seen.status else None
    unheard = _unheard(pod, row, seen)
    tiered, why = (None, (unheard,)) if unheard else _decided(pod, placement)
    standstill = _standstill(row, seen.status) if row and seen and seen.status and tiered else ()
    unkept = _unkept(placement, seen) if placement and seen and tiered else ()
    return PodExplained(
        namespace=pod.namespace,
        name=pod.name,
        node=pod.node,
        policy=row.policy if row else "",
        mode=row.mode if row else "",
        tiered=tiered,
        moves=bool(tiered) and not standstill,
        why=(*why, *unkept, *standstill),
        placement=placement,
    )


def _placement(pod: Pod, status: NodeTieringStatus) -> PodPlacement | None:
    return next((found for found in status.pods if found.uid == pod.cgroup_uid), None)


def _unheard(pod: Pod, row: NodeRow | None, seen: Seen | None) -> str:
    """Returns why nothing was decided about the pod; empty if something may have been."""
    if not pod.node:
        return "it is not scheduled to a node yet"
    if pod.finished:
        return "its containers have ended, so it has no memory"
    if row is None:
        return f"its node {pod.node} is gone"
    if seen is None or seen.tiering.spec is None or seen.status is None:
        return f"nothing is known of node {pod.node}: {row.message}"
    return _nothing_there(row, seen.tiering.spec)


def _nothing_there(row: NodeRow, spec: NodeTieringSpec) -> str:
    """Returns why no pod of the node is tiered; empty if some may be."""
    if spec.action is Action.RESTORE:
        return f"no policy is in force on node {row.name}; `kubectl terrace explain node {row.name}` says why"
    if len(row.tiers) < 2:
        return f"node {row.name} has a single tier of memory: there is nothing to move"
    if row.state == State.UNSUPPORTED.value:
        return f"no engine can run on node {row.name}: {row.message}"
    return ""


def _decided(pod: Pod, placement: PodPlacement | None) -> tuple[bool | None, tuple[str, ...]]:
    label = f"its label {OPT_OUT_LABEL}={OPT_OUT_VALUE} keeps Terrace's hands off, whatever a policy says"
    if placement is not None and placement.tiered is not None:
        reason = label if opted_out(pod.labels) and not placement.tiered else placement.why
        return placement.tiered, (reason or "the policy has no rules for workloads: every pod is tiered",)
    if opted_out(pod.labels):
        return False, (label,)
    if placement is not None:
        return None, ("its node's agent has not decided about it yet",)
    return None, (
        "its node's agent has not reported it yet: a report comes about once a minute, and holds at most 1024 pods",
    )


def _standstill(row: NodeRow, status: NodeTieringStatus) -> tuple[str, ...]:
    """Returns why the memory of a pod that is tiered does not move all the same."""
    if status.mode is Mode.OBSERVE:
        return ("nothing moves in mode Observe; set spec.mode: Enforce to move memory",)
    if row.state == HELD:
        return (f"a guardrail of the policy is hit ({row.reason}): {row.message}",)
    applied = condition(status, ConditionType.APPLIED)
    if applied is None or applied.status is not ConditionStatus.TRUE:
        return (f"the policy is not in force on node {row.name}: {row.message}",)
    return ()


def _unkept(placement: PodPlacement, seen: Seen) -> tuple[str, ...]:
    """Returns what the node says of limits that it cannot keep, where the pod's rule has some."""
    spec, status = seen.tiering.spec, seen.status
    rules = spec.settings.workloads if spec and spec.settings else None
    if not any(rule.name == placement.rule and rule.fast_memory for rule in rules or ()):
        return ()
    notes = status.effective.notes if status and status.effective else ()
    return tuple(note for note in notes if note.startswith("workloads[].fastMemory:"))
