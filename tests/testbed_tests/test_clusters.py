"""The control plane is Kubernetes' own, and survives what tests do to it."""

import json
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from testbed.errors import CommandError
from testbed.processes import run

pytestmark = pytest.mark.cluster


def test_objects_outlive_a_restart_of_the_api_server(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "kept")
    cluster.stop_api_server()
    with pytest.raises(CommandError, match="refused"):
        cluster.kubectl("get", "namespace", "kept")
    cluster.start_api_server()
    assert "kept" in cluster.kubectl("get", "namespace", "kept").stdout


def test_the_controllers_work(cluster: Cluster) -> None:
    cluster.kubectl("create", "deployment", "none", "--image=localhost/none:1", "--replicas=2")
    cluster.kubectl("wait", "--for=jsonpath={.status.unavailableReplicas}=2", "deployment/none", "--timeout=60s")


def test_a_change_is_in_the_audit_log_and_a_read_is_not(cluster: Cluster) -> None:
    cluster.kubectl("create", "configmap", "seen")
    cluster.kubectl("get", "configmap", "seen")
    lines = map(json.loads, cluster.layout.audit_log.read_text().splitlines())
    verbs = [line["verb"] for line in lines if line["objectRef"].get("name") == "seen"]
    assert verbs == ["create"]


def test_servers_listen_on_loopback_only(cluster: Cluster) -> None:
    listening = run(["ss", "--listening", "--tcp", "--numeric", "--processes", "--no-header"])
    own = [line.split()[3] for line in listening.splitlines() if "kube-" in line or "etcd" in line]
    assert own
    assert [address for address in own if not address.startswith("127.0.0.1:")] == []


def test_two_clusters_run_side_by_side(cluster: Cluster, tmp_path: Path) -> None:
    second = Cluster.create(tmp_path / "second")
    try:
        second.start()
        assert second.server != cluster.server
        second.kubectl("create", "namespace", "only-here")
        assert "only-here" not in cluster.kubectl("get", "namespaces").stdout
    finally:
        second.stop()
