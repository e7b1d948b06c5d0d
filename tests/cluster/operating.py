"""The operator as a process beside a real API server, with the rights that the chart gives it, and what tests ask."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from terrace_api import API_VERSION
from terrace_api.codec import encode_status
from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import EngineName, NodeTieringStatus
from testbed import waiting
from testbed.cluster import Cluster
from testbed.processes import Daemon

CHART = Path(__file__).parents[2] / "deploy/helm/terrace"
CRDS = ("nodetierings.terrace.dev", "tieringpolicies.terrace.dev")
NAMESPACE = "terrace-system"
ACCOUNT = "terrace-operator"
LIMIT_S = 20.0
PATHS = {
    "crd": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "deployment": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
    "event": "/api/v1/namespaces/default/events",
    "node": "/api/v1/nodes",
    "nodetiering": f"/apis/{API_VERSION}/nodetierings",
    "pod": "/api/v1/namespaces/default/pods",
    "tieringpolicy": f"/apis/{API_VERSION}/tieringpolicies",
}
"""Where the API server has the objects that tests ask for again and again, which kubectl would take too long for."""
Json = Any


def install(cluster: Cluster, *parts: str) -> str:
    """Installs some templates of the chart, waits until the kinds are served, and returns the manifests."""
    show = [word for part in parts for word in ("--show-only", f"templates/{part}.yaml")]
    manifests = cluster.helm("template", "terrace", CHART, "--namespace", NAMESPACE, *show).stdout
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("apply", "-f", "-", stdin=manifests)
    cluster.kubectl("wait", "--for=condition=Established", *(f"crd/{crd}" for crd in CRDS))
    cluster.kubectl("get", ",".join(CRDS))  # comes again while the API server says 429: a new kind's store is not ready
    return manifests


@contextmanager
def installed(cluster: Cluster, *parts: str) -> Iterator[None]:
    """Has some templates of the chart in the cluster inside the block."""
    manifests = install(cluster, *parts)
    try:
        yield
    finally:
        # First: once kinds are gone, a namespace's end waits until the API server no longer names them.
        cluster.kubectl("delete", "namespace", NAMESPACE)
        cluster.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=manifests)


@dataclass(kw_only=True)
class World:
    """A cluster without kubelets: nodes are objects, and tests speak for their agents."""

    cluster: Cluster
    directory: Path
    running: list[Daemon] = field(default_factory=list)

    def start_operator(self, *flags: str, name: str = "operator", server: str = "") -> Daemon:
        """Starts an operator as the chart's service account.

        Args:
            flags: of the command line.
            name: of its log.
            server: URL of the API server; the cluster's own if empty.
        """
        token = self.cluster.kubectl("-n", NAMESPACE, "create", "token", ACCOUNT).stdout.strip()
        path = self.directory / f"{name}.kubeconfig"
        path.write_text(with_token(self.cluster, token, server))
        argv = ["env", f"KUBECONFIG={path}", sys.executable, "-m", "terrace_operator", *flags]
        self.running.append(Daemon.start(name, argv, directory=self.directory, log=self.directory / name))
        return self.running[-1]

    def stop_operator(self) -> None:
        """Stops it as a pod is stopped, and waits until it has ended by itself."""
        daemon = self.running.pop()
        daemon.expect_running()
        os.kill(daemon.pid, signal.SIGTERM)
        self.until(lambda: not daemon.running(), "the operator to end", 10)
        assert "stopping: stop ended" in self.log()
        assert "Traceback" not in self.log()

    def log(self, name: str = "operator") -> str:
        """What an operator said so far."""
        return (self.directory / name).read_text()

    def until(self, condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        """Waits until the condition holds; on failure shows the end of the operator's log."""
        waiting.until(condition, what, limit_s=limit_s, detail=self._said)

    def edit(self, policy: Json) -> None:
        """Applies a policy without the half second that kubectl takes."""
        self.cluster.apply(f"{PATHS['tieringpolicy']}/{policy['metadata']['name']}", policy)

    def _said(self) -> str:
        return "\n".join(f"{one.name}: {one.log.read_text()[-4000:]}" for one in self.running)

    def apply(self, *manifests: Json) -> None:
        """Applies objects as a person does."""
        self.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(manifests))

    def delete(self, *what: str) -> None:
        """Deletes objects and waits until they are gone."""
        self.cluster.kubectl("delete", *what)

    def clear(self) -> None:
        """Deletes all that tests with nodes make; the garbage collector would take its time."""
        for path in (PATHS["tieringpolicy"], f"{PATHS['node']}?labelSelector=test%3Doperator", PATHS["nodetiering"]):
            self.cluster.delete(path)

    def get(self, kind: str, name: str) -> Json:
        """Returns an object of one of `PATHS`, or an empty one if it is not there."""
        return self.cluster.get(f"{PATHS[kind]}/{name}") or {}

    def every(self, kind: str) -> list[Json]:
        """Returns all objects of one of `PATHS`."""
        found: list[Json] = self.cluster.get(PATHS[kind])["items"]
        return found

    def spec(self, node: str) -> Json:
        """Returns what the node's NodeTiering says."""
        return self.get("nodetiering", node).get("spec", {})

    def specs(self) -> dict[str, Json]:
        """Returns what all NodeTierings say, by name, in one request."""
        return {one["metadata"]["name"]: one["spec"] for one in self.every("nodetiering")}

    def all_follow(self, nodes: Iterable[str], policy: str | None) -> bool:
        """Whether all these nodes follow that policy, or with None are told to restore."""
        specs = self.specs()
        return all(node in specs and specs[node].get("policy", {}).get("name") == policy for node in nodes)

    def all_have(self, nodes: Iterable[str], size: str) -> bool:
        """Whether all these nodes are told this size of the quota."""
        specs = self.specs()
        return all(specs.get(node, {}).get("settings", {}).get("quota") == {"size": size} for node in nodes)

    def follows(self, node: str, policy: str | None) -> bool:
        """Whether the node's NodeTiering names that policy, or with None says Restore."""
        spec = self.spec(node)
        if policy is None:
            return bool(spec == {"action": "Restore"})
        return bool(spec.get("policy", {}).get("name") == policy)

    def condition(self, policy: str, type_: str) -> Json:
        """Returns a condition of a policy."""
        conditions = self.get("tieringpolicy", policy).get("status", {}).get("conditions", [])
        return next((found for found in conditions if found["type"] == type_), {})

    def answer(
        self, node: str, *conditions: tuple[str, str, str], promoted: int = 0, heartbeat: tuple[str, int] | None = None
    ) -> None:
        """Writes a status as that node's agent does, for the spec as it is now.

        Args:
            node: whose.
            conditions: type, status and reason of each.
            promoted: bytes.
            heartbeat: its time, and the period in seconds; None from an agent that promises nothing.
        """
        path = f"{PATHS['nodetiering']}/{node}"
        status = agent_status(self.cluster.get(path), conditions, promoted)
        if heartbeat:
            status |= {"lastHeartbeatTime": heartbeat[0], "heartbeatPeriodSeconds": heartbeat[1]}
        manifest = {"apiVersion": API_VERSION, "kind": "NodeTiering", "metadata": {"name": node}, "status": status}
        self.cluster.apply(f"{path}/status", manifest, manager="terrace-agent")

    def hear_from(self, nodes: Iterable[str]) -> None:
        """Has the agents of these nodes speak, and promise nothing: whoever is never heard is told nothing new."""
        for node in nodes:
            self.answer(node, ("Ready", "True", "Restored"))

    def wait_for(self, condition: str, policy: str) -> subprocess.CompletedProcess[str]:
        """Waits as a person does."""
        return self.cluster.kubectl("wait", f"--for=condition={condition}", f"tieringpolicy/{policy}", "--timeout=15s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One write of a NodeTiering's spec by an operator, from the API server's audit log.

    Attributes:
        by: identifies the token that was used, so the process.
        at: RFC 3339 with microseconds, when the API server had answered.
    """

    by: str
    at: str
    node: str
    spec: Json


def written_specs(cluster: Cluster) -> list[Written]:
    """Returns all successful writes of specs by operators, oldest first."""
    return [
        Written(
            by=event["user"]["extra"]["authentication.kubernetes.io/credential-id"][0],
            at=event["stageTimestamp"],
            node=event["objectRef"]["name"],
            spec=event["requestObject"]["spec"],
        )
        for event in map(json.loads, cluster.layout.audit_log.read_text().splitlines())
        if event.get("objectRef", {}).get("resource") == "nodetierings"
        and "subresource" not in event["objectRef"]
        and event["user"]["username"].endswith(f":{ACCOUNT}")
        and event["responseStatus"]["code"] < 300
    ]


def agent_status(tiering: Json, conditions: tuple[tuple[str, str, str], ...], promoted: int) -> Json:
    """Returns a status that answers the spec of a NodeTiering."""
    generation = tiering["metadata"]["generation"]
    return encode_status(
        NodeTieringStatus(
            observed_generation=generation,
            kernel="7.2.0",
            engine=EngineName.DAMON,
            active_revision=tiering["spec"].get("revision", ""),
            fast_used="99.6%",
            promoted_bytes=promoted,
            promoted="",
            demoted_bytes=0,
            demoted="0",
            numa_nodes=(),
            engines=(),
            kdamonds=(),
            plan=(),
            pods=(),
            unknown_fields=(),
            conditions=tuple(
                Condition(
                    type=type_,
                    status=ConditionStatus(status),
                    reason=reason,
                    message=f"{reason} it is",
                    last_transition_time="2026-01-01T00:00:00Z",
                    observed_generation=generation,
                )
                for type_, status, reason in conditions
            ),
        )
    )


def with_token(cluster: Cluster, token: str, server: str = "") -> str:
    """Returns a kubeconfig whose user is a token."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    if server:
        config["clusters"][0]["cluster"]["server"] = server
    return yaml.safe_dump(config)


def a_node(name: str, **labels: str) -> Json:
    """Returns a Node."""
    found = {"test": "operator", **{key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": found}}


def a_policy(name: str, *, zone: str | None = None, **spec: Json) -> Json:
    """Returns a TieringPolicy for all nodes of these tests at once, or for one zone of them."""
    spec.setdefault("rollout", {"canary": "100%", "maxUpdating": "100%", "bake": "0s"})
    labels = {"test": "operator"} | ({"zone": zone} if zone else {})
    return {
        "apiVersion": API_VERSION,
        "kind": "TieringPolicy",
        "metadata": {"name": name},
        "spec": {"nodeSelector": {"matchLabels": labels}, **spec},
    }
