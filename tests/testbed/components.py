"""The command lines of the control plane's four servers. *Pure.*

All of them listen on loopback only, on ports of the cluster's own. Nothing elects a leader.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SERVICE_NETWORK = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
"""The first address of the service network: what pods find the API server by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The cluster's ports on 127.0.0.1."""

    etcd: int
    etcd_peer: int
    api: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a cluster keeps what: everything below one directory."""

    directory: Path
    programs: Path

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.directory / "pki"

    @property
    def logs(self) -> Path:
        """One log per server, and the audit log."""
        return self.directory / "logs"

    @property
    def audit_log(self) -> Path:
        """One JSON object per request that changed something, see `audit-policy.yaml`."""
        return self.logs / "audit.jsonl"

    @property
    def hosts(self) -> Path:
        """What the API server sees as /etc/hosts: all nodes are on loopback."""
        return self.directory / "hosts"

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of a user: admin, controller-manager, scheduler."""
        return self.directory / f"{user}.kubeconfig"


def etcd(layout: Layout, ports: Ports) -> list[str]:
    """The store. It never syncs to disk: a test cluster is made anew, not recovered."""
    client, peer = f"http://127.0.0.1:{ports.etcd}", f"http://127.0.0.1:{ports.etcd_peer}"
    return [
        str(layout.programs / "etcd"),
        f"--data-dir={layout.directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def api_server(layout: Layout, ports: Ports, audit_policy: Path) -> list[str]:
    """The API server, in a mount namespace where /etc/hosts is the cluster's.

    A kubelet's address is its node's name, so `kubectl logs` and `exec` go to 127.0.0.1 and the port that
    the node reported, which QEMU forwards into the guest.
    """
    pki = layout.pki
    server = [
        str(layout.programs / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{ports.etcd}",
        f"--secure-port={ports.api}",
        "--bind-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki / 'service-account.pub'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'api-server.crt'}",
        f"--tls-private-key-file={pki / 'api-server.key'}",
        f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'kubelet-client.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        "--kubelet-preferred-address-types=Hostname",
        f"--audit-policy-file={audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-maxsize=100000",  # MB: tests read it as a whole, so that it must not be rotated
        "--shutdown-delay-duration=0s",
    ]
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(layout.hosts), *server]


def controller_manager(layout: Layout) -> list[str]:
    """The controllers, each with its own service account's rights as in a real cluster."""
    return [
        str(layout.programs / "kube-controller-manager"),
        f"--kubeconfig={layout.kubeconfig('controller-manager')}",
        f"--service-account-private-key-file={layout.pki / 'service-account.key'}",
        f"--root-ca-file={layout.pki / 'ca.crt'}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def scheduler(layout: Layout) -> list[str]:
    """The scheduler."""
    return [
        str(layout.programs / "kube-scheduler"),
        f"--kubeconfig={layout.kubeconfig('scheduler')}",
        "--leader-elect=false",
        "--secure-port=0",
    ]
