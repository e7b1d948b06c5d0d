import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.fleets import a_node, a_policy
from terrace_api.policy import LabelSelector, Operator, Requirement
from terrace_operator.select import matches, opted_out, selects

LABELS = {"zone": "a", "memory": "cxl"}
KEYS = st.sampled_from(["zone", "memory", "gpu"])
VALUES = st.sampled_from(["a", "b", "cxl"])
SOME_LABELS = st.dictionaries(KEYS, VALUES)


def expression(key: str, operator: Operator, *values: str) -> LabelSelector:
    return LabelSelector(match_expressions=(Requirement(key=key, operator=operator, values=values or None),))


@pytest.mark.parametrize(
    ("selector", "matched"),
    [
        (LabelSelector(match_labels={"zone": "a"}), True),
        (LabelSelector(match_labels={"zone": "b"}), False),
        (LabelSelector(match_labels={"zone": "a", "gpu": "x"}), False),
        (expression("zone", Operator.IN, "b", "a"), True),
        (expression("gpu", Operator.IN, "a"), False),
        (expression("zone", Operator.NOT_IN, "b"), True),
        (expression("zone", Operator.NOT_IN, "a"), False),
        (expression("zone", Operator.EXISTS), True),
        (expression("gpu", Operator.EXISTS), False),
        (expression("gpu", Operator.DOES_NOT_EXIST), True),
        (expression("zone", Operator.DOES_NOT_EXIST), False),
    ],
)
def test_a_selector_matches_as_the_api_server_does(selector: LabelSelector, matched: bool) -> None:
    assert matches(selector, LABELS) is matched


def test_not_in_is_met_by_a_node_without_the_label() -> None:
    assert matches(expression("gpu", Operator.NOT_IN, "a"), LABELS)


def test_labels_and_expressions_must_all_be_met() -> None:
    selector = LabelSelector(
        match_labels={"zone": "a"}, match_expressions=(Requirement(key="gpu", operator=Operator.EXISTS),)
    )
    assert not matches(selector, LABELS)


@pytest.mark.parametrize(
    "empty", [LabelSelector(), LabelSelector(match_labels={}), LabelSelector(match_expressions=())]
)
def test_an_empty_selector_selects_nothing(empty: LabelSelector) -> None:
    assert not matches(empty, LABELS)


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


def test_only_the_exact_label_opts_a_node_out() -> None:
    assert opted_out({"terrace.dev/tiering": "disabled"})
    assert not opted_out({"terrace.dev/tiering": "enabled"})
    assert not opted_out({})


@given(labels=SOME_LABELS, key=KEYS, values=st.sets(VALUES, min_size=1))
def test_in_and_not_in_are_opposites(labels: dict[str, str], key: str, values: set[str]) -> None:
    assert matches(expression(key, Operator.IN, *values), labels) is not matches(
        expression(key, Operator.NOT_IN, *values), labels
    )


@given(labels=SOME_LABELS, wanted=st.dictionaries(KEYS, VALUES, min_size=1))
def test_match_labels_says_the_same_as_in_with_one_value(labels: dict[str, str], wanted: dict[str, str]) -> None:
    spelled_out = LabelSelector(
        match_expressions=tuple(Requirement(key=k, operator=Operator.IN, values=(v,)) for k, v in wanted.items())
    )
    assert matches(LabelSelector(match_labels=wanted), labels) is matches(spelled_out, labels)
