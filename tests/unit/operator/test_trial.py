from datetime import UTC, datetime

import pytest

from cases.fake_fleet import FakeFleet
from cases.fleets import AT_ONCE, a_node, a_policy
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.decider import Decider
from terrace_operator.fleet import Policies
from terrace_operator.trial import ends_at, is_over, next_end


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 6, 1, hour, minute, second, tzinfo=UTC)


TRIAL = a_policy(
    "trial",
    created="2026-06-01T10:00:00Z",
    priority=9,
    mode="Enforce",
    trial={"nodeNames": ["n0"], "duration": "1h30m"},
    **AT_ONCE,
)
REST = a_policy("rest", **AT_ONCE)


def test_a_trial_ends_its_duration_after_the_policy_was_made() -> None:
    assert ends_at(TRIAL) == at(11, 30)
    assert not is_over(TRIAL, at(11, 29, 59))
    assert is_over(TRIAL, at(11, 30))


def test_a_policy_that_is_no_trial_never_ends() -> None:
    assert ends_at(REST) is None
    assert not is_over(REST, at(23))


def test_the_next_end_is_that_of_a_trial_that_still_runs() -> None:
    later = a_policy("later", created="2026-06-01T10:00:00Z", trial={"nodeNames": ["n0"], "duration": "5h"})
    assert next_end([REST, later, TRIAL], at(11)) == at(11, 30)
    assert next_end([REST, later, TRIAL], at(12)) == at(15)
    assert next_end([REST, later, TRIAL], at(15)) is None


@pytest.mark.parametrize(("policies", "afterwards"), [((TRIAL, REST), compile_spec(REST)), ((TRIAL,), RESTORE)])
def test_the_nodes_of_a_trial_follow_the_next_policy_or_are_restored_when_it_ends(
    policies: tuple[object, ...], afterwards: object
) -> None:
    fleet = FakeFleet()
    fleet.add_node(a_node("n0"))
    decider, known = Decider(fleet), Policies(valid=policies, statuses={})  # type: ignore[arg-type]
    during = decider.decide(known, {}, (), at(11, 29, 59)).decisions
    assert [one.spec for one in during] == [compile_spec(TRIAL)]
    assert len(decider.due_s) == 1, "it looks again when the trial ends"
    after = decider.decide(known, {}, (), at(11, 30)).decisions
    assert [one.spec for one in after] == [afterwards]
