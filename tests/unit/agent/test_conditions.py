"""The table from what happened to conditions."""

import errno

import pytest

from terrace_agent.conditions import conditions
from terrace_agent.decide import Intent, Outcome
from terrace_agent.engine import Tripped
from terrace_agent.errors import (
    EngineUnavailable,
    HostFileMissing,
    HostFileUnreadable,
    KdamondDied,
    KdamondStays,
    SettingsRejected,
    StateUnusable,
    StoreRefused,
    UnexpectedContent,
)
from terrace_agent.ladder import choose
from terrace_agent.situation import Situation
from terrace_agent.workloads.problem import Problem as ResolutionProblem
from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.errors import InvalidObject, Problem
from terrace_api.node_tiering import ConditionType, EngineCapability, EngineName
from terrace_api.policy import EngineChoice

CAN = EngineCapability(name=EngineName.DAMON, available=True, reason="Available", message="it can")
CANNOT = EngineCapability(name=EngineName.DAMON, available=False, reason="NoDamonSysfs", message="a newer kernel helps")
DONE = {Intent.ENFORCE, Intent.OBSERVE, Intent.SINGLE_TIER, Intent.RESTORE}
NOW = "2026-11-23T21:00:00Z"


def made(
    intent: Intent,
    failure: Exception | None = None,
    *,
    refused: InvalidObject | SettingsRejected | None = None,
    outcome: Outcome | None = None,
    running: bool = False,
    capability: EngineCapability = CAN,
    revision: str = "",
    before: tuple[Condition, ...] = (),
    now: str = NOW,
    tripped: tuple[Tripped, ...] = (),
    problem: ResolutionProblem | None = None,
    against_kernel: str = "",
) -> dict[str, Condition]:
    situation = Situation(
        intent=intent,
        capabilities=(capability,),
        engine=choose(EngineChoice.AUTO, (capability,)),
        passed_over=() if capability.available else (capability,),
        refused=refused,
        failure=failure,
        outcome=outcome or (Outcome.UNCHANGED if failure or intent not in DONE else Outcome.IN_FORCE),
        running=running,
        active_revision=revision,
        details="moving",
        tripped=tripped,
        problem=problem,
        against_kernel=against_kernel,
    )
    return {one.type: one for one in conditions(situation, generation=4, now=now, before=before)}


def brief(found: dict[str, Condition]) -> dict[str, str]:
    return {type_: f"{one.status}/{one.reason}" for type_, one in found.items()}


def test_enforcing_is_ready_and_says_what_it_does() -> None:
    found = made(Intent.ENFORCE)
    assert brief(found) == {
        "Accepted": "True/Valid",
        "EngineAvailable": "True/Available",
        "Applied": "True/Enforcing",
        "WorkloadsResolved": "True/Resolved",
        "GuardrailTripped": "False/WithinLimits",
        "TiersInverted": "False/AsTheKernelOrders",
        "Ready": "True/Enforcing",
    }
    assert found["Ready"].message == "moving"


def test_a_node_at_its_guardrails_is_ready_and_says_why_it_moves_nothing() -> None:
    hit = (
        Tripped(reason="SlowFreeMin", message="nid 1 is full."),
        Tripped(reason="MemoryPressure", message="Tasks wait."),
    )
    found = made(Intent.ENFORCE, tripped=hit)
    assert brief(found) | {"GuardrailTripped": "True/SlowFreeMin", "Ready": "True/GuardrailTripped"} == brief(found)
    assert found["GuardrailTripped"].message == found["Ready"].message == "nid 1 is full. Tasks wait."


def test_tiers_against_the_kernels_order_leave_a_node_ready_and_are_said_there() -> None:
    found = made(Intent.ENFORCE, against_kernel="nid 1 is slower.")
    assert brief(found) | {"TiersInverted": "True/AgainstKernel", "Ready": "True/Enforcing"} == brief(found)
    assert found["TiersInverted"].message == "nid 1 is slower."
    assert found["Ready"].message == "nid 1 is slower. moving"


def test_tiers_against_the_kernels_order_are_said_at_a_guardrail_too() -> None:
    hit = (Tripped(reason="MemoryPressure", message="Tasks wait."),)
    found = made(Intent.ENFORCE, tripped=hit, against_kernel="nid 1 is slower.")
    assert found["Ready"].message == "nid 1 is slower. Tasks wait."


@pytest.mark.parametrize(("running", "reason"), [(False, "NotNeeded"), (True, "NotEvaluated")])
@pytest.mark.parametrize("intent", [Intent.WAIT, Intent.RESTORE])
def test_without_a_policy_there_is_no_order_of_tiers(intent: Intent, running: bool, reason: str) -> None:
    found = made(intent, running=running, against_kernel="as the turn before had it")
    assert brief(found)["TiersInverted"] == f"Unknown/{reason}"
    assert "turn before" not in found["Ready"].message


def test_a_failure_is_said_before_a_guardrail() -> None:
    refused = StoreRefused(path="/sys/x", value="on", errno=errno.EBUSY)
    found = made(Intent.ENFORCE, refused, tripped=(Tripped(reason="MemoryPressure", message="Tasks wait."),))
    assert brief(found)["Ready"] == "False/StoreRefused"
    assert brief(found)["GuardrailTripped"] == "True/MemoryPressure"


def test_observing_is_ready_and_says_where_to_look() -> None:
    found = made(Intent.OBSERVE)
    assert (found["Ready"].status, found["Ready"].reason) == (ConditionStatus.TRUE, "Observing")
    assert "status.plan" in found["Ready"].message


@pytest.mark.parametrize("capability", [CAN, CANNOT])
def test_a_single_tier_is_ready_and_neither_degraded_nor_unsupported(capability: EngineCapability) -> None:
    assert brief(made(Intent.SINGLE_TIER, capability=capability)) == {
        "Accepted": "True/Valid",
        "EngineAvailable": "Unknown/NotNeeded",
        "Applied": "True/SingleTier",
        "WorkloadsResolved": "Unknown/NotNeeded",
        "GuardrailTripped": "False/NotEnforcing",
        "TiersInverted": "False/AsTheKernelOrders",
        "Ready": "True/SingleTier",
    }


def test_no_engine_is_unsupported_and_never_degraded() -> None:
    found = made(Intent.UNSUPPORTED, capability=CANNOT)
    assert brief(found) == {
        "Accepted": "True/Valid",
        "EngineAvailable": "False/NoDamonSysfs",
        "Applied": "Unknown/NoEngine",
        "WorkloadsResolved": "Unknown/NotNeeded",
        "GuardrailTripped": "False/NotEnforcing",
        "TiersInverted": "False/AsTheKernelOrders",
        "Ready": "False/NoDamonSysfs",
    }
    assert "a newer kernel helps" in found["Ready"].message


@pytest.mark.parametrize("intent", [Intent.UNSUPPORTED, Intent.SINGLE_TIER])
def test_where_a_policy_is_followed_and_nothing_can_move_pods_are_not_said_to_be_without_a_policy(
    intent: Intent,
) -> None:
    said = made(intent, capability=CANNOT)["WorkloadsResolved"].message
    assert said == "Nothing is moved, so no pod has to be told from another."
    assert "No policy is followed" in made(Intent.RESTORE)["WorkloadsResolved"].message


def test_somebody_else_in_the_way_is_unsupported_with_their_name() -> None:
    found = made(Intent.ENFORCE, EngineUnavailable(reason="ForeignKdamonds", message="damo's kdamond 0 is on"))
    assert brief(found)["EngineAvailable"] == "False/ForeignKdamonds"
    assert brief(found)["Ready"] == "False/ForeignKdamonds"
    assert found["Ready"].message == "damo's kdamond 0 is on"


def test_rejected_settings_say_what_exists_and_the_rest_is_about_those_before() -> None:
    error = SettingsRejected(reason="NidNotFound", message="nid 7 is not there; nids 0 and 1 are")
    found = made(Intent.ENFORCE, refused=error, revision="r1", running=True)
    assert brief(found) == {
        "Accepted": "False/NidNotFound",
        "EngineAvailable": "True/Available",
        "Applied": "False/SettingsRejected",
        "WorkloadsResolved": "True/Resolved",
        "GuardrailTripped": "False/WithinLimits",
        "TiersInverted": "False/AsTheKernelOrders",
        "Ready": "False/NidNotFound",
    }
    assert found["Ready"].message == "nid 7 is not there; nids 0 and 1 are"
    assert "r1 stays in force" in found["Applied"].message


def test_rejected_settings_that_are_the_first_leave_nothing_in_force() -> None:
    found = made(Intent.WAIT, refused=SettingsRejected(reason="NidNotFound", message="nid 7 is not there"))
    assert brief(found)["Applied"] == "False/SettingsRejected"
    assert "Nothing is in force" in found["Applied"].message
    assert brief(found)["GuardrailTripped"] == "False/NotEnforcing"


@pytest.mark.parametrize("intent", [Intent.UNSUPPORTED, Intent.WAIT])
def test_what_runs_although_nothing_is_followed_is_not_said_to_move_nothing(intent: Intent) -> None:
    found = made(intent, running=True, revision="r1")
    assert brief(found)["GuardrailTripped"] == "Unknown/NotEvaluated"
    assert brief(found)["WorkloadsResolved"] == "Unknown/NotEvaluated"
    assert "Revision r1 goes on" in found["GuardrailTripped"].message


def test_what_could_not_be_stopped_for_observe_is_not_said_to_move_nothing() -> None:
    failure = StoreRefused(path="/sys/a", value="off", errno=errno.EBUSY)
    assert brief(made(Intent.OBSERVE, failure, running=True))["GuardrailTripped"] == "Unknown/NotEvaluated"
    assert brief(made(Intent.OBSERVE, running=True))["GuardrailTripped"] == "False/NotEnforcing"


def test_what_is_in_force_is_applied_although_it_cannot_be_counted_what_it_moves() -> None:
    failure = HostFileUnreadable(path="/proc/vmstat", errno=errno.EIO)
    found = made(Intent.ENFORCE, failure, outcome=Outcome.IN_FORCE)
    assert brief(found)["Applied"] == "True/Enforcing"
    assert brief(found)["Ready"] == "False/HostFileUnreadable"


def test_a_restored_node_is_ready_although_something_of_it_cannot_be_read() -> None:
    failure = HostFileUnreadable(path="/proc/zoneinfo", errno=errno.EIO)
    found = made(Intent.RESTORE, failure, outcome=Outcome.STOPPED)
    assert brief(found)["Applied"] == brief(found)["Ready"] == "True/Restored"


def test_settings_that_cannot_be_read_name_the_field() -> None:
    error = InvalidObject(kind="NodeTiering", problems=(Problem(field="spec.action", message="is 'Fly'"),))
    found = made(Intent.WAIT, refused=error)
    assert brief(found)["Accepted"] == "False/Invalid"
    assert "spec.action" in found["Accepted"].message


@pytest.mark.parametrize(
    ("failure", "reason", "says"),
    [
        (StoreRefused(path="/sys/a", value="on", errno=errno.EBUSY), "StoreRefused", "EBUSY"),
        (KdamondDied(index=1, command="commit"), "KdamondDied", "kdamond 1"),
        (KdamondStays(index=1), "KdamondStays", "kdamond 1 is on after 'off'"),
        (HostFileMissing(path="/sys/a", errno=errno.ENOENT), "HostFileMissing", "/sys/a"),
        (HostFileUnreadable(path="/sys/a", errno=errno.EBUSY), "HostFileUnreadable", "/sys/a"),
        (UnexpectedContent(path="/sys/a", content="?"), "UnexpectedContent", "report"),
        (StateUnusable(path="/run/terrace/journal.json", errno=errno.ENOSPC), "StateUnusable", "make room"),
        (OSError(errno.EIO, "anywhere else"), "InternalError", "please report it"),
        (ZeroDivisionError("division by zero"), "InternalError", "defect of Terrace"),
    ],
)
@pytest.mark.parametrize("intent", [Intent.ENFORCE, Intent.RESTORE])
def test_a_failed_turn_is_degraded_and_not_ready(intent: Intent, failure: Exception, reason: str, says: str) -> None:
    found = made(intent, failure)
    assert brief(found)["Applied"] == f"False/{reason}"
    assert brief(found)["Ready"] == f"False/{reason}"
    assert says in found["Applied"].message


def test_pods_that_cannot_be_told_apart_keep_a_node_from_being_ready() -> None:
    problem = ResolutionProblem(reason="CgroupV1", message="boot it with cgroup v2")
    found = made(Intent.ENFORCE, problem=problem)
    assert brief(found)["Applied"] == "True/Enforcing"
    assert brief(found)["WorkloadsResolved"] == brief(found)["Ready"] == "False/CgroupV1"
    assert found["Ready"].message == "boot it with cgroup v2"


def test_a_refused_store_is_more_urgent_than_pods_that_cannot_be_told_apart() -> None:
    problem = ResolutionProblem(reason="CgroupV1", message="boot it with cgroup v2")
    found = made(Intent.ENFORCE, StoreRefused(path="/sys/a", value="on", errno=errno.EBUSY), problem=problem)
    assert brief(found)["Ready"] == "False/StoreRefused"


def test_a_restored_node_is_ready_wherever_it_is() -> None:
    assert brief(made(Intent.RESTORE, capability=CANNOT))["Ready"] == "True/Restored"


@pytest.mark.parametrize("intent", [Intent.RESTORE, Intent.SINGLE_TIER])
def test_what_needs_no_engine_does_not_hide_its_failure_behind_that_there_is_none(intent: Intent) -> None:
    failure = StoreRefused(path="/sys/a", value="off", errno=errno.EBUSY)
    assert brief(made(intent, failure, capability=CANNOT))["Ready"] == "False/StoreRefused"


def test_without_settings_nothing_is_known() -> None:
    assert brief(made(Intent.WAIT))["Ready"] == "Unknown/NoSettings"


def test_transition_times_change_with_the_status_only() -> None:
    before = tuple(made(Intent.ENFORCE).values())
    later = made(Intent.UNSUPPORTED, capability=CANNOT, before=before, now="2026-11-23T22:00:00Z")
    assert later["Accepted"].last_transition_time == NOW
    assert later["Ready"].last_transition_time == "2026-11-23T22:00:00Z"
    assert {one.observed_generation for one in later.values()} == {4}


@pytest.mark.parametrize("intent", list(Intent))
@pytest.mark.parametrize("capability", [CAN, CANNOT])
@pytest.mark.parametrize("refused", [None, SettingsRejected(reason="NidNotFound", message="no nid 7")])
@pytest.mark.parametrize("running", [True, False])
def test_every_outcome_has_every_condition_with_a_reason_and_a_message(
    intent: Intent, capability: EngineCapability, refused: SettingsRejected | None, running: bool
) -> None:
    found = made(intent, refused=refused, running=running, capability=capability)
    assert list(found) == [type_.value for type_ in ConditionType if type_ is not ConditionType.AGENT_ALIVE]
    assert all(one.reason.isalpha() and one.message for one in found.values())
