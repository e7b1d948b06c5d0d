"""What is decided of thousands of nodes, and compared with what they have, costs little where both are the same."""

from datetime import UTC, datetime

from cases.fake_fleet import FakeFleet
from cases.fleets import AT_ONCE, READY, a_node, a_policy, a_report, a_tiering, policies
from terrace_operator.compile import compile_spec
from terrace_operator.decider import Decider
from terrace_operator.progress import Goal

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
POLICY = a_policy("batch", **AT_ONCE)
EARLIER = a_policy("batch", mode="Enforce", **AT_ONCE)


def test_what_is_decided_for_nodes_that_have_it_is_the_very_value_that_they_have() -> None:
    fleet, told = FakeFleet(), compile_spec(POLICY)
    for name in ("a", "b"):
        fleet.add_node(a_node(name))
        fleet.tierings[name] = a_tiering(a_node(name), told, a_report(READY))
    decided = Decider(fleet).decide(policies(POLICY), {}, (), NOON)
    assert all(decision.spec is told for decision in decided.decisions)


def test_a_goal_takes_over_equal_specs_and_stays_what_it_is() -> None:
    goal = Goal(policy=POLICY, target=compile_spec(POLICY), good=compile_spec(EARLIER), stopped=None, wave=None)
    present = (compile_spec(EARLIER), compile_spec(POLICY))
    assert goal.shared(present) == goal
    assert (goal.shared(present).good is present[0], goal.shared(present).target is present[1]) == (True, True)
    assert goal.shared(()) == goal
