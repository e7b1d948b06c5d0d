from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cases.fleets import a_node, a_policy, a_tiering, an_invalid_policy, unread
from terrace_api.policy import TieringPolicy
from terrace_operator.assign import Assignment, Cause, assign, held_specs
from terrace_operator.compile import compile_spec
from terrace_operator.fleet import Node
from terrace_operator.select import selects

OPTED_OUT = {"terrace.dev/tiering": "disabled"}


def opted_out(node: Node) -> Node:
    return replace(node, labels={**node.labels, **OPTED_OUT})


def only(assignments: tuple[Assignment, ...]) -> Assignment:
    (assignment,) = assignments
    return assignment


def selected_by(assignment: Assignment) -> list[str]:
    return [policy.name for policy in assignment.selected_by]


def test_a_node_that_no_policy_selects_follows_none() -> None:
    assignment = only(assign([], [a_node("a")], {}))
    assert (assignment.cause, assignment.follows) == (Cause.NOT_SELECTED, None)
    assert assignment.reason == "no policy selects it"


def test_a_node_follows_the_best_ranked_policy_that_selects_it() -> None:
    high = a_policy("high", priority=9, nodeSelector={"matchLabels": {"zone": "elsewhere"}})
    mid, low = a_policy("mid", priority=5), a_policy("low")
    assignment = only(assign([low, mid, high], [a_node("a", zone="here")], {}))
    assert assignment.follows == "mid"
    assert selected_by(assignment) == ["mid", "low"]
    assert assignment.reason == "policy mid wins over low: priority 5 is above 0"


def test_the_opt_out_label_wins_over_every_policy() -> None:
    assignment = only(assign([a_policy("all", priority=1000)], [opted_out(a_node("a"))], {}))
    assert (assignment.cause, assignment.follows) == (Cause.OPTED_OUT, None)
    assert selected_by(assignment) == ["all"]


def test_followers_of_an_unreadable_policy_keep_what_they_have() -> None:
    node, before = a_node("a"), compile_spec(a_policy("broken", mode="Enforce"))
    held = held_specs([an_invalid_policy("broken")], [a_tiering(node, before)])
    assignment = only(assign([a_policy("other", priority=1000)], [node], held))
    assert (assignment.held, assignment.cause, assignment.follows) == (before, Cause.HELD, "broken")
    assert selected_by(assignment) == ["other"]


def test_followers_of_an_unreadable_policy_are_held_whatever_else_of_their_spec_cannot_be_read() -> None:
    """An operator that went back a version can read neither."""
    node = a_node("a")
    held = held_specs([an_invalid_policy("broken")], [unread(a_tiering(node), "broken")])
    assignment = only(assign([a_policy("other", priority=1000)], [node], held))
    assert (assignment.cause, assignment.follows) == (Cause.HELD, "broken")


def test_the_opt_out_label_wins_over_an_unreadable_policy() -> None:
    node = opted_out(a_node("a"))
    held = held_specs([an_invalid_policy("broken")], [a_tiering(node, compile_spec(a_policy("broken")))])
    assert only(assign([], [node], held)).cause is Cause.OPTED_OUT


def test_an_unreadable_policy_takes_no_node_that_follows_another() -> None:
    node, other = a_node("a"), a_policy("other")
    held = held_specs([an_invalid_policy("broken")], [a_tiering(node, compile_spec(other))])
    assert only(assign([other], [node], held)).follows == "other"


def test_a_new_policy_of_the_same_name_does_not_hold_nodes_of_the_old_one() -> None:
    """It never was in force, and what it wants cannot be read."""
    node, before = a_node("a"), compile_spec(a_policy("broken"))
    held = held_specs([replace(an_invalid_policy("broken"), uid="another")], [a_tiering(node, before)])
    assert only(assign([], [node], held)).cause is Cause.NOT_SELECTED


def test_nothing_is_held_while_all_policies_can_be_read() -> None:
    assert held_specs([], [a_tiering(a_node("a"), compile_spec(a_policy("gone")))]) == {}


zones = st.sampled_from("abc")
some_nodes = st.lists(
    st.builds(
        lambda name, zone, out: opted_out(a_node(name, zone=zone)) if out else a_node(name, zone=zone),
        st.sampled_from([f"node-{i}" for i in range(9)]),
        zones,
        st.booleans(),
    ),
    unique_by=lambda node: node.name,
)


def any_policy(name: str, zone: str | None, priority: int, mode: str) -> TieringPolicy:
    selection: dict[str, Any] = {"nodeSelector": {"matchLabels": {"zone": zone}}} if zone else {"allNodes": True}
    return a_policy(name, priority=priority, mode=mode, **selection)


some_policies = st.lists(
    st.builds(
        any_policy,
        st.sampled_from("pqrst"),
        st.one_of(st.none(), zones),
        st.integers(-1, 1),
        st.sampled_from(["Observe", "Enforce"]),
    ),
    unique_by=lambda policy: policy.name,
)


@given(policies=some_policies, nodes=some_nodes, data=st.data())
def test_order_means_nothing(policies: list[TieringPolicy], nodes: list[Node], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(policies)), data.draw(st.permutations(nodes))
    assert assign(policies, nodes, {}) == assign(*shuffled, {})


@given(policies=some_policies, nodes=some_nodes)
def test_every_node_has_exactly_one_assignment_and_a_reason(policies: list[TieringPolicy], nodes: list[Node]) -> None:
    assignments = assign(policies, nodes, {})
    assert [assignment.node.name for assignment in assignments] == sorted(node.name for node in nodes)
    assert all(assignment.reason for assignment in assignments)


@given(policies=some_policies, nodes=some_nodes)
def test_a_node_follows_a_policy_if_and_only_if_it_is_selected_and_has_not_opted_out(
    policies: list[TieringPolicy], nodes: list[Node]
) -> None:
    for assignment in assign(policies, nodes, {}):
        labels = assignment.node.labels
        selected = any(selects(policy.spec, assignment.node) for policy in policies)
        assert (assignment.follows is not None) is (selected and "terrace.dev/tiering" not in labels)


@given(policies=some_policies, nodes=some_nodes)
def test_a_policy_that_selects_nothing_changes_nothing(policies: list[TieringPolicy], nodes: list[Node]) -> None:
    nobody = a_policy("nobody", priority=1000, nodeSelector={"matchLabels": {"zone": "nowhere"}})
    assert assign([*policies, nobody], nodes, {}) == assign(policies, nodes, {})
