"""`kubectl terrace` run by kubectl, against a real API server with a running operator; tests speak for the agents."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cases.plugin_fleet import MACHINES, status_of
from cluster.operating import CHART, NAMESPACE, World, a_node, a_policy, installed, with_token
from terrace_api import API_VERSION
from testbed.cluster import Cluster

pytestmark = pytest.mark.cluster
Json = Any
OPERATOR_AND_AGENT = ("--show-only", "templates/operator.yaml", "--show-only", "templates/agent.yaml")
STORY = {machine.name: machine for machine in MACHINES}
ROLES = {"batch-1": "a", "batch-3": "a", "web-2": "b"}
"""Nodes of these tests by their zone; each behaves like the node of the story that has its name."""


@pytest.fixture(scope="module", autouse=True)
def found_by_kubectl() -> Iterator[None]:
    """Kubectl runs what is in PATH: there is the plugin of this environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three nodes, an operator, and one policy for zone a that its nodes have answered."""
    with installed(cluster, "crds", "operator-rbac", "admission"):
        found = World(cluster=cluster, directory=tmp_path_factory.mktemp("operator"))
        found.start_operator()
        found.apply(*(a_node(name, zone=zone) for name, zone in ROLES.items()))
        found.apply(a_policy("batch", zone="a", mode="Enforce"))
        found.until(lambda: found.follows("batch-1", "batch") and found.follows("web-2", None), "the policy")
        for name in ROLES:
            report(found, name)
        found.wait_for("Ready", "batch")
        yield found
        found.delete("tieringpolicies", "--all")
        found.delete("nodes", "-l", "test=operator")
        for daemon in found.running:
            daemon.stop()


def test_a_cluster_without_terrace_says_what_to_install(cluster: Cluster) -> None:
    """Comes first, before there is a world."""
    said = cluster.kubectl("terrace", "status", check=False)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("error: Terrace is not installed on this cluster")
    found = json.loads(cluster.kubectl("terrace", "doctor", "-o", "json", check=False).stdout)["findings"]
    missing = [one["topic"] for one in found if one["what"] == "it is not there"]
    assert missing == ["CRD tieringpolicies.terrace.dev", "CRD nodetierings.terrace.dev"]


def report(world: World, name: str) -> None:
    """Writes what the real agent would report from such a machine."""
    status = status_of(STORY[name], world.get("nodetiering", name))
    manifest = {"apiVersion": API_VERSION, "kind": "NodeTiering", "metadata": {"name": name}, "status": status}
    flags = ("--server-side", "--force-conflicts", "--subresource=status", "--field-manager=terrace-agent")
    world.cluster.kubectl("apply", *flags, "-f", "-", stdin=yaml.safe_dump(manifest))


def terrace(world: World, *arguments: str, stdin: str | None = None, status: int = 0) -> str:
    """Runs the plugin as people do; returns what it prints, or with status 2 what it says is wrong."""
    done: subprocess.CompletedProcess[str] = world.cluster.kubectl("terrace", *arguments, stdin=stdin, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if status == 2 else done.stdout


def test_the_fleet_at_a_glance_is_what_the_objects_say(world: World) -> None:
    view = json.loads(terrace(world, "status", "-o", "json"))
    assert (view["nodes"], {one["name"]: one["nodes"] for one in view["states"]}) == (
        3,
        {"Held": 1, "Ready": 1, "Idle": 1},
    )
    (policy,) = view["policies"]
    status = world.get("tieringpolicy", "batch")["status"]
    assert (policy["nodes"], policy["ready"], policy["isReady"]) == (2, status["ready"], True)
    assert terrace(world, "status").startswith("Nodes    3: 1 Held, 1 Ready, 1 Idle")


def test_a_policy_and_a_node(world: World) -> None:
    assert "batch-3  Held   MemoryPressure" in terrace(world, "status", "policy", "batch")
    assert "Policy    batch (Enforce)" in terrace(world, "status", "node/batch-1")


def test_a_node_explains_which_policy_and_why(world: World) -> None:
    assert "does not select it: it wants zone=a, and the node has zone=b" in terrace(world, "explain", "node", "web-2")
    assert "policy batch selects it" in terrace(world, "explain", "node", "batch-1")


def test_a_pod_explains_what_its_nodes_agent_decided(world: World) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "late"},
        "spec": {"nodeName": "batch-1", "containers": [{"name": "c", "image": "example.org/none"}]},
    }
    world.apply(pod)
    try:
        assert "has not reported it yet" in terrace(world, "explain", "pod", "late", "-n", "default")
        uid = world.get("pod", "late")["metadata"]["uid"]
        decided = {
            "uid": uid,
            "namespace": "default",
            "name": "late",
            "tiered": False,
            "rule": "db",
            "why": "Exclude by rule db",
        }
        memory = {"fastBytes": 1 << 30, "slowBytes": 0, "fastShare": "100.0%"}
        status = status_of(STORY["batch-1"], world.get("nodetiering", "batch-1")) | {"pods": [decided | memory]}
        patch = json.dumps({"status": {"pods": status["pods"]}})
        world.cluster.kubectl("patch", "nodetiering", "batch-1", "--subresource=status", "--type=merge", "-p", patch)
        assert "Exclude by rule db" in terrace(world, "explain", "pod", "late", "-n", "default")
    finally:
        world.delete("pod", "late", "--force", "--grace-period=0")
        report(world, "batch-1")


def test_a_diff_foretells_what_then_happens_and_stores_nothing(world: World) -> None:
    text = yaml.safe_dump(a_policy("wide", priority=5, mode="Enforce", quota={"size": "300Mi"}))
    before = [world.get("nodetiering", name)["metadata"]["resourceVersion"] for name in ROLES]
    foretold = json.loads(terrace(world, "diff", "-f", "-", "-o", "json", stdin=text, status=1))
    assert world.get("tieringpolicy", "wide") == {}
    assert [world.get("nodetiering", name)["metadata"]["resourceVersion"] for name in ROLES] == before
    assert {(one["before"], one["after"]): sorted(one["nodes"]) for one in foretold["changes"]} == {
        ("batch", "wide"): ["batch-1", "batch-3"],
        ("", "wide"): ["web-2"],
    }
    world.cluster.kubectl("apply", "-f", "-", stdin=text)
    try:
        world.until(lambda: all(world.follows(name, "wide") for name in ROLES), "what was foretold")
        assert {world.spec(name)["revision"] for name in ROLES} == {foretold["revision"]}
        assert "Changes  nothing" in terrace(world, "diff", "-f", "-", stdin=text)
        shorter = yaml.safe_dump(a_policy("wide", priority=5, mode="Enforce"))
        assert "quota.size" in terrace(world, "diff", "-f", "-", stdin=shorter, status=1), "what is gone from the file"
    finally:
        world.delete("tieringpolicy", "wide")
        world.until(
            lambda: world.follows("batch-1", "batch") and world.follows("web-2", None), "the first policy again"
        )
        for name in ROLES:
            report(world, name)


def test_what_only_the_api_server_refuses_is_refused(world: World) -> None:
    policy = a_policy("x") | {"metadata": {"name": "Not_A_Name"}}
    said = terrace(world, "diff", "-f", "-", stdin=yaml.safe_dump(policy), status=2)
    assert said.startswith("error: the API server refused (422): ")
    assert "RFC 1123" in said


def test_who_may_only_look_can_still_compare(world: World, tmp_path: Path) -> None:
    kubectl = world.cluster.kubectl
    resources = "nodes,pods,tieringpolicies.terrace.dev,nodetierings.terrace.dev"
    kubectl("-n", NAMESPACE, "create", "serviceaccount", "viewer")
    config = tmp_path / "viewer"
    config.write_text(with_token(world.cluster, kubectl("-n", NAMESPACE, "create", "token", "viewer").stdout.strip()))
    text = yaml.safe_dump(a_policy("batch", zone="a", mode="Observe"))
    said = terrace(world, "status", "--kubeconfig", str(config), status=2)
    assert "tieringpolicies.terrace.dev is forbidden" in said
    kubectl("create", "clusterrole", "viewer", "--verb=get,list", f"--resource={resources}")
    kubectl("create", "clusterrolebinding", "viewer", "--clusterrole=viewer", f"--serviceaccount={NAMESPACE}:viewer")
    try:
        out = terrace(world, "diff", "-f", "-", "--kubeconfig", str(config), stdin=text, status=1)
        assert "by this plugin only: you may not apply it" in out
        assert "mode     Enforce  Observe" in out
        assert "you may not look at it" in terrace(world, "doctor", "--kubeconfig", str(config))
    finally:
        kubectl("delete", "clusterrole,clusterrolebinding", "viewer")


def test_a_doctor_sees_what_is_installed_and_what_is_not(world: World) -> None:
    found = {(one["topic"], one["level"]): one["what"] for one in doctor(world)}
    assert ("CRD tieringpolicies.terrace.dev", "Good") in found
    assert found["Admission policy", "Good"].startswith("terrace-agent-own-status")
    assert found["Operator", "Problem"].startswith("none is installed")
    assert found["Agents", "Problem"].startswith("none is installed")
    chart = world.cluster.helm("template", "terrace", CHART, "--namespace", NAMESPACE, *OPERATOR_AND_AGENT).stdout
    world.cluster.kubectl("apply", "-f", "-", stdin=chart)
    try:
        world.until(lambda: world.get("deployment", "terrace-operator") != {}, "the chart")
        found = {(one["topic"], one["level"]): one["what"] for one in doctor(world)}
        assert found["Operator", "Problem"].startswith("0 of 2 pods of terrace-system/terrace-operator are ready")
        assert found["Leader", "Good"].endswith("renews Lease terrace-system/terrace-operator")
    finally:
        world.cluster.kubectl("delete", "-f", "-", stdin=chart)


def doctor(world: World) -> list[dict[str, str]]:
    findings: list[dict[str, str]] = json.loads(terrace(world, "doctor", "-o", "json", status=1))["findings"]
    return findings


def test_a_report_is_written_to_a_file(world: World, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert terrace(world, "report", "--to", str(path)) == ""
    text = path.read_text()
    assert text.startswith("<!doctype html>")
    assert "batch-1" in text


def test_kubectl_completes_the_plugins_words(world: World) -> None:
    done = world.cluster.kubectl("__complete", "terrace", "status", "policy", "")
    assert done.stdout.splitlines() == ["batch", ":4"]
