"""Each check on a cluster that is well, and on one where what it looks for is wrong."""

from dataclasses import replace
from typing import Any

import pytest

from cases.fleets import a_condition, a_node
from cases.plugin_fleet import (
    BATCH,
    EMPTY,
    EVERYWHERE,
    MACHINES,
    NO_DAMON,
    Machine,
    a_fleet,
    a_lease,
    agent_pod,
    facts,
    installation,
    objects,
)
from terrace_api.codec import POLICIES, encode_condition
from terrace_api.node_tiering import EngineCapability, EngineName
from terrace_api.schema import object_schema
from terrace_kubectl import installed
from terrace_kubectl.doctor.checks import diagnose
from terrace_kubectl.doctor.facts import Facts, Lease, Workload
from terrace_kubectl.doctor.findings import Finding, Level

STORY = {machine.name: machine for machine in MACHINES}
OPERATOR = Workload(namespace="terrace-system", name="terrace-operator", wanted=1, ready=1, images=(), version="0.1.0")
LEASE = Lease(namespace="terrace-system", name="terrace-operator", holder="operator-0", renewed=True)
CRD = f"{POLICIES}.terrace.dev"


def well(*machines: Machine, policies: tuple[Any, ...] = (BATCH,), **changes: Any) -> Facts:
    """A cluster that is as it should be, but for what is given."""
    fleet = a_fleet(objects(policies=policies, machines=machines or (STORY["batch-1"],)))
    agents = installed.daemon_sets(installation(ready=9)["/apis/apps/v1/daemonsets"])
    return facts(fleet, **{"agents": agents, "agent_pods": {}, **changes})


def bad(found: Facts) -> list[Finding]:
    diagnosis = diagnose(found)
    problems = [one for one in diagnosis.findings if one.level is Level.PROBLEM]
    assert diagnosis.healthy == (not problems)
    assert all(one.cure for one in problems), "a problem without a cure helps nobody"
    return problems


def notes(found: Facts) -> dict[str, Finding]:
    return {one.topic: one for one in diagnose(found).findings if one.level is Level.NOTE}


def only(found: Facts) -> Finding:
    (one,) = bad(found)
    return one


def test_nothing_is_wrong_where_nothing_is_wrong() -> None:
    diagnosis = diagnose(well())
    assert diagnosis.healthy
    assert {one.level for one in diagnosis.findings} == {Level.GOOD}


def test_an_old_kubernetes() -> None:
    assert "1.31: an agent's token names its node since 1.32 only" in only(well(server_version=(1, 31))).what


@pytest.mark.parametrize(
    ("answer", "version"),
    [({"major": "1", "minor": "34"}, (1, 34)), ({"major": "1", "minor": "33+"}, (1, 33)), ({}, None)],
)
def test_the_version_of_the_api_server_as_vendors_spell_it(answer: dict[str, str], version: object) -> None:
    assert installed.server_version(answer) == version


def test_a_crd_that_is_missing_not_served_or_old() -> None:
    crds = dict(well().crds or {})
    known = crds[CRD]
    assert known is not None
    for changed, says in (
        (None, "it is not there"),
        (replace(known, established=False), "the API server does not serve it"),
        (
            replace(known, missing=("spec.a", "spec.b", "spec.c", "spec.d")),
            "lacks 4 fields (spec.a, spec.b, spec.c, ...)",
        ),
    ):
        assert says in only(well(crds=crds | {CRD: changed})).what
    assert (
        "2 fields are unknown here"
        in notes(well(crds=crds | {CRD: replace(known, newer=("a", "b"))}))[f"CRD {CRD}"].what
    )


def test_a_crd_is_compared_field_by_field() -> None:
    schema = object_schema(POLICIES)
    spec = schema["properties"]["spec"]
    fewer = {name: child for name, child in spec["properties"].items() if name != "youngFilter"}
    old = {**schema, "properties": {**schema["properties"], "spec": {**spec, "properties": fewer}}}
    for served, missing in ((schema, ()), (old, ("spec.youngFilter",))):
        versions = [{"name": "v1alpha1", "served": True, "schema": {"openAPIV3Schema": served}}]
        crd = installed.crd(POLICIES, {"metadata": {"name": CRD}, "spec": {"versions": versions}})
        assert (crd.missing, crd.newer, crd.established) == (missing, (), False)


def test_an_admission_policy_that_nothing_binds_does_not_count() -> None:
    policies = [{"metadata": {"name": "own-status"}}]
    binding = {"spec": {"policyName": "own-status", "validationActions": ["Deny"]}}
    audit = {"spec": {"policyName": "own-status", "validationActions": ["Audit"]}}
    assert [installed.enforced(policies, bound) for bound in ([binding], [audit], [])] == [("own-status",), (), ()]
    assert "an agent's token can write every node's status" in only(well(admission=())).what


@pytest.mark.parametrize(
    ("operators", "says"),
    [
        ((), "none is installed: policies reach no node"),
        (
            (replace(OPERATOR, ready=0),),
            "terrace-system/terrace-operator are ready: policies reach no node",
        ),
        ((replace(OPERATOR, wanted=2),), "1 of 2 pods of terrace-system/terrace-operator are ready"),
        ((replace(OPERATOR, wanted=0, ready=0),), "wants no pod"),
        ((OPERATOR, replace(OPERATOR, namespace="other")), "installed 2 times"),
    ],
)
def test_an_operator_that_does_not_run_or_is_there_twice(operators: tuple[Workload, ...], says: str) -> None:
    assert says in only(well(operators=operators)).what


@pytest.mark.parametrize(
    ("lease", "says"),
    [
        (replace(LEASE, holder=""), "nobody holds Lease terrace-system/terrace-operator: no operator writes"),
        (replace(LEASE, renewed=False), "operator-0 holds Lease terrace-system/terrace-operator and does not renew it"),
    ],
)
def test_operators_of_which_none_writes(lease: Lease, says: str) -> None:
    found = only(well(leases=(lease,)))
    assert (found.topic, found.what.startswith(says)) == ("Leader", True)


def test_the_lease_is_the_one_that_the_operator_is_told() -> None:
    there = installation()["/apis/apps/v1/deployments"] + installation()["/apis/apps/v1/daemonsets"]
    assert installed.lease_names(there) == (("terrace-system", "terrace-operator"),)


@pytest.mark.parametrize(
    ("first", "last", "holder", "renewed"),
    [
        (a_lease(version=1), a_lease(version=2), "terrace-operator-0", True),
        (a_lease(version=1), a_lease(version=1), "terrace-operator-0", False),
        (a_lease(version=1), a_lease(version=2, holder=""), "", True),
        (None, None, "", False),
        (None, a_lease(), "terrace-operator-0", False),
    ],
)
def test_a_lease_that_changed_between_two_looks_was_renewed(first: Any, last: Any, holder: str, renewed: bool) -> None:
    found = installed.lease("ns", "name", first, last)
    assert (found.holder, found.renewed) == (holder, renewed)


def test_another_version_on_the_cluster_is_worth_a_note() -> None:
    assert (
        "on the cluster 0.0.9, this plugin 0.1.0"
        in notes(well(operators=(replace(OPERATOR, version="0.0.9"),), agents=()))["Versions"].what
    )


@pytest.mark.parametrize(
    ("pods", "says"),
    [
        (None, "agents' pods may not be looked at"),
        ({}, "no report, and no agent's pod"),
        ({"web-6": installed.agent_pod(agent_pod("web-6"))}, "no report, although the agent's pod runs"),
        (
            {"web-6": installed.agent_pod(agent_pod("web-6", waiting="CrashLoopBackOff"))},
            "the agent's pod does not run (CrashLoopBackOff)",
        ),
    ],
)
def test_a_node_without_a_report_says_what_is_known_of_its_agent(pods: Any, says: str) -> None:
    found = well(STORY["batch-1"], STORY["web-6"], agent_pods=pods)
    (agents,) = [one for one in bad(found) if one.topic == "Agents"]
    assert says in agents.what
    assert agents.sample == ("web-6",)


def test_an_agent_that_has_not_answered() -> None:
    found = well()
    assert found.fleet is not None
    seen = found.fleet.seen["batch-1"]
    behind = replace(seen, tiering=replace(seen.tiering, generation=2))
    assert (
        only(replace(found, fleet=replace(found.fleet, seen={"batch-1": behind}))).what
        == "no answer to the current spec"
    )


@pytest.mark.parametrize(
    ("reason", "level", "says"),
    [
        ("AgentSilent", Level.PROBLEM, "AgentAlive=False: the agent missed three heartbeats, and no agent's pod"),
        ("NodeNotReady", Level.PROBLEM, "AgentAlive=False: the node is not ready"),
        ("NoAgent", Level.NOTE, "no agent's pod is there: not counted and not waited for"),
    ],
)
@pytest.mark.parametrize("heard", [True, False])
def test_nodes_of_whose_agent_the_operator_says_that_it_is_not_alive(
    reason: str, level: Level, says: str, heard: bool
) -> None:
    manifests = objects(policies=(BATCH,), machines=(STORY["batch-1"], replace(STORY["batch-2"], heard=heard)))
    tiering = manifests["/apis/terrace.dev/v1alpha1/nodetierings"][1]
    status = tiering.setdefault("status", {})
    status["conditions"] = [*status.get("conditions", ()), encode_condition(a_condition("AgentAlive", "False", reason))]
    diagnosis = diagnose(replace(well(), fleet=a_fleet(manifests)))
    (found,) = [one for one in diagnosis.findings if one.topic == "Agents" and one.sample]
    assert (found.level, found.sample) == (level, ("batch-2",))
    assert says in found.what


def test_a_node_that_the_operator_does_not_know() -> None:
    found = well()
    assert found.fleet is not None
    nodes = (*found.fleet.nodes, a_node("new"))
    assert only(replace(found, fleet=replace(found.fleet, nodes=nodes))).sample == ("new",)


def test_somebody_else_who_uses_damon_is_a_problem_and_an_old_kernel_is_none() -> None:
    found = well(*(STORY[name] for name in ("batch-1", "web-2", "web-3")), policies=(EVERYWHERE,))
    assert [(one.topic, one.sample) for one in bad(found)] == [("Engine", ("web-3",))]
    assert notes(found)["Engine"].sample == ("web-2",)


def test_a_cluster_on_which_nothing_can_be_tiered() -> None:
    found = well(STORY["web-2"], policies=(EVERYWHERE,))
    assert "a slow tier, and no engine can run on any of them" in {one.what for one in bad(found)}


def cannot(name: EngineName, reason: str) -> EngineCapability:
    return EngineCapability(name=name, available=False, reason=reason, message=f"{reason} says why.")


def engineless(*others: EngineCapability, first: EngineCapability = NO_DAMON, **changes: Any) -> Finding:
    """What is found of the engines of a node that can run none."""
    machine = replace(STORY["web-2"], engine=first, others=others)
    found = diagnose(well(machine, policies=(changes.pop("policy", EVERYWHERE),), **changes))
    (one,) = [one for one in found.findings if one.topic == "Engine"]
    assert one.sample == ("web-2",)
    return one


NO_SYS_ADMIN = cannot(EngineName.NUMA_BALANCING, "NoSysAdmin")
SILENT = cannot(EngineName.NUMA_BALANCING, "SidecarSilent")


def test_what_a_value_of_the_chart_cures_is_not_told_to_wait_for_another_kernel() -> None:
    one = engineless(NO_SYS_ADMIN, cannot(EngineName.MOVE_PAGES, "NoHostProc"))
    assert one.level is Level.NOTE
    assert one.what.startswith("NoDamonSysfs on kernel 6.1")
    first, second, third = one.cure.partition("; until then")[0].split("; or ")
    assert "numaBalancing.enabled=true" in first
    assert "movePages.enabled=true" in second
    assert third == "another kernel"


def test_an_engine_that_a_policy_does_not_allow_is_no_cure() -> None:
    only_numa_balancing = {**EVERYWHERE, "spec": {**EVERYWHERE["spec"], "engine": "NUMABalancing"}}
    one = engineless(NO_SYS_ADMIN, cannot(EngineName.MOVE_PAGES, "NoHostProc"), policy=only_numa_balancing)
    assert one.what.startswith("NoSysAdmin on kernel 6.1")
    assert "numaBalancing.enabled=true" in one.cure
    assert "another kernel" not in one.cure
    assert "movePages" not in one.cure


@pytest.mark.parametrize(
    ("changes", "log"),
    [
        ({"agent_pods": {"web-2": installed.agent_pod(agent_pod("web-2"))}}, "logs terrace-agent-web-2 -c relay"),
        ({"agent_pods": None}, "logs -l app.kubernetes.io/component=agent -c relay --prefix"),
    ],
)
def test_a_sidecar_that_does_not_answer_is_a_problem_with_the_command_to_see_its_log(
    changes: dict[str, Any], log: str
) -> None:
    one = engineless(SILENT, **changes)
    assert one.level is Level.PROBLEM
    assert f"kubectl -n terrace-system {log}" in one.cure
    assert "another kernel" in one.cure


def test_a_sidecar_that_is_not_needed_is_not_asked_for() -> None:
    found = well(STORY["batch-1"], replace(STORY["batch-2"], others=(SILENT,)))
    assert diagnose(found).healthy


@pytest.mark.parametrize(
    ("engine", "reason", "says"),
    [
        (EngineName.MOVE_PAGES, "NoHostPid", "movePages.enabled=true"),
        (EngineName.MOVE_PAGES, "NoPtrace", "movePages.enabled=true"),
        (EngineName.MOVE_PAGES, "Seccomp", "movePages.seccompProfile"),
        (EngineName.MOVE_PAGES, "NoTracker", "movePages.idlePages=true"),
        (EngineName.MOVE_PAGES, "NoMovePages", "another kernel"),
        (EngineName.NUMA_BALANCING, "CannotExclude", "without exclusions"),
        (EngineName.NUMA_BALANCING, "UntieredMemory", "spec.tiers"),
        (EngineName.DAMON, "ForeignKdamonds", "stop the other user of DAMON"),
        (EngineName.DAMON, "OfANewerAgent", "see the message"),
    ],
)
def test_a_reason_has_its_own_cure(engine: EngineName, reason: str, says: str) -> None:
    assert says in engineless(first=cannot(engine, reason)).cure


def test_nodes_with_different_cures_are_told_apart() -> None:
    machines = (replace(STORY["web-2"], others=(NO_SYS_ADMIN,)), replace(STORY["web-3"], engine=NO_DAMON, failure=None))
    found = diagnose(well(STORY["batch-1"], *machines, policies=(EVERYWHERE,)))
    cures = {one.sample: one.cure for one in found.findings if one.topic == "Engine"}
    assert ("numaBalancing" in cures["web-2",], "numaBalancing" in cures["web-3",]) == (True, False)


def test_tiers_against_the_kernels_order_are_a_note_with_two_ways_out() -> None:
    """The policy's word counts, and it may know better."""
    found = well(STORY["batch-1"], replace(STORY["batch-2"], inverted="nid 1 is slower."))
    assert bad(found) == []
    one = notes(found)["TiersInverted"]
    assert one.sample == ("batch-2",)
    assert one.what.endswith("against the kernel's: nid 1 is slower.")
    assert "swap" in one.cure
    assert "leave them" in one.cure


def test_single_tiers_guardrails_and_opted_out_nodes_are_notes() -> None:
    found = well(*(STORY[name] for name in ("batch-1", "batch-3", "web-4", "web-5")), policies=(BATCH, EVERYWHERE))
    assert bad(found) == []
    assert {topic: one.sample for topic, one in notes(found).items()} == {
        "Tiers": ("web-4",),
        "Guardrail": ("batch-3",),
        "Opted out": ("web-5",),
    }


def test_a_store_that_was_refused() -> None:
    topics = {one.topic: one for one in bad(well(STORY["batch-1"], STORY["web-1"], policies=(BATCH, EVERYWHERE)))}
    assert topics["Applied"].sample == ("web-1",)
    assert topics["Policy everywhere"].what.startswith("NodesDegraded: ")


def test_an_agent_that_does_not_know_all_fields() -> None:
    found = well()
    assert found.fleet is not None
    seen = found.fleet.seen["batch-1"]
    assert seen.status is not None
    old = replace(seen, status=replace(seen.status, unknown_fields=("spec.settings.newThing",)))
    problem = only(replace(found, fleet=replace(found.fleet, seen={"batch-1": old})))
    assert problem.what == "the agent does not know spec.settings.newThing"


def test_a_policy_that_selects_nothing_and_no_policy_at_all() -> None:
    assert only(well(policies=(BATCH, EMPTY))).topic == "Policy gpu-nodes"
    assert notes(well(policies=()))["Policies"].what == "there is none: nothing is tiered"


def test_a_trial_on_nodes_that_are_not_there_is_told_which_it_names() -> None:
    young = EMPTY["metadata"] | {"creationTimestamp": "2026-06-01T11:30:00Z"}
    trial = {
        **EMPTY,
        "metadata": young,
        "spec": {**EMPTY["spec"], "trial": {"nodeNames": ["node-a"], "duration": "1h"}},
    }
    assert only(well(policies=(BATCH, trial))).cure.startswith("spec.trial.nodeNames has node-a: ")


def test_a_policy_whose_nodes_follow_another_one_is_no_problem() -> None:
    found = well(STORY["batch-1"], policies=(BATCH, EVERYWHERE))
    assert bad(found) == []
    assert notes(found)["Policy everywhere"].what.startswith("Outranked: ")
    assert "raise spec.priority" in notes(found)["Policy everywhere"].cure


def test_a_policy_whose_nodes_all_opted_out_is_no_problem() -> None:
    found = well(STORY["web-5"], policies=(EVERYWHERE,))
    assert [one.topic for one in bad(found) if one.topic.startswith("Policy")] == []
    assert "1 node opted out by label" in notes(found)["Policy everywhere"].what
    assert "remove its label terrace.dev/tiering" in notes(found)["Policy everywhere"].cure


def test_a_policy_that_the_operator_has_not_looked_at() -> None:
    found = well()
    assert found.fleet is not None
    edited = tuple(replace(one, generation=9) for one in found.fleet.policies.valid)
    fleet = replace(found.fleet, policies=replace(found.fleet.policies, valid=edited))
    assert only(replace(found, fleet=fleet)).what.startswith("NotObserved: ")


def test_a_rollout_that_is_under_way_is_no_problem() -> None:
    slow = {**BATCH, "spec": {**BATCH["spec"], "rollout": {"canary": 1, "bake": "1h"}}}
    found = well(*(STORY[name] for name in ("batch-1", "batch-2")), policies=(slow,))
    assert bad(found) == []
    assert notes(found)["Policy batch"].what.startswith("Baking: ")


def test_what_may_not_be_looked_at_is_neither_good_nor_bad() -> None:
    unseen: dict[str, Any] = {
        "server_version": None,
        "crds": None,
        "admission": None,
        "operators": None,
        "leases": None,
        "agents": None,
    }
    diagnosis = diagnose(well(**unseen, unseen={"CRDs": "you may not look at it"}))
    assert diagnosis.healthy
    assert {one.level for one in diagnosis.findings} == {Level.GOOD, Level.UNKNOWN}
