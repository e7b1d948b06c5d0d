"""A real control plane on this machine's loopback: etcd, API server, controller manager, scheduler.

Before it come `build_controlplane` and `client`, which works with what runs here; after it `node`, which joins guests.
"""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path
from ssl import SSLContext

from testbed import components, ports, progress, waiting
from testbed.build_controlplane import controlplane
from testbed.client import Client
from testbed.components import Layout, Ports
from testbed.errors import tail
from testbed.kubeconfig import kubeconfig
from testbed.pki import Authority, KeyPair
from testbed.processes import STOP_LIMIT_S, Daemon

HOST_SEEN_BY_GUESTS = "10.0.2.2"
READY_LIMIT_S = 180
_AUDIT_POLICY = Path(__file__).parent / "audit-policy.yaml"
_SERVER_NAMES = (
    "DNS:localhost",
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    "IP:127.0.0.1",
    f"IP:{HOST_SEEN_BY_GUESTS}",
    f"IP:{components.KUBERNETES_SERVICE}",
)
_USERS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
}


class Cluster(Client):
    """One cluster, in one directory, on ports of its own: its servers, and all that a client of it can do."""

    def __init__(self, layout: Layout, cluster_ports: Ports, *, audit_policy: Path = _AUDIT_POLICY) -> None:
        super().__init__(layout, cluster_ports)
        self._audit_policy = audit_policy
        self._daemons: dict[str, Daemon] = {}

    @classmethod
    def create(cls, directory: Path, *, audit_policy: Path = _AUDIT_POLICY) -> Cluster:
        """Prepares a new cluster in an empty or new directory, without starting anything."""
        layout = Layout(directory=directory.resolve(), programs=controlplane())
        layout.logs.mkdir(parents=True)
        etcd, etcd_peer, api = ports.free(3)
        cluster = cls(layout, Ports(etcd=etcd, etcd_peer=etcd_peer, api=api), audit_policy=audit_policy)
        cluster._write_files()
        return cluster

    @classmethod
    def attach(cls, directory: Path) -> Cluster:
        """The cluster that another process prepared in this directory.

        Raises:
            FileNotFoundError: none did, or not to the end.
        """
        saved = json.loads((directory / "cluster.json").read_text())
        layout = Layout(directory=directory.resolve(), programs=Path(saved["programs"]))
        return cls(layout, Ports(**saved["ports"]))

    def start(self, *, outlive: bool = False) -> None:
        """Starts all servers and returns when the API server is ready.

        Args:
            outlive: whether they go on when this process ends; `leftovers.stop_all` ends them then.
        """
        with progress.step("starting the control plane", usually="10 s"):
            self.start_without_controllers(outlive=outlive)
            self._start("controller-manager", components.controller_manager(self.layout), outlive)
            self._start("scheduler", components.scheduler(self.layout), outlive)
            waiting.until(self._default_account_exists, "the controller manager", limit_s=READY_LIMIT_S,
                          detail=lambda: tail(self.layout.logs / "controller-manager"))  # fmt: skip

    def start_without_controllers(self, *, outlive: bool = False) -> None:
        """Starts the store and the API server: objects stay as they are made, nothing is collected or scheduled."""
        self._start("etcd", components.etcd(self.layout, self.ports), outlive)
        self.start_api_server(outlive=outlive)

    def start_api_server(self, *, outlive: bool = False) -> None:
        """Starts the API server, the first time or again on the same port, and waits until it is ready."""
        self._start("api-server", components.api_server(self.layout, self.ports, self._audit_policy), outlive)
        context = self.tls()
        waiting.until(lambda: self._ready(context), "the API server", limit_s=READY_LIMIT_S,
                      detail=lambda: tail(self.layout.logs / "api-server"))  # fmt: skip

    def stop_api_server(self) -> None:
        """Stops the API server alone: what its clients do then is worth a test."""
        self._stop("api-server")

    def stop(self) -> None:
        """Stops what this object started, clients first."""
        for name in reversed(list(self._daemons)):
            self._stop(name)

    def _stop(self, name: str) -> None:
        # The API server would wait half a minute for open watches to end; what it has stored is etcd's.
        self._daemons.pop(name).stop(limit_s=1.0 if name == "api-server" else STOP_LIMIT_S)

    def add_node(self, name: str) -> KeyPair:
        """Makes a node's name resolve for the API server, and issues the node's certificate."""
        with self.layout.hosts.open("a") as hosts:
            hosts.write(f"127.0.0.1 {name}\n")
        return self.authority.issue(
            name,
            user=f"system:node:{name}",
            group="system:nodes",
            hosts=(f"DNS:{name}", "DNS:localhost", "IP:127.0.0.1", "IP:10.0.2.15"),
        )

    def save_evidence(self, directory: Path) -> None:
        """Copies the servers' logs, and what the cluster says about its objects, into a directory."""
        shutil.copytree(self.layout.logs, directory / "control-plane", dirs_exist_ok=True)
        for name, args in _QUESTIONS.items():
            answer = self.kubectl(*args, check=False, limit_s=30)
            (directory / f"{name}.txt").write_text(answer.stdout + answer.stderr)

    def _write_files(self) -> None:
        layout = self.layout
        Authority.create(layout.pki)
        self.authority.issue("api-server", user="kube-apiserver", hosts=_SERVER_NAMES)
        self.authority.issue("kubelet-client", user="kube-apiserver-kubelet-client", group="system:masters")
        for name, (user, group) in _USERS.items():
            pair = self.authority.issue(name, user=user, group=group)
            layout.kubeconfig(name).write_text(self.kubeconfig_for(pair, self.server))
        layout.hosts.write_text("127.0.0.1 localhost\n")
        saved = {"programs": str(layout.programs), "ports": asdict(self.ports)}
        (layout.directory / "cluster.json").write_text(json.dumps(saved))

    def kubeconfig_for(self, pair: KeyPair, server: str) -> str:
        """A kubeconfig for the owner of a certificate, who reaches the API server by a URL of its own."""
        return kubeconfig(
            server=server,
            authority=self.authority.certificate.read_bytes(),
            certificate=pair.certificate.read_bytes(),
            key=pair.key.read_bytes(),
        )

    def _start(self, name: str, argv: list[str], outlive: bool) -> None:
        self._daemons[name] = Daemon.start(
            name, argv, directory=self.layout.directory, log=self.layout.logs / name, outlive=outlive
        )

    def _ready(self, context: SSLContext) -> bool:
        for daemon in self._daemons.values():
            daemon.expect_running()
        try:
            with urllib.request.urlopen(f"{self.server}/readyz", context=context, timeout=5) as answer:
                return bool(answer.read() == b"ok")
        except (urllib.error.URLError, OSError):
            return False

    def _default_account_exists(self) -> bool:
        return self.get("/api/v1/namespaces/default/serviceaccounts/default") is not None


_QUESTIONS = {
    "objects": ("get", "all,nodes,events", "--all-namespaces", "--output=wide"),
    "pods": ("describe", "pods", "--all-namespaces"),
    "terrace": ("get", "tieringpolicies,nodetierings", "--output=yaml"),
}
