"""Sets up the real parts: a control plane, a node in QEMU, and Terrace installed on them with helm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import evidence, node, progress
from testbed.build_workload import workload
from testbed.cluster import Cluster
from testbed.errors import BedError
from testbed.guest import Guest
from testbed.images import AGENT_IMAGE, OPERATOR_IMAGE, project_images
from testbed.kernels import Kernel
from testbed.node import ALONE
from testbed.topology import TWO_TIERS, Topology

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/terrace"
SAMPLES = ROOT / "deploy/samples"
NAMESPACE = "terrace-system"
NODE = "tiered"
_LOGS = {"agent": "daemonset/terrace-agent", "operator": "deployment/terrace-operator"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running cluster with one node and Terrace on it."""

    cluster: Cluster
    guest: Guest
    images: tuple[Path, ...]

    def policy(self, name: str) -> dict[str, Any]:
        """Returns a TieringPolicy as the API server has it."""
        return self._get("tieringpolicies", name)

    def node_tiering(self) -> dict[str, Any]:
        """Returns the node's NodeTiering as the API server has it."""
        return self._get("nodetierings", self.guest.name)

    def engines(self) -> list[dict[str, Any]]:
        """Returns what the agent says of each engine on the node, once it has."""
        self.wait("condition=Accepted", f"nodetiering/{self.guest.name}")
        engines: list[dict[str, Any]] = self.node_tiering()["status"]["engines"]
        return engines

    def wait(self, condition: str, what: str, *, limit_s: int = 120) -> None:
        """Waits with `kubectl wait` for an object such as `tieringpolicy/x` and its `condition=Ready`."""
        for one in ("create", condition):
            self.cluster.kubectl("wait", f"--for={one}", what, f"--timeout={limit_s}s", limit_s=limit_s + 10)

    def agent_steps(self) -> list[dict[str, Any]]:
        """Returns the agent's step lines, oldest first; times are the node's CLOCK_MONOTONIC."""
        answer = self.cluster.kubectl("logs", "-n", NAMESPACE, "daemonset/terrace-agent", "--tail=-1", check=False)
        return [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]

    def save_evidence(self, directory: Path) -> None:
        """Keeps what the node, the control plane and Terrace's pods tell in a directory."""
        evidence.save(self.guest, directory / self.guest.name)
        evidence.save(self.cluster, directory / "cluster")
        for name, what in _LOGS.items():
            answer = self.cluster.kubectl("logs", "-n", NAMESPACE, what, "--tail=-1", check=False)
            (directory / f"{name}.log").write_text(answer.stdout + answer.stderr)

    def _get(self, plural: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] | None = self.cluster.get(f"/apis/terrace.dev/v1alpha1/{plural}/{name}")
        if found is None:
            raise BedError(f"there is no {name} among the {plural}")
        return found


@contextmanager
def stage(
    directory: Path, *, name: str, kernel: Kernel | None = None, topology: Topology = TWO_TIERS, keep: bool = False
) -> Iterator[Stage]:
    """Starts everything in `directory`, yields when operator and agent are up, and ends everything.

    What all parts tell is kept in `artifacts/NAME` when anything fails meanwhile.

    Args:
        directory: new or empty.
        name: of the story.
        kernel: the node's; the newest if None.
        topology: the node's memory.
        keep: leave everything running when the story ends well; `leftovers.stop_all(directory)` ends it.
    """
    made = _make(directory, kernel=kernel, topology=topology, outlive=keep)
    kept = False
    try:
        with evidence.saved_on_failure(made, evidence.ARTIFACTS / name):
            made.cluster.start(outlive=keep)
            node.start(made.cluster, made.guest)
            install(made.cluster)
            yield made
        kept = keep
    finally:
        if not kept:
            made.guest.stop()
            made.cluster.stop()


def _make(directory: Path, *, kernel: Kernel | None, topology: Topology, outlive: bool) -> Stage:
    """Returns the stage before anything of it is started."""
    images = (*project_images(), *workload().images)
    cluster = Cluster.create(directory / "cluster")
    guest = node.prepare(
        cluster,
        NODE,
        directory=directory / "nodes" / NODE,
        images=images,
        kernel=kernel,
        topology=topology,
        append=ALONE,
        outlive=outlive,
    )
    return Stage(cluster=cluster, guest=guest, images=images)


def install(cluster: Cluster) -> None:
    """Installs the chart with the images that the node already holds, and waits for both workloads."""
    with progress.step("helm install terrace", usually="40 s until operator and agent are up"):
        cluster.helm(
            *("install", "terrace", CHART, "--namespace", NAMESPACE, "--create-namespace"),
            *("--set", f"operator.image.repository={OPERATOR_IMAGE.rpartition(':')[0]}"),
            *("--set", f"agent.image.repository={AGENT_IMAGE.rpartition(':')[0]}"),
            *("--set", f"imageTag={AGENT_IMAGE.rpartition(':')[2]}"),
            *("--set", "operator.image.pullPolicy=Never,agent.image.pullPolicy=Never"),
            *("--set", "operator.replicas=1"),  # two would share the one node and its few CPUs
            "--wait",
            "--timeout=5m",
            limit_s=330,
        )
