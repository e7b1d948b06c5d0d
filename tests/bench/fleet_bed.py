"""What the fleet's benchmark runs on: a control plane with Node objects, operators as processes, and their figures."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from cluster.operating import ACCOUNT, NAMESPACE, install, with_token
from terrace_api import API_VERSION
from testbed import ports
from testbed.cluster import Cluster
from testbed.errors import tail
from testbed.processes import Daemon

PARALLEL = 24
TICKS = os.sysconf("SC_CLK_TCK")
Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process took so far."""

    cpu_s: float
    peak_rss_bytes: int


class Process:
    """An operator, or what it is compared with."""

    def __init__(self, daemon: Daemon, port: int) -> None:
        self.started_s = time.monotonic()
        self.daemon = daemon
        self._url = f"http://127.0.0.1:{port}"

    def usage(self) -> Usage:
        """Returns its CPU time and its peak resident memory."""
        stat = Path(f"/proc/{self.daemon.pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return Usage(cpu_s=(int(stat[11]) + int(stat[12])) / TICKS, peak_rss_bytes=int(peak) * 1024)

    def ready(self) -> bool:
        """Whether it says so."""
        return self._get("/readyz") is not None

    def metric(self, name: str) -> float:
        """Returns the sum of a metric's samples; 0 while nothing is served."""
        return self.metrics(name)[name]

    def metrics(self, *names: str) -> dict[str, float]:
        """Returns sums by name, of one scrape: at each one the operator counts its whole fleet, in its own CPU time."""
        families = text_string_to_metric_families(self._get("/metrics") or "")
        samples = [sample for family in families for sample in family.samples]
        return {name: sum(one.value for one in samples if one.name == name) for name in names}

    def kill(self) -> float:
        """Kills it and returns the monotonic time."""
        os.kill(self.daemon.pid, signal.SIGKILL)
        return time.monotonic()

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(self._url + path, timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            self.daemon.expect_running()
            return None


class Bed:
    """One control plane."""

    def __init__(self, directory: Path) -> None:
        self.cluster = Cluster.create(directory, audit_policy=Path(__file__).with_name("audit-policy.yaml"))
        self._directory = directory
        self.names: list[str] = []
        self._processes: list[Process] = []

    def start(self) -> None:
        """Starts it and installs what the operator needs of the chart."""
        self.cluster.start_without_controllers()
        install(self.cluster, "crds", "operator-rbac")

    def stop(self) -> None:
        """Ends the control plane, and every process that was started beside it."""
        for process in self._processes:
            process.daemon.kill()
        self.cluster.stop()

    def said(self) -> str:
        """Returns the ends of all processes' logs."""
        return "\n".join(f"{one.daemon.name}: {tail(one.daemon.log)}" for one in self._processes)

    def operator(self) -> Process:
        """Starts an operator with the chart's rights."""
        (port,) = ports.free(1)
        argv = ["-m", "terrace_operator", "--log-level=WARNING", f"--listen=127.0.0.1:{port}"]
        return self._start("operator", argv, port)

    def plain_kopf(self) -> Process:
        """Starts an operator that keeps the fleet in `kopf.index`."""
        (port,) = ports.free(1)
        return self._start("plain-kopf", [str(Path(__file__).with_name("plain_kopf.py")), str(port)], port)

    def make_nodes(self, count: int) -> None:
        """Makes Node objects."""
        labels = {"bench": "fleet", "kubernetes.io/os": "linux"}
        self.names = [f"node-{number:05}" for number in range(count)]
        bodies = [
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}} for name in self.names
        ]
        asyncio.run(self._create("/api/v1/nodes", bodies))

    def apply_policy(self, name: str, **spec: Json) -> float:
        """Writes a policy for all nodes, without rollout limits, and returns the monotonic time before."""
        began_s = time.monotonic()
        unlimited = {"canary": "100%", "bake": "0s", "maxUpdating": "100%"}
        body = {
            "apiVersion": API_VERSION,
            "kind": "TieringPolicy",
            "metadata": {"name": name},
            "spec": {"allNodes": True, "mode": "Enforce", "rollout": unlimited, **spec},
        }
        self.cluster.apply(f"/apis/{API_VERSION}/tieringpolicies/{name}", body)
        return began_s

    def policy_status(self, name: str) -> Json:
        """Returns a policy's status."""
        return self.cluster.get(f"/apis/{API_VERSION}/tieringpolicies/{name}").get("status", {})

    def object_bytes(self) -> int:
        """Returns the size of one NodeTiering as it is stored, managedFields included."""
        return len(json.dumps(self.cluster.get(f"/apis/{API_VERSION}/nodetierings/node-00000"), separators=(",", ":")))

    def requests(self) -> Counter[str]:
        """Returns how many requests for our kinds and for nodes the API server has answered, by verb and resource."""
        found: Counter[str] = Counter()
        url = f"{self.cluster.server}/metrics"
        with urllib.request.urlopen(url, context=self.cluster.tls(), timeout=60) as answer:
            for line in answer:
                if line.startswith(b"apiserver_request_total{"):
                    _count(line.decode(), found)
        return found

    def api_server_rss_bytes(self) -> int:
        """Returns the API server's resident memory."""
        with urllib.request.urlopen(f"{self.cluster.server}/metrics", context=self.cluster.tls(), timeout=60) as answer:
            (line,) = [one for one in answer if one.startswith(b"process_resident_memory_bytes")]
        return int(float(line.split()[1]))

    def writers(self, skip: int = 0) -> tuple[Counter[str], int]:
        """Returns who wrote NodeTierings how often, by the audit log after its first `skip` lines, and its length."""
        found: Counter[str] = Counter()
        lines = self.cluster.layout.audit_log.read_text().splitlines()
        for line in lines[skip:]:
            event = json.loads(line)
            if event.get("objectRef", {}).get("resource") == "nodetierings":
                found["operator" if ACCOUNT in event["user"]["username"] else "agents"] += 1
        return found, len(lines)

    def _start(self, name: str, argv: list[str], port: int) -> Process:
        own = f"{name}-{len(self._processes)}"
        token = self.cluster.kubectl("-n", NAMESPACE, "create", "token", ACCOUNT, "--duration=2h").stdout.strip()
        kubeconfig = self._directory / f"{own}.kubeconfig"
        kubeconfig.write_text(with_token(self.cluster, token))
        words = ["env", f"KUBECONFIG={kubeconfig}", sys.executable, *argv]
        daemon = Daemon.start(own, words, directory=self._directory, log=self._directory / own)
        self._processes.append(Process(daemon, port))
        return self._processes[-1]

    async def _create(self, path: str, bodies: list[Json]) -> None:
        slots = asyncio.Semaphore(PARALLEL)
        connector = aiohttp.TCPConnector(ssl=self.cluster.tls(), limit=PARALLEL)
        async with aiohttp.ClientSession(self.cluster.server, connector=connector) as session:

            async def one(body: Json) -> None:
                async with slots, session.post(path, json=body) as response:
                    response.raise_for_status()

            await asyncio.gather(*(one(body) for body in bodies))


def _count(line: str, found: Counter[str]) -> None:
    (family,) = text_string_to_metric_families(line)
    (sample,) = family.samples
    resource, verb = sample.labels["resource"], sample.labels["verb"]
    if resource in {"nodes", "nodetierings", "tieringpolicies", "leases"}:
        found[f"{verb} {resource}"] += int(sample.value)
