"""Which nodes a policy selects."""

from cases.fleets import a_node, a_policy
from terrace_operator.select import selects


def test_all_nodes_selects_a_node_without_labels() -> None:
    assert selects(a_policy("all", allNodes=True).spec, a_node("a"))


def test_a_selector_beside_all_nodes_false_decides() -> None:
    spec = a_policy("some", allNodes=False, nodeSelector={"matchLabels": {"zone": "a"}}).spec
    assert selects(spec, a_node("n", zone="a"))
    assert not selects(spec, a_node("n", zone="b"))


def test_a_trial_selects_the_nodes_that_it_names_within_its_selection() -> None:
    trial = {"nodeNames": ["n1", "n2"], "duration": "1h"}
    spec = a_policy("some", nodeSelector={"matchLabels": {"zone": "a"}}, trial=trial).spec
    assert selects(spec, a_node("n1", zone="a"))
    assert not selects(spec, a_node("n2", zone="b"))
    assert not selects(spec, a_node("n3", zone="a"))
