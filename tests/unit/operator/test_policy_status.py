from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.fleets import (
    FAILED,
    NO_ENGINE,
    NOW,
    READY,
    a_condition,
    a_node,
    a_policy,
    a_report,
    a_tiering,
    an_invalid_policy,
    policies,
)
from terrace_api.codec import decode_policy_status, encode_policy_status
from terrace_api.conditions import Condition
from terrace_api.node_tiering import EngineName
from terrace_api.policy import TieringPolicyStatus
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.decide import decide, held_specs
from terrace_operator.fleet import Node, Policies, Report, Tiering
from terrace_operator.statuses import policy_statuses

BATCH = a_policy("batch", generation=3)
SPEC = compile_spec(BATCH)
GIB = 2**30
IS_READY = a_report(READY, revision=SPEC.revision, promoted=3 * GIB, demoted=GIB)
UNSUPPORTED = a_report(NO_ENGINE, engine=EngineName.NONE)
DEGRADED = a_report(FAILED, a_condition("Ready", "False"))
CONVERGING = a_report(a_condition("Ready", "False", "Converging", "8 s to go"), revision=SPEC.revision)


def statuses(known: Policies, nodes: list[Node], tierings: list[Tiering], now: str = NOW) -> dict[str, Any]:
    found = {tiering.name: tiering for tiering in tierings}
    decisions = decide(known.valid, nodes, held_specs(known.invalid, tierings))
    return {write.name: write.after for write in policy_statuses(known, decisions, found, now)}


def status_of(*reports: Report | None, known: Policies | None = None, now: str = NOW) -> TieringPolicyStatus:
    nodes = [a_node(f"n{i}") for i in range(len(reports))]
    tierings = [a_tiering(node, SPEC, report) for node, report in zip(nodes, reports, strict=True)]
    found: TieringPolicyStatus = statuses(known or policies(BATCH), nodes, tierings, now)["batch"]
    return found


def condition(status: TieringPolicyStatus, type_: str) -> Condition:
    return next(found for found in status.conditions if found.type == type_)


def test_numbers_and_columns_say_the_same() -> None:
    status = status_of(IS_READY, IS_READY, CONVERGING, None)
    assert (status.nodes, status.updated_nodes, status.ready_nodes) == (4, 3, 2)
    assert (status.updated, status.ready) == ("3/4", "2/4")
    assert (status.promoted_bytes, status.promoted, status.demoted) == (6 * GIB, "6Gi", "2Gi")
    assert (status.engines, status.revision, status.observed_generation) == ("damon=3", SPEC.revision, 3)


def test_unsupported_nodes_are_not_waited_for() -> None:
    status = status_of(IS_READY, UNSUPPORTED)
    assert (status.nodes, status.ready, status.updated, status.unsupported_nodes) == (2, "1/1", "1/1", 1)
    ready = condition(status, "Ready")
    assert (ready.status, ready.reason) == ("True", "AllNodesReady")
    assert "n1 (NoDAMON: this kernel has no DAMON" in ready.message
    assert condition(status, "Degraded").status == "False"


@pytest.mark.parametrize(
    ("reports", "reason"),
    [
        ((), "NoMatchingNodes"),
        ((UNSUPPORTED, UNSUPPORTED), "NoSupportedNodes"),
        ((IS_READY, DEGRADED, None), "NodesDegraded"),
        ((IS_READY, None, CONVERGING), "NodesUpdating"),
        ((IS_READY, CONVERGING), "NodesNotReady"),
    ],
)
def test_a_policy_is_not_ready_for_the_first_of_these_reasons(reports: tuple[Report | None, ...], reason: str) -> None:
    ready = condition(status_of(*reports), "Ready")
    assert (ready.status, ready.reason) == ("False", reason)


def test_a_degraded_node_is_named_with_what_it_said() -> None:
    degraded = condition(status_of(IS_READY, DEGRADED), "Degraded")
    assert (degraded.status, degraded.reason) == ("True", "NodesDegraded")
    assert degraded.message == "1 node refused or failed: n1 (StoreRefused: storing 'on' in state: EBUSY)"


def test_progress_ends_when_every_node_has_answered() -> None:
    assert condition(status_of(IS_READY, None), "Progressing").status == "True"
    assert condition(status_of(IS_READY, DEGRADED, CONVERGING), "Progressing").status == "False"


def test_a_message_names_a_few_nodes_and_counts_the_rest() -> None:
    message = condition(status_of(*[None] * 12), "Ready").message
    assert message.startswith("waiting for 12 nodes: n0 (NoReport")
    assert message.endswith("and 9 more")
    assert len(condition(status_of(*[None] * 500), "Ready").message) < 1000


def test_a_loser_is_told_the_winners_name_and_how_many_nodes() -> None:
    winner = a_policy("prod", priority=1, nodeSelector={"matchLabels": {"zone": "a"}})
    nodes = [a_node("n0", zone="a"), a_node("n1", zone="a"), a_node("n2", zone="b")]
    found = statuses(policies(BATCH, winner), nodes, [])
    assert (found["batch"].nodes, found["batch"].conflicted_nodes) == (1, 2)
    conflicted = condition(found["batch"], "Conflicted")
    assert (conflicted.status, conflicted.reason) == ("True", "Outranked")
    assert conflicted.message == "2 nodes that it selects follow another policy: prod (2 nodes)"
    assert (found["prod"].nodes, found["prod"].conflicted_nodes) == (2, 0)
    assert condition(found["prod"], "Conflicted").status == "False"


def test_a_policy_that_lost_every_node_says_so() -> None:
    found = statuses(policies(BATCH, a_policy("prod", priority=1)), [a_node("n0")], [])
    ready = condition(found["batch"], "Ready")
    assert (ready.status, ready.reason) == ("False", "Outranked")
    assert "prod (1 node)" in ready.message


def test_nodes_that_opted_out_are_mentioned_and_not_counted() -> None:
    out = replace(a_node("n0"), labels={"terrace.dev/tiering": "disabled"})
    status = statuses(policies(BATCH), [out], [a_tiering(out, RESTORE)])["batch"]
    assert (status.nodes, status.conflicted_nodes) == (0, 0)
    assert condition(status, "Ready").message == "no node is selected; 1 node opted out by label"


def test_an_unreadable_policy_says_what_is_wrong_and_keeps_its_nodes() -> None:
    broken, node = an_invalid_policy("batch"), a_node("n0")
    status = statuses(policies(invalid=(broken,)), [node], [a_tiering(node, SPEC, IS_READY)])["batch"]
    ready = condition(status, "Ready")
    assert (ready.status, ready.reason) == ("False", "Invalid")
    assert ready.message == "spec.quota.size: must be at least 1Mi. Nodes that follow it keep what they have: 1"
    assert (status.nodes, status.ready, status.observed_generation) == (1, "1/1", 2)


def test_transition_times_move_only_with_the_status_of_a_condition() -> None:
    before = status_of(IS_READY, None)
    known = replace(policies(BATCH), statuses={BATCH.uid: before})
    later = "2026-06-01T13:00:00Z"
    same = status_of(IS_READY, CONVERGING, known=known, now=later)
    assert condition(same, "Ready").last_transition_time == NOW
    assert condition(same, "Progressing").last_transition_time == later
    ready = status_of(IS_READY, IS_READY, known=known, now=later)
    assert condition(ready, "Ready").last_transition_time == later


def test_a_status_that_is_not_for_the_current_spec_does_not_count() -> None:
    nodes = [a_node("n0")]
    stale = a_tiering(nodes[0], SPEC, IS_READY, generation=2)
    status = statuses(policies(BATCH), nodes, [stale])["batch"]
    assert (status.ready_nodes, status.updated_nodes, status.engines) == (0, 0, "")
    assert status.promoted_bytes == 3 * GIB


any_report = st.sampled_from([None, IS_READY, UNSUPPORTED, DEGRADED, CONVERGING])


@given(reports=st.lists(any_report, max_size=8))
def test_ready_means_that_every_node_that_can_is(reports: list[Report | None]) -> None:
    status = status_of(*reports)
    able = [report for report in reports if report is not UNSUPPORTED]
    expected = bool(able) and all(report is IS_READY for report in able)
    assert (condition(status, "Ready").status == "True") is expected
    assert (status.ready == f"{len(able)}/{len(able)}" and bool(able)) is expected


@given(reports=st.lists(any_report, max_size=8))
def test_every_status_survives_the_api_server(reports: list[Report | None]) -> None:
    status = status_of(*reports)
    assert decode_policy_status(encode_policy_status(status)) == status
    assert {found.type for found in status.conditions} == {"Ready", "Progressing", "Degraded", "Conflicted"}
    assert all(found.message and found.reason for found in status.conditions)
