"""What a node has made of what it was told. Pure.

Before: a NodeTiering, its spec by `decide` and its status by the agent. After: `progress` looks how far a rollout is,
`tally` counts.
"""

from dataclasses import dataclass
from enum import StrEnum

from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import ConditionType, EngineName, NodeTieringSpec
from terrace_operator.fleet import Agent, Node, Report, Tiering

_UNHEARD = {
    Agent.SILENT: "its agent missed three heartbeats; look at the agent's pod on that node",
    Agent.NODE_NOT_READY: "nothing is heard of the node; look at its condition Ready",
    Agent.NONE: "no agent runs there",
}


class State(StrEnum):
    """How far a node is. Every node is in exactly one state."""

    WAITING = "Waiting"
    """It keeps what it has until its turn comes."""
    PENDING = "Pending"
    """What its agent says is not, or not yet, about the current spec."""
    DEGRADED = "Degraded"
    """The agent refused the current spec, or failed to apply it."""
    SILENT = "Silent"
    """Nothing is heard of its agent, or of the whole node: not waited for."""
    UNSUPPORTED = "Unsupported"
    """No engine can run there: not a failure, and not waited for."""
    UNREADY = "Unready"
    """The current spec is in force, and something still keeps the node from being ready; or it cannot be read."""
    READY = "Ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One node's state and why.

    Attributes:
        updated: the revision that it was asked about is in force.
    """

    node: str
    state: State
    updated: bool
    reason: str
    message: str
    report: Report | None = None

    @property
    def runs_nothing(self) -> bool:
        """Whether the node has answered and the revision is not tried there: no engine can run, or none is needed."""
        if self.state is State.READY:
            return self.report is not None and self.report.engine is EngineName.NONE
        return self.state is State.UNSUPPORTED


def stand(node: Node, spec: NodeTieringSpec, tiering: Tiering | None) -> Standing:
    """Returns what the node has made of `spec`: only a status that answers it counts."""
    report = tiering.report if tiering else None
    if tiering is None or tiering.node_uid != node.uid or (tiering.spec is not spec and tiering.told != spec):
        return _pending(node.name, "SpecNotWritten", "its NodeTiering does not have this spec yet", report)
    if tiering.spec is None:
        return _unreadable(node.name, report)
    if report is None:
        return _pending(node.name, "NoReport", "no agent has reported from this node", None)
    if report.observed_generation != tiering.generation:
        return _pending(node.name, "NotObserved", "its agent has not answered the current spec", report)
    return _judge(node.name, report, spec.revision or "")


def unheard(node: str, agent: Agent, tiering: Tiering | None) -> Standing:
    """Returns the standing of a node whose agent is not alive; what it reported before no longer counts."""
    report = tiering.report if tiering else None
    message = _UNHEARD[agent]
    return Standing(node=node, state=State.SILENT, updated=False, reason=agent.value, message=message, report=report)


def has_engine(report: Report | None) -> bool:
    """Returns whether the node said that an engine can run there, whatever it runs at the moment."""
    return report is not None and _is(report.condition(ConditionType.ENGINE_AVAILABLE), ConditionStatus.TRUE)


def would_run_nothing(report: Report | None) -> bool:
    """Returns whether no revision would be tried there, as far as the node has said: one tier only, or no engine."""
    if report is None:
        return False
    engine = report.condition(ConditionType.ENGINE_AVAILABLE)
    return report.tiers == 1 or (engine is not None and engine.status is not ConditionStatus.TRUE)


def _judge(node: str, report: Report, revision: str) -> Standing:
    ready = report.condition(ConditionType.READY)
    updated = report.active_revision == revision or _single_tier(report)
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


def _single_tier(report: Report) -> bool:
    """A node with a single tier has nothing to put in force: being ready is all there is."""
    return report.engine is EngineName.NONE and _is(report.condition(ConditionType.READY), ConditionStatus.TRUE)


def _is(condition: Condition | None, status: ConditionStatus) -> bool:
    return condition is not None and condition.status is status


def _pending(node: str, reason: str, message: str, report: Report | None) -> Standing:
    return Standing(node=node, state=State.PENDING, updated=False, reason=reason, message=message, report=report)


def _unreadable(node: str, report: Report | None) -> Standing:
    message = "its spec was written by another version of the operator; its agent goes on with it"
    return Standing(
        node=node, state=State.UNREADY, updated=False, reason="SpecUnreadable", message=message, report=report
    )


def _standing(node: str, state: State, why: Condition | None, report: Report, *, updated: bool) -> Standing:
    return Standing(
        node=node,
        state=state,
        updated=updated,
        reason=why.reason if why else "NotReported",
        message=why.message if why else "its agent reports no condition Ready",
        report=report,
    )
