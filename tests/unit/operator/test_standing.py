import pytest

from cases.fleets import (
    FAILED,
    NO_ENGINE,
    READY,
    REFUSED,
    SINGLE_TIER,
    a_condition,
    a_node,
    a_policy,
    a_report,
    a_tiering,
    unread,
)
from terrace_api.node_tiering import EngineName
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.fleet import Report, Tiering
from terrace_operator.standing import Standing, State, stand

NODE = a_node("a")
SPEC = compile_spec(a_policy("batch"))
REVISION = SPEC.revision


def standing(tiering: Tiering | None) -> Standing:
    return stand(NODE, SPEC, tiering)


def reported(report: Report | None, *, generation: int = 1) -> Standing:
    return standing(a_tiering(NODE, SPEC, report, generation=generation))


def test_ready_at_the_current_revision_is_ready() -> None:
    found = reported(a_report(READY, revision=REVISION))
    assert (found.state, found.updated) == (State.READY, True)


@pytest.mark.parametrize(
    ("tiering", "reason"),
    [
        (None, "SpecNotWritten"),
        (a_tiering(NODE, RESTORE, a_report(READY)), "SpecNotWritten"),
        (a_tiering(a_node("a", uid="first"), SPEC, a_report(READY, revision=REVISION)), "SpecNotWritten"),
        (a_tiering(NODE, SPEC), "NoReport"),
        (a_tiering(NODE, SPEC, a_report(READY, revision=REVISION), generation=2), "NotObserved"),
        (a_tiering(NODE, SPEC, a_report(READY, revision="old")), "NotInForce"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_status_that_does_not_answer_the_current_spec_is_pending(tiering: Tiering | None, reason: str) -> None:
    found = standing(tiering)
    assert (found.state, found.updated, found.reason) == (State.PENDING, False, reason)


@pytest.mark.parametrize(
    ("report", "nothing"),
    [
        (a_report(READY, revision=REVISION), False),
        (a_report(SINGLE_TIER, engine=EngineName.NONE, tiers=1), True),
        (a_report(NO_ENGINE, engine=EngineName.NONE), True),
        (a_report(REFUSED, engine=EngineName.NONE), False),
    ],
    ids=["ready", "single tier", "no engine", "refused"],
)
def test_a_revision_is_not_tried_where_nothing_has_to_run_or_nothing_can(report: Report, nothing: bool) -> None:
    assert reported(report).runs_nothing is nothing


def test_a_node_whose_spec_cannot_be_read_is_not_ready() -> None:
    tiering = unread(a_tiering(NODE, report=a_report(READY, revision="newer")), "batch")
    assert tiering.told is not None
    found = stand(NODE, tiering.told, tiering)
    assert (found.state, found.updated, found.reason) == (State.UNREADY, False, "SpecUnreadable")


@pytest.mark.parametrize("condition", [REFUSED, FAILED], ids=lambda condition: condition.type)
def test_a_node_that_refused_or_failed_is_degraded_with_its_own_words(condition: object) -> None:
    found = reported(a_report(condition, a_condition("Ready", "False")))  # type: ignore[arg-type]
    assert found.state is State.DEGRADED
    assert (found.reason, found.message) == (condition.reason, condition.message)  # type: ignore[attr-defined]


def test_a_failure_of_an_earlier_spec_is_not_held_against_the_current_one() -> None:
    assert reported(a_report(FAILED), generation=2).state is State.PENDING


def test_a_node_without_an_engine_is_unsupported_and_never_degraded() -> None:
    found = reported(a_report(NO_ENGINE, FAILED, a_condition("Ready", "False"), engine=EngineName.NONE))
    assert (found.state, found.reason) == (State.UNSUPPORTED, "NoDAMON")


def test_a_node_with_a_single_tier_is_ready_although_nothing_runs() -> None:
    single = a_condition("Ready", "True", "SingleTier", "there is nowhere to move memory to")
    found = reported(a_report(NO_ENGINE, single, engine=EngineName.NONE))
    assert (found.state, found.updated) == (State.READY, True)


def test_in_force_but_not_ready_is_unready() -> None:
    found = reported(a_report(a_condition("Ready", "False", "Converging", "8 s to go"), revision=REVISION))
    assert (found.state, found.updated, found.reason) == (State.UNREADY, True, "Converging")


def test_an_agent_that_says_nothing_about_ready_is_not_ready() -> None:
    assert reported(a_report(revision=REVISION)).reason == "NotReported"
