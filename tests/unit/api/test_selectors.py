"""Label selectors decide as the API server does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrace_api.selectors import LabelSelector, Operator, Requirement, matches, opted_out

LABELS = {"zone": "a", "memory": "cxl"}
KEYS = st.sampled_from(["zone", "memory", "gpu"])
VALUES = st.sampled_from(["a", "b", "cxl"])
SOME_LABELS = st.dictionaries(KEYS, VALUES)


def expression(key: str, operator: Operator, *values: str) -> LabelSelector:
    return LabelSelector(match_expressions=(Requirement(key=key, operator=operator, values=values or None),))


@pytest.mark.parametrize(
    ("selector", "matched"),
    [
        (LabelSelector(match_labels=(("zone", "a"),)), True),
        (LabelSelector(match_labels=(("zone", "b"),)), False),
        (LabelSelector(match_labels=(("gpu", "x"), ("zone", "a"))), False),
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
        match_labels=(("zone", "a"),), match_expressions=(Requirement(key="gpu", operator=Operator.EXISTS),)
    )
    assert not matches(selector, LABELS)


@pytest.mark.parametrize(
    "empty", [LabelSelector(), LabelSelector(match_labels=()), LabelSelector(match_expressions=())]
)
def test_an_empty_selector_selects_nothing(empty: LabelSelector) -> None:
    assert not matches(empty, LABELS)


def test_only_the_exact_label_opts_out() -> None:
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
    assert matches(LabelSelector(match_labels=tuple(wanted.items())), labels) is matches(spelled_out, labels)
