"""Sets up the real parts: a control plane, a node in QEMU, and Terrace installed on them with helm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from story import untouched
from story.release import ROOT, THIS, Release
from story.untouched import Untouched
from testbed import evidence, node, progress
from testbed.build_workload import workload
from testbed.cluster import Cluster
from testbed.errors import BedError
from testbed.guest import Guest
from testbed.kernels import Kernel
from testbed.node import ALONE
from testbed.topology import TWO_TIERS, Topology

CHART = THIS.chart
SAMPLES = ROOT / "deploy/samples"
NAMESPACE = "terrace-system"
NODE = "tiered"
_LOGS = {"agent": "daemonset/terrace-agent", "operator": "deployment/terrace-operator"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running cluster with one node and Terrace on it.

    Attributes:
        before: what both were like before Terrace was installed; None until then.
    """

    cluster: Cluster
    guest: Guest
    images: tuple[Path, ...]
    before: Untouched | None = None

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
    directory: Path,
    *,
    name: str,
    kernel: Kernel | None = None,
    topology: Topology = TWO_TIERS,
    keep: bool = False,
    release: Release = THIS,
    later: tuple[Release, ...] = (),
) -> Iterator[Stage]:
    """Starts everything in `directory`, yields when operator and agent are up, and ends everything.

    What all parts tell is kept in `artifacts/NAME` when anything fails meanwhile.

    Args:
        directory: new or empty.
        name: of the story.
        kernel: the node's; the newest if None.
        topology: the node's memory.
        keep: leave everything running when the story ends well; `leftovers.stop_all(directory)` ends it.
        release: what is installed.
        later: others whose images the node holds, too.
    """
    releases = (release, *later)
    made = _make(directory, releases, kernel=kernel, topology=topology, outlive=keep)
    kept = False
    try:
        with evidence.saved_on_failure(made, evidence.ARTIFACTS / name):
            made.cluster.start(outlive=keep)
            node.start(made.cluster, made.guest)
            before = untouched.seen(made.cluster, made.guest)
            install(made.cluster, release)
            yield replace(made, before=before)
        kept = keep
    finally:
        if not kept:
            made.guest.stop()
            made.cluster.stop()


def _make(
    directory: Path, releases: tuple[Release, ...], *, kernel: Kernel | None, topology: Topology, outlive: bool
) -> Stage:
    """Returns the stage before anything of it is started."""
    images = (*(image for release in releases for image in release.images()), *workload().images)
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


def install(cluster: Cluster, release: Release = THIS) -> None:
    """Installs a chart with the images that the node already holds, and waits for both workloads."""
    with progress.step("helm install terrace", usually="40 s until operator and agent are up"):
        _helm(cluster, "install", release, "--create-namespace")


def upgrade(cluster: Cluster, release: Release) -> None:
    """Replaces what is installed, by an older release as well, and waits for both workloads.

    What a test has applied of a newer release's objects is taken over.
    """
    with progress.step(f"helm upgrade terrace to {release.tag}", usually="40 s until operator and agent are replaced"):
        _helm(cluster, "upgrade", release, "--reset-values", "--take-ownership")


def _helm(cluster: Cluster, command: str, release: Release, *flags: str) -> None:
    where = ("--namespace", NAMESPACE, "--wait", "--timeout=5m")
    cluster.helm(command, "terrace", *release.arguments(), *where, *flags, limit_s=330)
