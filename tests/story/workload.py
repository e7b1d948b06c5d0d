"""The pod whose memory moves: a hot set that starts on the slow nid, and cold data that fills the fast one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from story.placement import Sample, sample
from testbed import progress, waiting
from testbed.build_workload import HOTCOLD_IMAGE
from testbed.cluster import Cluster
from testbed.guest import Guest

NAMESPACE = "workload"
POD = "hotcold"
LOADED_LIMIT_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much memory the pod uses, in MiB, and where it starts.

    Attributes:
        write: the hot set is written, not read.
        node: the node that it runs on; empty for any.
        name: the pod's.
        resources: of its container, which make its class; None for BestEffort.
    """

    hot_mib: int = 224
    cold_mib: int = 800
    hot_nid: int = 1
    cold_nid: int = 0
    interval_s: float = 2.0
    write: bool = False
    node: str = ""
    name: str = POD
    resources: Mapping[str, Any] | None = None

    def arguments(self) -> list[str]:
        """Returns the program's command line."""
        return [
            f"--hot-mib={self.hot_mib}",
            f"--cold-mib={self.cold_mib}",
            f"--hot-nid={self.hot_nid}",
            f"--cold-nid={self.cold_nid}",
            f"--interval-s={self.interval_s:g}",
            "--cpu=1",
            *(["--write"] if self.write else []),
        ]


def manifests(load: Load) -> str:
    """Returns the namespace and the pod as YAML."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    container = {
        "name": POD,
        "image": HOTCOLD_IMAGE,
        "imagePullPolicy": "Never",
        "args": load.arguments(),
        **({"resources": dict(load.resources)} if load.resources else {}),
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": load.name, "namespace": NAMESPACE},
        "spec": {
            "containers": [container],
            "terminationGracePeriodSeconds": 1,
            **({"nodeName": load.node} if load.node else {}),
            "tolerations": [{"operator": "Exists"}],
        },
    }
    return yaml.safe_dump_all([namespace, pod])


class Workload:
    """The running pod."""

    def __init__(self, cluster: Cluster, guest: Guest, load: Load) -> None:
        self._cluster = cluster
        self._guest = guest
        self._load = load

    def start(self) -> Sample:
        """Starts the pod and returns its first sample, when both sets are in place."""
        self._cluster.kubectl("apply", "-f", "-", stdin=manifests(self._load))
        with progress.step("waiting until the workload has filled its memory", usually="25 s"):
            waiting.until(self._loaded, "the workload's first line", limit_s=LOADED_LIMIT_S, every_s=1.0)
        return self.samples()[-1]

    def samples(self) -> list[Sample]:
        """Returns all samples so far, oldest first."""
        lines = (line.partition(" F ")[2] for line in self._lines())
        return [sample(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def _loaded(self) -> bool:
        return any(taken.hot_bytes for taken in self.samples())

    def _lines(self) -> list[str]:
        """Returns the lines of the pod's log as the container runtime writes them: time, stream, F, line."""
        log = f"/var/log/pods/{NAMESPACE}_{self._load.name}_*/{POD}/0.log"
        return self._guest.run(f"cat {log} 2>/dev/null", check=False).stdout.splitlines()
