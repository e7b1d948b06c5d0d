"""The one table from what happened to conditions. Pure.

Before: `situation`; `alarms` judges what is bad when it holds. After: `report`. The operator reads them so:
`Accepted=False` or `Applied=False` is a degraded node, `EngineAvailable=False` an unsupported one; `Ready` is the
summary that people wait for, with the reason and message of whatever stands in the way.
"""

from collections.abc import Iterable, Mapping

from terrace_agent.alarms import guardrail_tripped, tiers_inverted
from terrace_agent.decide import Intent, Outcome
from terrace_agent.errors import (
    EngineUnavailable,
    HostFileMissing,
    HostFileUnreadable,
    KdamondDied,
    KdamondStays,
    PrivilegeLost,
    SettingsRejected,
    StateUnusable,
    StoreRefused,
    UnexpectedContent,
)
from terrace_agent.ladder import reasons
from terrace_agent.situation import Situation
from terrace_agent.verdict import Verdict, false, true, unknown
from terrace_api.conditions import Condition, ConditionStatus, carry_transitions
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import ConditionType

_UNAPPLIED: tuple[tuple[type[Exception], str, str], ...] = (
    (
        PrivilegeLost,
        "PrivilegeLost",
        "The kernel goes on to tier by this setting, within the limits that were set. Switch the chart's value "
        "numaBalancing.enabled on again, which brings it back, or without an agent on the node run terrace-agent stop "
        "there as root.",
    ),
    (StoreRefused, "StoreRefused", "The kernel refused a store; it is tried again."),
    (KdamondDied, "KdamondDied", "It is started again; see the kernel log if this stays."),
    (KdamondStays, "KdamondStays", "Somebody may have switched it on again; it is switched off anew."),
    (HostFileMissing, "HostFileMissing", "A file of the kernel or a host path of the DaemonSet is missing."),
    (HostFileUnreadable, "HostFileUnreadable", "A file of the kernel could not be read; it is tried again."),
    (UnexpectedContent, "UnexpectedContent", "Please report this with the kernel's version."),
    (
        StateUnusable,
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
    verdicts |= {
        ConditionType.GUARDRAIL_TRIPPED: guardrail_tripped(situation),
        ConditionType.TIERS_INVERTED: tiers_inverted(situation),
        ConditionType.READY: ready,
    }
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


def _accepted(situation: Situation) -> Verdict:
    match situation.refused:
        case InvalidObject() as error:
            return false("Invalid", str(error))
        case SettingsRejected() as error:
            return false(error.reason, error.message)
        case _ if situation.intent is Intent.WAIT:
            return unknown("NoSettings", "The operator has not written this node's settings yet.")
        case _:
            return true("Valid", "The settings can be used on this node.")


def _engine_available(situation: Situation) -> Verdict:
    if isinstance(situation.failure, EngineUnavailable):
        return false(situation.failure.reason, situation.failure.message)
    if situation.intent is Intent.SINGLE_TIER:
        return unknown("NotNeeded", "A single tier needs no engine.")
    for capability in situation.capabilities:
        if capability.name is situation.engine:
            why = f"Passed over: {reasons(situation.passed_over)}" if situation.passed_over else ""
            return true(capability.reason, " ".join(filter(None, (capability.message, why))))
    if not situation.capabilities:
        return unknown("NotProbed", "No engine was probed, because something failed before.")
    best = next(iter(situation.passed_over), situation.capabilities[0])
    return false(best.reason, reasons(situation.passed_over or situation.capabilities))


def _applied(situation: Situation) -> Verdict:
    if isinstance(situation.failure, EngineUnavailable) or situation.intent is Intent.UNSUPPORTED:
        return unknown("NoEngine", _still_in_force(situation))
    if situation.failure is not None and not _is_done(situation):
        return _failed(situation.failure)
    if situation.refused is not None:
        return false("SettingsRejected", _still_in_force(situation))
    if situation.intent is Intent.WAIT:
        return unknown("NoSettings", "There is nothing to apply yet.")
    return _in_force(situation)


def _is_done(situation: Situation) -> bool:
    """Returns whether all that was asked has been done, whatever failed beside it."""
    restored = (situation.intent, situation.outcome) == (Intent.RESTORE, Outcome.STOPPED)
    return restored or situation.outcome is Outcome.IN_FORCE


def _workloads_resolved(situation: Situation) -> Verdict:
    if situation.intent not in _FOLLOWING:
        if situation.running:
            return unknown("NotEvaluated", f"{situation.goes_on}, with the pods that were known then.")
        why = "Nothing is moved" if situation.follows_settings else "No policy is followed"
        return unknown("NotNeeded", f"{why}, so no pod has to be told from another.")
    if situation.problem is not None:
        return false(situation.problem.reason, situation.problem.message)
    return true("Resolved", "It is known which memory may move; status.pods says which pods and why.")


def _failed(failure: Exception) -> Verdict:
    for kind, reason, advice in _UNAPPLIED:
        if isinstance(failure, kind):
            return false(reason, f"{failure}. {advice}")
    return false(
        "InternalError", f"{type(failure).__name__}: {failure}. This is a defect of Terrace: please report it."
    )


def _ready(situation: Situation, needed: Mapping[ConditionType, Verdict]) -> Verdict:
    """A node whose guardrail is hit does what its policy says: it is ready, and says why it moves nothing."""
    if situation.refused is None and situation.intent in _WITHOUT_ENGINE:
        return needed[ConditionType.APPLIED]
    for verdict in needed.values():
        if verdict.status is not ConditionStatus.TRUE:
            return verdict
    if situation.failure is not None:
        return _failed(situation.failure)
    if situation.tripped:
        return true("GuardrailTripped", _sentences(_order(situation), guardrail_tripped(situation).message))
    return _in_force(situation)


def _in_force(situation: Situation) -> Verdict:
    reason, message = _IN_FORCE[situation.intent]
    return true(reason, _sentences(message, _order(situation), situation.details))


def _order(situation: Situation) -> str:
    """Returns what to mind of the order of tiers; empty for nothing."""
    return situation.against_kernel if situation.follows_settings else ""


def _sentences(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _still_in_force(situation: Situation) -> str:
    if situation.active_revision:
        return f"Revision {situation.active_revision} stays in force."
    return "What Terrace set in the kernel stays in force." if situation.running else "Nothing is in force."
