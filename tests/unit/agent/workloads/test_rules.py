"""What rules and the label say of one pod."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.pods import a_pod, exclude, known, labelled, opted_out, tier
from terrace_agent.workloads.rules import decide, decide_unknown, matches
from terrace_agent.workloads.values import Pod
from terrace_api.workloads import Match, QosClass, WorkloadAction, WorkloadRule

EVERYTHING_ASKED = Match(
    namespaces=("shop", "bank"),
    pod_selector=labelled(app="db").pod_selector,
    qos_classes=(QosClass.GUARANTEED,),
    priority_classes=("high",),
)
DATABASE: dict[str, Any] = {"labels": {"app": "db"}, "qos_class": QosClass.GUARANTEED, "priority_class": "high"}


def test_without_rules_every_pod_is_tiered() -> None:
    decision = decide((), a_pod())
    assert (decision.tiered, decision.rule, decision.why) == (True, "", "")
    assert (decision.namespace, decision.name) == ("shop", "web-1")


def test_the_first_rule_that_matches_decides() -> None:
    rules = (tier("databases", labelled(app="db")), exclude("shop", Match(namespaces=("shop",))), tier("rest"))
    assert decide(rules, a_pod(labels={"app": "db"})).rule == "databases"
    assert (decide(rules, a_pod()).tiered, decide(rules, a_pod()).rule) == (False, "shop")
    assert decide(rules, a_pod(namespace="bank")).rule == "rest"


def test_a_decision_says_why() -> None:
    assert decide((exclude("mine"),), a_pod()).why == "Exclude by rule mine"
    assert decide((exclude("mine", labelled(app="db")),), a_pod()).why == "no rule matches"
    assert decide((), opted_out()).why == "label terrace.dev/tiering: disabled"


def test_a_pod_that_no_rule_matches_is_tiered() -> None:
    assert decide((exclude("db", labelled(app="db")),), a_pod()).tiered


def test_the_label_wins_over_every_rule() -> None:
    decision = decide((tier("everything"),), opted_out())
    assert (decision.tiered, decision.rule) == (False, "")


def test_another_value_of_the_label_means_nothing() -> None:
    assert decide((), a_pod(labels={"terrace.dev/tiering": "enabled"})).tiered


@pytest.mark.parametrize(
    "other",
    [
        {"namespace": "kube-system"},
        {"labels": {"app": "web"}},
        {"qos_class": QosClass.BURSTABLE},
        {"qos_class": None},
        {"priority_class": "low"},
    ],
)
def test_a_pod_must_have_all_that_is_asked_for(other: dict[str, Any]) -> None:
    assert matches(EVERYTHING_ASKED, a_pod(**DATABASE))
    assert not matches(EVERYTHING_ASKED, a_pod(**DATABASE | other))


def test_a_pod_that_nobody_named_is_left_alone_where_it_could_be_excluded() -> None:
    assert not decide_unknown((exclude(),), known(), "u").tiered
    assert not decide_unknown((), known(is_current=False), "u").tiered
    assert not decide_unknown((exclude(),), None, "u").tiered


def test_a_pod_that_nobody_named_is_tiered_where_only_its_label_could_exclude_it() -> None:
    assert decide_unknown((), known(), "u").tiered
    assert decide_unknown((tier(),), None, "u").tiered


VALUES = st.sampled_from(["a", "b", "c"])
PODS = st.builds(
    a_pod,
    namespace=VALUES,
    labels=st.dictionaries(st.sampled_from(["app", "terrace.dev/tiering"]), st.sampled_from(["a", "disabled"])),
    qos_class=st.sampled_from(QosClass),
    priority_class=VALUES,
)
MATCHES = st.none() | st.builds(
    Match,
    namespaces=st.none() | st.lists(VALUES, min_size=1).map(tuple),
    pod_selector=st.sampled_from([None, labelled(app="a").pod_selector]),
    qos_classes=st.none() | st.lists(st.sampled_from(QosClass), min_size=1).map(tuple),
    priority_classes=st.none() | st.lists(VALUES, min_size=1).map(tuple),
)
RULES = st.lists(
    st.builds(WorkloadRule, name=st.uuids().map(str), action=st.sampled_from(WorkloadAction), match=MATCHES), max_size=5
).map(tuple)


@given(RULES, PODS)
def test_no_rule_before_the_deciding_one_matches(rules: tuple[WorkloadRule, ...], pod: Pod) -> None:
    decision = decide(rules, pod)
    if pod.labels.get("terrace.dev/tiering") == "disabled":
        assert (decision.tiered, decision.rule) == (False, "")
        return
    before = [rule.name for rule in rules].index(decision.rule) if decision.rule else len(rules)
    assert not any(matches(rule.match, pod) for rule in rules[:before])
    assert decision.tiered == (not decision.rule or rules[before].action is WorkloadAction.TIER)


@given(RULES, PODS, RULES)
def test_rules_after_the_deciding_one_change_nothing(
    rules: tuple[WorkloadRule, ...], pod: Pod, more: tuple[WorkloadRule, ...]
) -> None:
    decision = decide(rules, pod)
    if decision.rule:
        assert decide(rules + more, pod) == decision
