"""Where one node stands under the policy that it follows. Pure.

Before: `decide` says what the node shall run, its NodeTiering what it reports. After: `rollup` counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import ConditionType, EngineName
from terrace_operator.decide import Decision
from terrace_operator.fleet import Report, Tiering


class State(StrEnum):
    """How far a node is. Every node is in exactly one state."""

    PENDING = "Pending"
    """What its agent says is not, or not yet, about the current spec."""
    DEGRADED = "Degraded"
    """The agent refused the current spec, or failed to apply it."""
    UNSUPPORTED = "Unsupported"
    """No engine can run there: not a failure, and not waited for."""
    UNREADY = "Unready"
    """The current spec is in force, and something still keeps the node from being ready."""
    READY = "Ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One node's state and why.

    Attributes:
        updated: the current revision is in force.
    """

    node: str
    state: State
    updated: bool
    reason: str
    message: str
    report: Report | None = None


def stand(decision: Decision, tierings: Mapping[str, Tiering]) -> Standing:
    """Returns where the node stands: only a status that answers the current spec counts."""
    node = decision.node.name
    tiering = tierings.get(node)
    report = tiering.report if tiering else None
    if tiering is None or tiering.node_uid != decision.node.uid or tiering.spec != decision.spec:
        return _pending(node, "SpecNotWritten", "its NodeTiering does not have this spec yet", report)
    if report is None:
        return _pending(node, "NoReport", "no agent has reported from this node", None)
    if report.observed_generation != tiering.generation:
        return _pending(node, "NotObserved", "its agent has not answered the current spec", report)
    return _judge(node, report, decision.spec.revision or "")


def _judge(node: str, report: Report, revision: str) -> Standing:
    ready = report.condition(ConditionType.READY)
    updated = _in_force(report, revision, ready)
    if updated and _is(ready, ConditionStatus.TRUE):
        return _standing(node, State.READY, ready, report, updated=True)
    engine = report.condition(ConditionType.ENGINE_AVAILABLE)
    if _is(engine, ConditionStatus.FALSE):
        return _standing(node, State.UNSUPPORTED, engine, report, updated=False)
    for type_ in (ConditionType.ACCEPTED, ConditionType.APPLIED):
        if _is(found := report.condition(type_), ConditionStatus.FALSE):
            return _standing(node, State.DEGRADED, found, report, updated=updated)
    if not updated:
        return _pending(node, "NotInForce", f"revision {revision} is not in force yet", report)
    return _standing(node, State.UNREADY, ready, report, updated=True)


def _in_force(report: Report, revision: str, ready: Condition | None) -> bool:
    """A node with a single tier has nothing to put in force: being ready is all there is."""
    single_tier = report.engine is EngineName.NONE and _is(ready, ConditionStatus.TRUE)
    return report.active_revision == revision or single_tier


def _is(condition: Condition | None, status: ConditionStatus) -> bool:
    return condition is not None and condition.status is status


def _pending(node: str, reason: str, message: str, report: Report | None) -> Standing:
    return Standing(node=node, state=State.PENDING, updated=False, reason=reason, message=message, report=report)


def _standing(node: str, state: State, why: Condition | None, report: Report, *, updated: bool) -> Standing:
    return Standing(
        node=node,
        state=state,
        updated=updated,
        reason=why.reason if why else "NotReported",
        message=why.message if why else "its agent reports no condition Ready",
        report=report,
    )
