"""The ValidatingAdmissionPolicy: an agent's token writes its own node's status and nothing else."""

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from cluster.operating import NAMESPACE, a_node, installed, with_token
from testbed.cluster import Cluster

PARTS = ("crds", "admission", "agent-rbac")
Kubectl = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.cluster


def node_tiering(name: str) -> str:
    spec = {"action": "Restore"}
    return yaml.safe_dump(
        {"apiVersion": "terrace.dev/v1alpha1", "kind": "NodeTiering", "metadata": {"name": name}, "spec": spec}
    )


@pytest.fixture(scope="module", autouse=True)
def chart_parts(cluster: Cluster) -> Iterator[None]:
    with installed(cluster, *PARTS):
        for name in ("node-a", "node-b"):
            cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(a_node(name)))
            cluster.kubectl("apply", "-f", "-", stdin=node_tiering(name))
        yield
        cluster.kubectl("delete", "node", "node-a", "node-b")


@dataclass(frozen=True, kw_only=True)
class Agent:
    """What holds an agent's token."""

    server: str
    token: str
    tls: ssl.SSLContext
    kubectl: Kubectl


@pytest.fixture(scope="module")
def agent_of_node_a(cluster: Cluster, chart_parts: None, tmp_path_factory: pytest.TempPathFactory) -> Agent:
    """A token as the kubelet of node-a would mount it into the agent's pod."""
    bound = ("--bound-object-kind", "Node", "--bound-object-name", "node-a")
    token = cluster.kubectl("create", "token", "terrace-agent", "-n", NAMESPACE, *bound).stdout.strip()
    return an_agent(cluster, token, tmp_path_factory.mktemp("agent"))


def an_agent(cluster: Cluster, token: str, directory: Path) -> Agent:
    path = directory / "kubeconfig"
    path.write_text(with_token(cluster, token))
    return Agent(
        server=cluster.server,
        token=token,
        tls=ssl.create_default_context(cafile=str(cluster.authority.certificate)),
        kubectl=lambda *args, **more: cluster.kubectl("--kubeconfig", str(path), *args, check=False, **more),
    )


def patch_status(agent: Agent, name: str) -> tuple[int, str]:
    """Applies a status as an agent does, and returns the HTTP status and what the API server said."""
    url = f"{agent.server}/apis/terrace.dev/v1alpha1/nodetierings/{name}/status?fieldManager=terrace-agent&force=true"
    manifest = {"apiVersion": "terrace.dev/v1alpha1", "kind": "NodeTiering", "status": {"kernel": "7.2"}}
    headers = {"Authorization": f"Bearer {agent.token}", "Content-Type": "application/apply-patch+yaml"}
    request = urllib.request.Request(url, json.dumps(manifest).encode(), headers, method="PATCH")
    try:
        with urllib.request.urlopen(request, context=agent.tls, timeout=30) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)["message"]


def test_its_own_status_is_written(agent_of_node_a: Agent) -> None:
    assert patch_status(agent_of_node_a, "node-a") == (200, "")


def test_another_nodes_status_is_refused_with_the_reason(agent_of_node_a: Agent) -> None:
    code, message = patch_status(agent_of_node_a, "node-b")
    assert code == 403
    assert "of its own node only; this token is bound to node node-a" in message


def test_a_token_without_a_node_writes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    token = cluster.kubectl("create", "token", "terrace-agent", "-n", NAMESPACE).stdout.strip()
    code, message = patch_status(an_agent(cluster, token, tmp_path), "node-a")
    assert code == 403
    assert "bound to node (none)" in message


@pytest.mark.parametrize(
    "command",
    [
        ("patch", "nodetiering", "node-a", "--type=merge", "-p", '{"spec":{"action":"Manage"}}'),
        ("delete", "nodetiering", "node-a"),
        ("label", "node", "node-a", "a=b"),
        ("delete", "node", "node-a"),
        ("get", "secrets", "-A"),
        ("create", "token", "terrace-agent", "-n", NAMESPACE),
    ],
    ids=" ".join,
)
def test_it_can_do_nothing_else(agent_of_node_a: Agent, command: tuple[str, ...]) -> None:
    answer = agent_of_node_a.kubectl(*command)
    assert answer.returncode != 0
    assert "forbidden" in answer.stderr.lower()


def test_the_policy_holds_even_if_a_role_allowed_more(cluster: Cluster, agent_of_node_a: Agent) -> None:
    role = ("create", "clusterrolebinding", "too-much", "--clusterrole=cluster-admin")
    cluster.kubectl(*role, f"--serviceaccount={NAMESPACE}:terrace-agent")
    try:
        kubectl = agent_of_node_a.kubectl
        metadata = kubectl("patch", "nodetiering", "node-a", "--type=merge", "-p", '{"metadata":{"labels":{"a":"b"}}}')
        assert "of its own node only" in metadata.stderr
        assert "of its own node only" in kubectl("delete", "nodetiering", "node-a").stderr
        assert "of its own node only" in patch_status(agent_of_node_a, "node-b")[1]
        assert patch_status(agent_of_node_a, "node-a")[0] == 200
    finally:
        cluster.kubectl("delete", "clusterrolebinding", "too-much")
