"""The operator beside a real API server and garbage collector: whatever happens, the NodeTierings come out right."""

import json
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
import yaml

from cluster.operating import World, a_node, a_policy, installed
from testbed.cluster import Cluster

POLICY_CRD = "tieringpolicies.terrace.dev"
GARBAGE_S = 60
"""The garbage collector looks for new kinds twice a minute."""
pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module", autouse=True)
def chart_parts(cluster: Cluster) -> Iterator[None]:
    with installed(cluster, "crds", "operator-rbac"):
        yield


@pytest.fixture(scope="module")
def operating(cluster: Cluster, chart_parts: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running operator."""
    found = World(cluster=cluster, directory=tmp_path_factory.mktemp("operator"))
    found.start_operator()
    yield found
    for daemon in found.running:
        daemon.stop()


@pytest.fixture
def world(operating: World) -> Iterator[World]:
    """A running operator, and nodes a and b in zones of the same names."""
    found = operating
    found.apply(a_node("a", zone="a"), a_node("b", zone="b"))
    yield found
    found.clear()
    found.until(lambda: not found.every("nodetiering"), "no NodeTiering", GARBAGE_S)


def test_every_node_has_a_node_tiering_that_it_owns(world: World) -> None:
    world.until(lambda: world.follows("a", None) and world.follows("b", None), "two NodeTierings")
    metadata = world.get("nodetiering", "a")["metadata"]
    node = world.get("node", "a")["metadata"]
    assert metadata["ownerReferences"] == [{"apiVersion": "v1", "kind": "Node", "name": "a", "uid": node["uid"]}]
    assert [found["manager"] for found in metadata["managedFields"]] == ["terrace-operator"]


def test_a_policy_reaches_its_nodes_with_what_is_not_default(world: World) -> None:
    world.apply(a_policy("batch", zone="a", mode="Enforce", quota={"size": "300Mi"}))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    assert world.spec("a")["settings"] == {"mode": "Enforce", "quota": {"size": "300Mi"}}
    world.until(lambda: world.follows("b", None), "nothing on b")


def test_a_policy_is_in_its_nodes_specs_within_two_seconds(world: World) -> None:
    world.until(lambda: world.follows("a", None), "the operator")
    world.apply(a_policy("batch"))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    [*_, applied_s] = written_at_s(world, "tieringpolicies", "batch", "create")
    told_s = next(at_s for at_s in written_at_s(world, "nodetierings", "a", "patch") if at_s > applied_s)
    assert told_s - applied_s < 2.0


def written_at_s(world: World, resource: str, name: str, verb: str) -> list[float]:
    """When the API server had each such write, by its own clock: the time of the tests' kubectl is left out."""
    lines = map(json.loads, world.cluster.layout.audit_log.read_text().splitlines())
    found = [line for line in lines if line["verb"] == verb and line.get("objectRef", {}).get("name") == name]
    return [
        datetime.fromisoformat(line["stageTimestamp"]).timestamp()
        for line in found
        if (line["objectRef"]["resource"], line["responseStatus"]["code"] < 300) == (resource, True)
    ]


def test_a_policy_gets_nothing_from_the_operator_but_its_status(world: World) -> None:
    world.apply(a_policy("batch"))
    world.until(lambda: world.condition("batch", "Ready") != {}, "a status")
    found = world.get("tieringpolicy", "batch")
    by_operator = [part for part in found["metadata"]["managedFields"] if part["manager"] == "terrace-operator"]
    assert [(part["subresource"], part["operation"]) for part in by_operator] == [("status", "Apply")]
    assert "finalizers" not in found["metadata"]
    assert list(found["metadata"]["annotations"]) == ["kubectl.kubernetes.io/last-applied-configuration"]


def test_a_relabelled_node_changes_hands(world: World) -> None:
    world.apply(a_policy("batch", zone="a"))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    world.cluster.kubectl("label", "node", "a", "zone=b", "--overwrite")
    world.cluster.kubectl("label", "node", "b", "zone=a", "--overwrite")
    world.until(lambda: world.follows("a", None) and world.follows("b", "batch"), "the policy on b instead")


def test_the_opt_out_label_restores_a_node(world: World) -> None:
    world.apply(a_policy("batch"))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    world.cluster.kubectl("label", "node", "a", "terrace.dev/tiering=disabled")
    world.until(lambda: world.follows("a", None), "a to be restored")
    world.cluster.kubectl("label", "node", "a", "terrace.dev/tiering-")
    world.until(lambda: world.follows("a", "batch"), "the policy on a again")


def test_nodes_come_and_go(world: World) -> None:
    world.apply(a_policy("batch"))
    world.apply(a_node("c"))
    world.until(lambda: world.follows("c", "batch"), "the policy on c")
    world.delete("node", "c")
    world.until(lambda: world.get("nodetiering", "c") == {}, "the garbage collector", GARBAGE_S)
    time.sleep(1)
    assert world.get("nodetiering", "c") == {}, "nothing makes it again"


def test_a_node_that_registers_anew_gets_a_new_object_without_the_old_status(world: World) -> None:
    world.apply(a_policy("batch"))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    world.answer("a", ("Ready", "True", "Converged"))
    first = world.get("nodetiering", "a")["metadata"]["uid"]
    world.delete("node", "a")
    world.apply(a_node("a", zone="a"))
    world.until(
        lambda: world.get("nodetiering", "a").get("metadata", {}).get("uid", first) != first, "a new object", GARBAGE_S
    )
    found = world.get("nodetiering", "a")
    assert found["metadata"]["ownerReferences"][0]["uid"] == world.get("node", "a")["metadata"]["uid"]
    assert found["spec"]["policy"]["name"] == "batch"
    assert "status" not in found


def test_an_edited_policy_is_a_new_revision_and_a_deleted_one_restores(world: World) -> None:
    world.apply(a_policy("batch"))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    first = world.spec("a")["revision"]
    world.apply(a_policy("batch", mode="Enforce"))
    world.until(lambda: world.spec("a")["revision"] != first, "another revision")
    assert world.get("tieringpolicy", "batch")["metadata"]["generation"] == 2
    world.until(
        lambda: world.get("tieringpolicy", "batch")["status"]["revision"] == world.spec("a")["revision"], "its status"
    )
    world.delete("tieringpolicy", "batch")
    world.until(lambda: world.follows("a", None) and world.follows("b", None), "both nodes to be restored")


def test_a_policy_that_is_made_anew_under_its_name_is_another_policy(world: World) -> None:
    world.apply(a_policy("batch"))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    world.delete("tieringpolicy", "batch")
    world.apply(a_policy("batch"))
    uid = world.get("tieringpolicy", "batch")["metadata"]["uid"]
    world.until(lambda: world.spec("a").get("policy", {}).get("uid") == uid, "the new policy on a")


def test_foreign_changes_and_deletions_are_undone(world: World) -> None:
    world.apply(a_policy("batch", quota={"size": "300Mi"}))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    wanted = world.spec("a")
    patch = (
        '{"spec": {"settings": {"mode": "Enforce", "quota": {"size": "1Mi", "time": "10ms"}, "youngFilter": false}}}'
    )
    world.cluster.kubectl("patch", "nodetiering", "a", "--type=merge", "--patch", patch)
    world.until(lambda: world.spec("a") == wanted, "the change to be undone")
    world.delete("nodetiering", "a")
    world.until(lambda: world.spec("a") == wanted, "the object to be made again")


def test_a_loser_is_told_the_winner(world: World) -> None:
    world.apply(a_policy("batch"), a_policy("prod", zone="a", priority=10))
    world.until(lambda: world.follows("a", "prod") and world.follows("b", "batch"), "one winner per node")
    world.wait_for("Conflicted", "batch")
    assert "prod (1 node)" in world.condition("batch", "Conflicted")["message"]
    assert world.get("tieringpolicy", "batch")["status"]["conflictedNodes"] == 1
    world.delete("tieringpolicy", "prod")
    world.wait_for("Conflicted=False", "batch")
    assert world.follows("a", "batch")


def test_what_agents_report_makes_a_policy_ready_and_its_columns_true(world: World) -> None:
    world.apply(a_policy("batch", mode="Enforce"))
    world.until(lambda: world.follows("a", "batch") and world.follows("b", "batch"), "the policy on both nodes")
    world.answer("a", ("Applied", "True", "Applied"), ("Ready", "True", "Converged"), promoted=3 * 2**30)
    world.until(lambda: world.get("tieringpolicy", "batch")["status"]["ready"] == "1/2", "one node to be ready")
    world.answer("b", ("Applied", "True", "Applied"), ("Ready", "True", "Converged"), promoted=2**30)
    world.wait_for("Ready", "batch")
    header, row = world.cluster.kubectl("get", "tieringpolicies", "batch").stdout.splitlines()
    columns = dict(zip(header.split(), row.split(), strict=True))
    assert columns.pop("AGE")
    assert columns == {
        "NAME": "batch",
        "MODE": "Enforce",
        "NODES": "2",
        "UPDATED": "2/2",
        "READY": "2/2",
        "PROMOTED": "4Gi",
        "DEMOTED": "0",
        "STATUS": "AllNodesReady",
    }
    assert "damon=2" in world.cluster.kubectl("get", "tp", "batch", "-o", "wide").stdout


def test_a_new_revision_is_waited_for_and_a_failure_is_named(world: World) -> None:
    world.apply(a_policy("batch", zone="a"))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    world.answer("a", ("Ready", "True", "Converged"))
    world.wait_for("Ready", "batch")
    world.apply(a_policy("batch", zone="a", mode="Enforce"))
    world.wait_for("Progressing", "batch")
    assert world.condition("batch", "Ready")["status"] == "False"
    world.answer("a", ("Applied", "False", "StoreRefused"), ("Ready", "False", "StoreRefused"))
    world.wait_for("Degraded", "batch")
    assert "a (StoreRefused: StoreRefused it is)" in world.condition("batch", "Ready")["message"]


def test_a_node_without_an_engine_is_not_waited_for(world: World) -> None:
    world.apply(a_policy("batch"))
    world.until(lambda: world.follows("a", "batch") and world.follows("b", "batch"), "the policy on both nodes")
    world.answer("a", ("Ready", "True", "Converged"))
    world.answer("b", ("EngineAvailable", "False", "NoDAMON"), ("Ready", "False", "NoDAMON"))
    world.wait_for("Ready", "batch")
    assert world.get("tieringpolicy", "batch")["status"]["unsupportedNodes"] == 1


def test_nodes_of_a_policy_that_cannot_be_read_keep_what_they_have(world: World) -> None:
    """The CRD is loosened as one of another version might be; then something gets past it."""
    world.apply(a_policy("batch", mode="Enforce"))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    before = world.spec("a")
    strict = world.get("crd", POLICY_CRD)
    loose = world.get("crd", POLICY_CRD)
    schema = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    schema["properties"]["demotion"]["properties"]["minAge"] = {"type": "string"}
    world.cluster.kubectl("replace", "-f", "-", stdin=yaml.safe_dump(loose))
    try:
        patch = '{"spec": {"mode": "Observe", "demotion": {"minAge": "soon"}}}'
        world.until(
            lambda: (
                world.cluster.kubectl("patch", "tp", "batch", "--type=merge", "-p", patch, check=False).returncode == 0
            ),
            "the loosened CRD",
        )
        world.until(lambda: world.condition("batch", "Ready")["reason"] == "Invalid", "the policy to be called invalid")
        assert "spec.demotion" in world.condition("batch", "Ready")["message"]
        assert world.spec("a") == before
        world.delete("tieringpolicy", "batch")
        world.until(lambda: world.follows("a", None), "a deleted policy to restore its nodes nevertheless")
    finally:
        strict["metadata"].pop("resourceVersion")
        world.cluster.kubectl("replace", "-f", "-", stdin=yaml.safe_dump(strict))


def test_whatever_changed_while_the_operator_was_away_comes_out_right(world: World) -> None:
    world.apply(a_policy("batch"), a_policy("prod", zone="b", priority=1))
    world.until(lambda: world.follows("a", "batch") and world.follows("b", "prod"), "both policies")
    world.stop_operator()
    world.delete("tieringpolicy", "prod")
    world.apply(a_policy("batch", zone="new", mode="Enforce"), a_node("c", zone="new"))
    world.delete("node", "b")
    world.apply(a_node("b", zone="new"))
    world.start_operator()
    world.until(
        lambda: world.follows("a", None) and world.follows("b", "batch") and world.follows("c", "batch"),
        "the new state",
        GARBAGE_S,  # b registered anew
    )
    assert world.spec("b") == world.spec("c")
    assert world.spec("b")["settings"] == {"mode": "Enforce"}


def test_a_restart_of_the_operator_writes_nothing(world: World) -> None:
    world.apply(a_policy("batch"))
    world.until(lambda: world.condition("batch", "Ready") != {} and world.follows("b", "batch"), "a settled state")
    time.sleep(2)  # for whatever might still come
    versions = [world.get("nodetiering", "a"), world.get("nodetiering", "b"), world.get("tieringpolicy", "batch")]
    world.stop_operator()
    said = len(world.log())
    world.start_operator()
    world.until(lambda: world.log()[said:].count("listed") >= 2, "the operator to know the state again")
    time.sleep(2)
    assert [
        world.get("nodetiering", "a"), world.get("nodetiering", "b"), world.get("tieringpolicy", "batch")
    ] == versions  # fmt: skip


def test_an_api_server_that_was_away_is_followed_again(world: World) -> None:
    world.apply(a_policy("batch", zone="a"))
    world.until(lambda: world.follows("a", "batch"), "the policy on a")
    world.cluster.stop_api_server()
    time.sleep(2)
    world.cluster.start_api_server()
    world.apply(a_policy("batch", zone="b"), a_node("c", zone="b"))
    world.until(lambda: world.follows("a", None), "the edited policy on a", 60)
    world.until(lambda: world.follows("b", "batch") and world.follows("c", "batch"), "the edited policy", 60)
    world.running[0].expect_running()
