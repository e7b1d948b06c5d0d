"""The one table from what happened to conditions. Pure.

Before: `cycle`. After: `report`. The operator reads them so: `Accepted=False` or `Applied=False` is a degraded node,
`EngineAvailable=False` an unsupported one; `Ready` is the summary that people wait for, with the reason and message of
whatever stands in the way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from terrace_agent.decide import Intent, Outcome
from terrace_agent.engine import Tripped
from terrace_agent.errors import (
    EngineUnavailable,
    HostFileMissing,
    HostFileUnreadable,
    KdamondDied,
    KdamondStays,
    SettingsRejected,
    StoreRefused,
    UnexpectedContent,
)
from terrace_agent.ladder import reasons
from terrace_agent.workloads.resolve import Problem
from terrace_api.conditions import Condition, ConditionStatus, carry_transitions
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import ConditionType, EngineCapability, EngineName

_UNAPPLIED: tuple[tuple[type[Exception], str, str], ...] = (
    (StoreRefused, "StoreRefused", "The kernel refused a store; it is tried again."),
    (KdamondDied, "KdamondDied", "It is started again; see the kernel log if this stays."),
    (KdamondStays, "KdamondStays", "Somebody may have switched it on again; it is switched off anew."),
    (HostFileMissing, "HostFileMissing", "A file of the kernel or a host path of the DaemonSet is missing."),
    (HostFileUnreadable, "HostFileUnreadable", "A file of the kernel could not be read; it is tried again."),
    (UnexpectedContent, "UnexpectedContent", "Please report this with the kernel's version."),
    (
        OSError,
        "StateUnusable",
        "The agent keeps what it changes in its state directory (/run/terrace of the node) and changes nothing that it "
        "cannot keep there: make room, or make it writable.",
    ),
)
"""Why settings that are right did not come into force: error, reason, what that means or what helps."""

_WITHOUT_ENGINE = {Intent.RESTORE, Intent.SINGLE_TIER}
_FOLLOWING = {Intent.OBSERVE, Intent.ENFORCE}
_IN_FORCE = {
    Intent.RESTORE: ("Restored", "The node is as it was found."),
    Intent.SINGLE_TIER: (
        "SingleTier",
        "This node has memory of at most one of the tiers that the policy names or the kernel tells apart: there is "
        "nothing to move.",
    ),
    Intent.OBSERVE: ("Observing", "Nothing is moved; status.levels and status.plan say what mode Enforce would do."),
    Intent.ENFORCE: ("Enforcing", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a turn of the loop came to.

    Attributes:
        intent: what following the settings came to: those that were asked, or those before if these were refused.
        refused: why what was asked cannot be followed.
        engine: the one that was chosen; None for none.
        passed_over: better engines that cannot run.
        failure: what ended the turn early.
        outcome: what was done before that.
        running: whether anything of ours runs in the kernel.
        active_revision: the revision that is in force; empty for none.
        details: in words, what the configuration in force does.
        tripped: guardrails that are hit now.
        problem: why not every pod that should be tiered is.
    """

    intent: Intent
    capabilities: tuple[EngineCapability, ...]
    refused: InvalidObject | SettingsRejected | None = None
    engine: EngineName | None = None
    passed_over: tuple[EngineCapability, ...] = ()
    failure: Exception | None = None
    outcome: Outcome = Outcome.UNCHANGED
    running: bool = False
    active_revision: str = ""
    details: str = ""
    tripped: tuple[Tripped, ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    status: ConditionStatus
    reason: str
    message: str


def conditions(
    situation: Situation, *, generation: int, now: str, before: Iterable[Condition]
) -> tuple[Condition, ...]:
    """Returns all conditions of the node, with the transition times of `before` where nothing changed.

    Args:
        situation: what the turn came to.
        generation: the `metadata.generation` that it answers.
        now: RFC 3339 in UTC.
        before: the conditions as last reported.
    """
    verdicts = {
        ConditionType.ACCEPTED: _accepted(situation),
        ConditionType.ENGINE_AVAILABLE: _engine_available(situation),
        ConditionType.APPLIED: _applied(situation),
        ConditionType.WORKLOADS_RESOLVED: _workloads_resolved(situation),
    }
    ready = _ready(situation, verdicts)
    verdicts |= {ConditionType.GUARDRAIL_TRIPPED: _guardrail_tripped(situation), ConditionType.READY: ready}
    return carry_transitions(
        before,
        (
            Condition(
                type=type_.value,
                status=verdict.status,
                reason=verdict.reason,
                message=verdict.message,
                last_transition_time=now,
                observed_generation=generation,
            )
            for type_, verdict in verdicts.items()
        ),
    )


def _accepted(situation: Situation) -> _Verdict:
    match situation.refused:
        case InvalidObject() as error:
            return _false("Invalid", str(error))
        case SettingsRejected() as error:
            return _false(error.reason, error.message)
        case _ if situation.intent is Intent.WAIT:
            return _unknown("NoSettings", "The operator has not written this node's settings yet.")
        case _:
            return _true("Valid", "The settings can be used on this node.")


def _engine_available(situation: Situation) -> _Verdict:
    if isinstance(situation.failure, EngineUnavailable):
        return _false(situation.failure.reason, situation.failure.message)
    if situation.intent is Intent.SINGLE_TIER:
        return _unknown("NotNeeded", "A single tier needs no engine.")
    for capability in situation.capabilities:
        if capability.name is situation.engine:
            why = f"Passed over: {reasons(situation.passed_over)}" if situation.passed_over else ""
            return _true(capability.reason, " ".join(filter(None, (capability.message, why))))
    if not situation.capabilities:
        return _unknown("NotProbed", "No engine was probed, because something failed before.")
    best = next(iter(situation.passed_over), situation.capabilities[0])
    return _false(best.reason, reasons(situation.passed_over or situation.capabilities))


def _applied(situation: Situation) -> _Verdict:
    if isinstance(situation.failure, EngineUnavailable) or situation.intent is Intent.UNSUPPORTED:
        return _unknown("NoEngine", _still_in_force(situation))
    if situation.failure is not None and not _is_done(situation):
        return _failed(situation.failure)
    if situation.refused is not None:
        return _false("SettingsRejected", _still_in_force(situation))
    if situation.intent is Intent.WAIT:
        return _unknown("NoSettings", "There is nothing to apply yet.")
    return _in_force(situation)


def _is_done(situation: Situation) -> bool:
    """Returns whether all that was asked has been done, whatever failed beside it."""
    restored = (situation.intent, situation.outcome) == (Intent.RESTORE, Outcome.STOPPED)
    return restored or situation.outcome is Outcome.IN_FORCE


def _workloads_resolved(situation: Situation) -> _Verdict:
    if situation.intent not in _FOLLOWING:
        if situation.running:
            return _unknown("NotEvaluated", f"{_goes_on(situation)}, with the pods that were known then.")
        return _unknown("NotNeeded", "No policy is followed, so no pod has to be told from another.")
    if situation.problem is not None:
        return _false(situation.problem.reason, situation.problem.message)
    return _true("Resolved", "It is known which memory may move; status.pods says which pods and why.")


def _failed(failure: Exception) -> _Verdict:
    for kind, reason, advice in _UNAPPLIED:
        if isinstance(failure, kind):
            return _false(reason, f"{failure}. {advice}")
    return _false(
        "InternalError", f"{type(failure).__name__}: {failure}. This is a defect of Terrace: please report it."
    )


def _guardrail_tripped(situation: Situation) -> _Verdict:
    if situation.tripped:
        return _true(situation.tripped[0].reason, " ".join(one.message for one in situation.tripped))
    if situation.intent is Intent.ENFORCE and situation.outcome is Outcome.IN_FORCE:
        return _false("WithinLimits", "No guardrail of the policy is hit.")
    if situation.running and (situation.intent, situation.outcome) != (Intent.OBSERVE, Outcome.IN_FORCE):
        return _unknown("NotEvaluated", f"{_goes_on(situation)}; what the agent itself would look at is not looked at.")
    return _false("NotEnforcing", "Nothing is moved that a guardrail could stop.")


def _ready(situation: Situation, needed: Mapping[ConditionType, _Verdict]) -> _Verdict:
    """A node whose guardrail is hit does what its policy says: it is ready, and says why it moves nothing."""
    if situation.refused is None and situation.intent in _WITHOUT_ENGINE:
        return needed[ConditionType.APPLIED]
    for verdict in needed.values():
        if verdict.status is not ConditionStatus.TRUE:
            return verdict
    if situation.failure is not None:
        return _failed(situation.failure)
    if situation.tripped:
        return _true("GuardrailTripped", _guardrail_tripped(situation).message)
    return _in_force(situation)


def _in_force(situation: Situation) -> _Verdict:
    reason, message = _IN_FORCE[situation.intent]
    return _true(reason, " ".join(filter(None, (message, situation.details))))


def _goes_on(situation: Situation) -> str:
    what = f"Revision {situation.active_revision}" if situation.active_revision else "What Terrace runs in the kernel"
    return f"{what} goes on as it was committed, within the limits that the kernel holds"


def _still_in_force(situation: Situation) -> str:
    if situation.active_revision:
        return f"Revision {situation.active_revision} stays in force."
    return "Nothing is in force."


def _true(reason: str, message: str) -> _Verdict:
    return _Verdict(ConditionStatus.TRUE, reason, message)


def _false(reason: str, message: str) -> _Verdict:
    return _Verdict(ConditionStatus.FALSE, reason, message)


def _unknown(reason: str, message: str) -> _Verdict:
    return _Verdict(ConditionStatus.UNKNOWN, reason, message)
