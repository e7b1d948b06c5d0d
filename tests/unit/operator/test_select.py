"""Which nodes a policy selects."""

from cases.fleets import a_policy
from terrace_operator.select import selects


def test_all_nodes_selects_a_node_without_labels() -> None:
    assert selects(a_policy("all", allNodes=True).spec, {})


def test_a_selector_beside_all_nodes_false_decides() -> None:
    spec = a_policy("some", allNodes=False, nodeSelector={"matchLabels": {"zone": "a"}}).spec
    assert selects(spec, {"zone": "a"})
    assert not selects(spec, {"zone": "b"})
