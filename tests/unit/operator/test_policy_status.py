from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.fleets import (
    FAILED,
    NO_AGENTS_MISSING,
    NO_ENGINE,
    NOW,
    READY,
    a_condition,
    a_node,
    a_policy,
    a_report,
    a_status,
    a_tiering,
    an_invalid_policy,
    policies,
    proven,
    statuses,
)
from cases.rehearsal import Rehearsal
from terrace_api.codec import decode_policy_status, encode_policy_status
from terrace_api.conditions import Condition
from terrace_api.node_tiering import EngineName
from terrace_api.policy_status import Stopped, TieringPolicyStatus
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.fleet import Agent, Agents, Policies, Report

BATCH = a_policy("batch", generation=3)
SPEC = compile_spec(BATCH)
GIB = 2**30
IS_READY = a_report(READY, revision=SPEC.revision, promoted=3 * GIB, demoted=GIB)
UNSUPPORTED = a_report(NO_ENGINE, engine=EngineName.NONE)
DEGRADED = a_report(FAILED, a_condition("Ready", "False"))
CONVERGING = a_report(a_condition("Ready", "False", "Converging", "8 s to go"), revision=SPEC.revision)


def status_of(
    *reports: Report | None, known: Policies | None = None, now: str = NOW, agents: Agents = NO_AGENTS_MISSING
) -> TieringPolicyStatus:
    nodes = [a_node(f"n{i}") for i in range(len(reports))]
    tierings = [a_tiering(node, SPEC, report) for node, report in zip(nodes, reports, strict=True)]
    return statuses(known or proven(BATCH), nodes, tierings, now=now, agents=agents)["batch"]


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


def test_a_policy_whose_tiers_contradict_the_kernel_says_where() -> None:
    inverted = replace(IS_READY, conditions=(*IS_READY.conditions, a_condition("TiersInverted", "True")))
    other = replace(IS_READY, conditions=(*IS_READY.conditions, a_condition("TiersInverted", "False")))
    ready = condition(status_of(inverted, other, inverted, IS_READY), "Ready")
    assert (ready.status, ready.reason) == ("True", "AllNodesReady")
    assert "; on 2 nodes the order of tiers is against the kernel's (see TiersInverted there): n0, n2" in ready.message
    assert "kernel" not in condition(status_of(other), "Ready").message


def test_progress_ends_when_every_node_has_answered() -> None:
    assert condition(status_of(IS_READY, None), "Progressing").status == "True"
    assert condition(status_of(IS_READY, DEGRADED, CONVERGING), "Progressing").status == "False"


def progress(status: TieringPolicyStatus) -> tuple[str, str]:
    found = condition(status, "Progressing")
    assert found.reason == "Settled"
    return found.status, found.message


def test_the_end_of_progress_is_said_of_those_who_answered_only() -> None:
    answered = "every node has answered the current revision"
    assert progress(status_of(IS_READY, DEGRADED)) == ("False", answered)
    silent = {"n1": Agent.SILENT}
    assert progress(status_of(IS_READY, IS_READY, agents=silent)) == (
        "False",
        "every node that is heard of has answered the current revision; nothing is heard of 1 node: n1 (AgentSilent: "
        "its agent missed three heartbeats; look at the agent's pod on that node)",
    )
    assert progress(status_of(IS_READY, IS_READY, agents=silent | {"n0": Agent.SILENT}))[1].startswith(
        "nothing is heard of 2 nodes: n0"
    )


def test_a_policy_without_nodes_has_no_progress_to_tell_of() -> None:
    assert progress(status_of()) == ("False", "no node follows it")


def test_a_policy_that_is_not_in_force_has_no_progress_to_tell_of() -> None:
    node = a_node("n0")
    found = statuses(policies(invalid=(an_invalid_policy("batch"),)), [node], [a_tiering(node, SPEC, IS_READY)])
    assert progress(found["batch"]) == ("False", "it is not in force: no revision is on its way")


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


@pytest.mark.parametrize("agent", [Agent.SILENT, Agent.NODE_NOT_READY])
def test_a_node_that_is_not_heard_of_is_neither_ready_nor_waited_for(agent: Agent) -> None:
    status = status_of(IS_READY, IS_READY, agents={"n1": agent})
    assert (status.nodes, status.silent_nodes, status.ready, status.updated) == (2, 1, "1/1", "1/1")
    ready = condition(status, "Ready")
    assert ready.status == "True"
    assert f"nothing is heard of 1 node: n1 ({agent.value}" in ready.message
    assert condition(status, "Degraded").status == "False"


def test_a_policy_of_silent_nodes_only_is_not_ready() -> None:
    ready = condition(status_of(IS_READY, agents={"n0": Agent.SILENT}), "Ready")
    assert (ready.status, ready.reason) == ("False", "NoSupportedNodes")


def test_a_node_without_an_agent_is_mentioned_and_not_counted() -> None:
    status = status_of(IS_READY, None, agents={"n1": Agent.NONE})
    assert (status.nodes, status.ready) == (1, "1/1")
    assert condition(status, "Ready").message.endswith("; no agent runs on 1 node")


def test_a_problem_is_named_once_with_up_to_ten_nodes() -> None:
    status = status_of(*[DEGRADED] * 12, UNSUPPORTED, IS_READY, agents={"n13": Agent.SILENT})
    found = [(one.state, one.reason, one.nodes, len(one.sample)) for one in status.problems]
    assert found == [
        ("Degraded", "StoreRefused", 12, 10),
        ("Silent", "AgentSilent", 1, 1),
        ("Unsupported", "NoDAMON", 1, 1),
    ]
    assert status.problems[0].message == "storing 'on' in state: EBUSY"
    assert status.problems[2].sample == ("n12",)


def test_ready_nodes_are_no_problem() -> None:
    assert status_of(IS_READY, IS_READY).problems == ()


def test_a_rollout_is_told_in_ready_and_progressing() -> None:
    on = Rehearsal()
    on.add("n0", "n1", "n2")
    on.put(BATCH)
    on.step()
    on.answer("n0")
    on.step()
    status = on.statuses[BATCH.uid]
    assert [condition(status, type_).reason for type_ in ("Ready", "Progressing")] == ["Baking", "Baking"]
    assert "is well on 1 of 3 nodes; when it has been so for 2m, the next of 2 nodes get it" in (
        condition(status, "Progressing").message
    )
    assert (status.updated, status.ready, status.problems) == ("1/3", "1/3", ())


def test_a_node_that_fails_what_it_keeps_is_degraded_although_it_waits() -> None:
    on = Rehearsal()
    on.add("n0", "n1")
    on.put(BATCH)
    for _ in range(6):
        on.step()
        on.answer_all()
        on.now_s += 120
    on.put(a_policy("batch", generation=4, mode="Enforce", paused=True))
    on.answer("n1", FAILED)
    on.step()
    status = on.statuses[BATCH.uid]
    assert (status.degraded_nodes, status.updated) == (1, "0/2")
    assert condition(status, "Ready").reason == "NodesDegraded"
    assert condition(status, "Progressing").reason == "Paused"


def test_a_failed_rollout_is_degraded_with_what_the_node_said() -> None:
    on = Rehearsal()
    on.add("n0", "n1")
    on.put(BATCH)
    on.step()
    on.answer("n0", FAILED)
    on.step()
    on.now_s += 30
    on.step()
    status = on.statuses[BATCH.uid]
    for type_, expected in (("Ready", "False"), ("Progressing", "False"), ("Degraded", "True")):
        found = condition(status, type_)
        assert (found.status, found.reason) == (expected, "RolloutStopped")
        assert "n0 (StoreRefused: storing 'on' in state: EBUSY)" in found.message
        assert "edit the policy to go on" in found.message


def test_a_trial_that_ended_says_when_and_what_to_do() -> None:
    trial = a_policy("trial", created="2026-06-01T10:00:00Z", trial={"nodeNames": ["n0"], "duration": "1h"})
    during = statuses(policies(trial), [a_node("n0")], now="2026-06-01T10:59:59Z")["trial"]
    assert (during.nodes, condition(during, "Ready").reason) == (1, "NodesUpdating")
    status = statuses(policies(trial), [a_node("n0")], now="2026-06-01T11:00:00Z")["trial"]
    ready = condition(status, "Ready")
    assert (status.nodes, ready.status, ready.reason) == (0, "False", "TrialEnded")
    assert "ended at 2026-06-01T11:00:00Z" in ready.message


def test_what_is_remembered_survives_a_policy_that_cannot_be_read() -> None:
    before = a_status(good=BATCH, stopped=Stopped(generation=3, revision="r", nodes=("n0",), message="failed"))
    known = Policies(invalid=(an_invalid_policy("batch"),), statuses={BATCH.uid: before})
    status = statuses(known, [], [])["batch"]
    assert (status.last_good, status.stopped) == (before.last_good, before.stopped)


def test_an_unreadable_policy_says_what_is_wrong_and_keeps_its_nodes() -> None:
    broken, node = an_invalid_policy("batch"), a_node("n0")
    status = statuses(policies(invalid=(broken,)), [node], [a_tiering(node, SPEC, IS_READY)])["batch"]
    ready = condition(status, "Ready")
    assert (ready.status, ready.reason) == ("False", "Invalid")
    assert ready.message == "spec.quota.size: must be at least 1Mi. Nodes that follow it keep what they have: 1"
    assert (status.nodes, status.ready, status.observed_generation) == (1, "1/1", 2)


def test_transition_times_move_only_with_the_status_of_a_condition() -> None:
    before = status_of(IS_READY, None)
    known = replace(proven(BATCH), statuses={BATCH.uid: before})
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
