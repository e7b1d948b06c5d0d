"""Agents that fall silent, beside a real API server."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.operating import NAMESPACE, World, a_node, installed
from testbed.cluster import Cluster

READY = ("Ready", "True", "Converged")
NODES = ("lively", "bare", "third")
SELECTOR = "app=agent"
pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running operator that knows which pods are the agents'."""
    with installed(cluster, "crds", "operator-rbac"):
        found = World(cluster=cluster, directory=tmp_path_factory.mktemp("heartbeats"))
        found.start_operator(f"--agent-pods={NAMESPACE}/{SELECTOR}")
        found.apply(*map(a_node, NODES), an_agents_pod("lively"))
        found.until(lambda: found.all_follow(NODES, None), "a NodeTiering of each node")
        yield found
        for daemon in found.running:
            daemon.stop()
        found.cluster.kubectl("delete", "pods", "-n", NAMESPACE, "--all", "--force")
        found.delete("nodes", "-l", "test=operator")


def an_agents_pod(node: str) -> dict[str, Any]:
    metadata = {"name": f"agent-{node}", "namespace": NAMESPACE, "labels": {"app": "agent"}}
    spec = {"nodeName": node, "containers": [{"name": "agent", "image": "agent"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def alive(world: World, node: str) -> tuple[str, str]:
    conditions = world.get("nodetiering", node).get("status", {}).get("conditions", [])
    return next(((one["status"], one["reason"]) for one in conditions if one["type"] == "AgentAlive"), ("", ""))


def make_ready(world: World, node: str) -> None:
    status = {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}]}
    patch = json.dumps({"status": status})
    world.cluster.kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p", patch)


def test_an_agent_that_falls_silent_is_named_and_one_that_speaks_again_too(world: World) -> None:
    make_ready(world, "lively")
    world.until(lambda: world.follows("lively", None), "the NodeTiering")
    world.answer("lively", READY, heartbeat=("2026-01-01T00:00:00Z", 1))
    world.until(lambda: alive(world, "lively") == ("True", "Alive"), "a first sign of life")
    world.until(lambda: alive(world, "lively")[0] == "False", "three missed heartbeats")
    make_ready(world, "lively")  # the node controller knows of no kubelet there
    world.answer("lively", READY, heartbeat=("2026-01-01T00:00:09Z", 3600))
    world.until(lambda: alive(world, "lively") == ("True", "Alive"), "another sign of life")
    conditions = {one["type"]: one["status"] for one in world.get("nodetiering", "lively")["status"]["conditions"]}
    assert conditions == {"Ready": "True", "AgentAlive": "True"}, "each writer has its own"


def test_a_node_without_an_agents_pod_has_no_agent_and_no_report(world: World) -> None:
    world.until(lambda: alive(world, "bare") == ("False", "NoAgent"), "a look at the node", 60)
    assert list(world.get("nodetiering", "bare")["status"]) == ["conditions"]
    assert "not waited for" in world.get("nodetiering", "bare")["status"]["conditions"][0]["message"]


def test_an_agent_learns_the_size_of_the_fleet_from_one_object(world: World) -> None:
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    url = f"{world.cluster.server}/apis/terrace.dev/v1alpha1/nodetierings?limit=1"
    with urllib.request.urlopen(urllib.request.Request(url, headers=accept), context=world.cluster.tls()) as answer:
        found = json.load(answer)
    assert len(found["items"]) + found["metadata"]["remainingItemCount"] == len(NODES)
