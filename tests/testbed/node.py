"""Makes a guest a node of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from testbed import kernels, ports, progress, waiting
from testbed.build_node import node_root
from testbed.build_node_disk import node_disk
from testbed.cluster import HOST_SEEN_BY_GUESTS, Cluster
from testbed.components import KUBERNETES_SERVICE
from testbed.errors import BedError, GuestError
from testbed.guest import BOOT_ATTEMPTS, Guest
from testbed.kernels import Kernel
from testbed.machine import Machine
from testbed.newc import File
from testbed.topology import TWO_TIERS, Topology

READY_LIMIT_S = 600.0
ALONE = "numa_balancing=disable"
"""Without it the kernel's NUMA balancing promotes, too (kernel fact 36), and nobody could tell who moved what."""


def join(
    cluster: Cluster,
    name: str,
    *,
    directory: Path,
    images: Sequence[Path],
    kernel: Kernel | None = None,
    topology: Topology = TWO_TIERS,
    append: str = "",
    kubelet: Mapping[str, object] | None = None,
    outlive: bool = False,
) -> Guest:
    """Boots a guest, and returns when it is a Ready node of the cluster; the arguments are those of `prepare`."""
    guest = prepare(
        cluster,
        name,
        directory=directory,
        images=images,
        kernel=kernel,
        topology=topology,
        append=append,
        kubelet=kubelet,
        outlive=outlive,
    )
    try:
        start(cluster, guest)
    except BaseException:
        guest.save_evidence(directory / "evidence")
        guest.stop()
        raise
    return guest


def prepare(
    cluster: Cluster,
    name: str,
    *,
    directory: Path,
    images: Sequence[Path],
    kernel: Kernel | None = None,
    topology: Topology = TWO_TIERS,
    append: str = "",
    kubelet: Mapping[str, object] | None = None,
    outlive: bool = False,
) -> Guest:
    """A guest that joins the cluster once it boots.

    Args:
        cluster: it need not run yet.
        name: the node's; new to the cluster.
        directory: the guest's own, for its console's log.
        images: docker-archives of what pods on it run, see `build_workload` and `images`.
        kernel: the newest one if None.
        topology: the guest's memory.
        append: more of the kernel's command line.
        kubelet: more of the kubelet's configuration.
        outlive: whether the guest goes on when this process ends.

    Raises:
        BedError: the kernel is not for nodes.
    """
    chosen = kernel or kernels.newest()
    if not chosen.pods:
        raise BedError(f"linux {chosen.version} is for guests without Kubernetes: no pod would start")
    boot = kernels.boot_files(chosen)
    root_disk, disk = node_root() / "root.img", node_disk(images)
    (kubelet_port,) = ports.free(1)  # after the builds, which may take minutes
    machine = Machine(
        boot=boot,
        root_disk=root_disk,
        node_disk=disk,
        kubelet_port=kubelet_port,
        topology=topology,
        seed=_seed(cluster, name, _kubelet_configuration(kubelet_port) | dict(kubelet or {})),
        append=append,
    )
    return Guest(name, machine, directory, outlive=outlive)


def start(cluster: Cluster, guest: Guest, limit_s: float = READY_LIMIT_S) -> None:
    """Boots the guest, and returns when the API server says that the node is Ready.

    A kernel that patches its own code under emulation may panic (`int3` in a static branch), now and then, in its first
    half minute: the guest is booted again then.

    Raises:
        GuestError: it ended every time.
        WaitError: it was not Ready within the limit.
    """
    for attempt in range(1, BOOT_ATTEMPTS + 1):
        guest.boot()
        try:
            with progress.step(f"waiting until node {guest.name} is Ready", usually="50 s"):
                _wait_until_ready(cluster, guest, limit_s)
        except GuestError as error:
            if attempt == BOOT_ATTEMPTS:
                raise
            progress.say(f"once more: {error}")
        else:
            return


def _wait_until_ready(cluster: Cluster, guest: Guest, limit_s: float) -> None:
    def ready() -> bool:
        guest.expect_running()
        node = cluster.get(f"/api/v1/nodes/{guest.name}") or {"status": {}}
        conditions = node["status"].get("conditions", ())
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    waiting.until(ready, f"node {guest.name} to be Ready", limit_s=limit_s, every_s=0.5, detail=guest.kubelet_log)


def _seed(cluster: Cluster, name: str, kubelet: Mapping[str, object]) -> Mapping[str, File]:
    pair = cluster.add_node(name)
    server = f"https://{HOST_SEEN_BY_GUESTS}:{cluster.ports.api}"
    texts = {
        "/etc/hostname": f"{name}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n10.0.2.15 {name}\n",
        "/etc/kubernetes/ca.crt": cluster.authority.certificate.read_text(),
        "/etc/kubernetes/kubelet.crt": pair.certificate.read_text(),
        "/etc/kubernetes/kubelet.key": pair.key.read_text(),
        "/etc/kubernetes/kubelet.kubeconfig": cluster.kubeconfig_for(pair, server),
        "/etc/kubernetes/kubelet.yaml": yaml.safe_dump(dict(kubelet)),
        "/etc/kubernetes/service.nft": _service_rules(cluster.ports.api),
    }
    return {path: File(data=text.encode()) for path, text in texts.items()}


def _kubelet_configuration(port: int) -> dict[str, object]:
    """The port is the same in the guest and on the host, where the API server looks for it."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "port": port,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": "/etc/kubernetes/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": "/etc/kubernetes/kubelet.crt",
        "tlsPrivateKeyFile": "/etc/kubernetes/kubelet.key",
        "cgroupDriver": "systemd",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "resolvConf": "/etc/resolv.conf",
        "failSwapOn": False,
        "runtimeRequestTimeout": "5m",
    }


def _service_rules(api_port: int) -> str:
    """The Service `kubernetes` without kube-proxy: one rule for the node's own processes, one for its pods'."""
    rule = f"ip daddr {KUBERNETES_SERVICE} tcp dport 443 dnat to {HOST_SEEN_BY_GUESTS}:{api_port};"
    return (
        "table ip kubernetes_service {\n"
        f"  chain from_node {{ type nat hook output priority -100; {rule} }}\n"
        f"  chain from_pods {{ type nat hook prerouting priority -100; {rule} }}\n"
        "}\n"
    )
