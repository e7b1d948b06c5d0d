"""Pods with what tests of workloads ask of them, and their cgroups as kubelet makes them."""

from typing import Any

from simkernel import SimKernel
from terrace_agent.workloads.values import Known, Pod
from terrace_api.selectors import LabelSelector
from terrace_api.workloads import Match, QosClass, WorkloadAction, WorkloadRule

HOST = ("/", "/init.scope", "/kubepods.slice", "/system.slice", "/system.slice/kubelet.service")
"""Cgroups that belong to no pod."""


def uid(number: int) -> str:
    """Returns a uid as the API server makes them."""
    return f"0b6f6f0e-8a4e-4d0e-9c57-{number:012x}"


def a_pod(number: int = 1, **values: Any) -> Pod:
    """Returns a burstable pod of the namespace shop, but for what the test is about."""
    given = {"namespace": "shop", "name": f"web-{number}", "qos_class": QosClass.BURSTABLE} | values
    return Pod(uid=uid(number), **given)


def opted_out(number: int = 1) -> Pod:
    """Returns a pod with the label that always wins."""
    return a_pod(number, labels={"terrace.dev/tiering": "disabled"})


def known(*pods: Pod, gone: tuple[Pod, ...] = (), is_current: bool = True) -> Known:
    """Returns what the API server told."""
    return Known(pods={pod.uid: pod for pod in pods}, gone={pod.uid: pod for pod in gone}, is_current=is_current)


def exclude(name: str = "exclude", match: Match | None = None) -> WorkloadRule:
    """Returns a rule that excludes; without a match everything."""
    return WorkloadRule(name=name, action=WorkloadAction.EXCLUDE, match=match)


def tier(name: str = "tier", match: Match | None = None) -> WorkloadRule:
    """Returns a rule that tiers; without a match everything."""
    return WorkloadRule(name=name, action=WorkloadAction.TIER, match=match)


def labelled(**labels: str) -> Match:
    """Returns a match of pods with these labels."""
    return Match(pod_selector=LabelSelector(match_labels=tuple(sorted(labels.items()))))


def pod_path(number: int) -> str:
    """Returns the cgroup of a burstable pod with the systemd driver."""
    qos = "/kubepods.slice/kubepods-burstable.slice"
    return f"{qos}/kubepods-burstable-pod{uid(number).replace('-', '_')}.slice"


def container_path(number: int, container: str = "app") -> str:
    """Returns the cgroup of one container of that pod."""
    return f"{pod_path(number)}/cri-containerd-{container}.scope"


def make_host(kernel: SimKernel) -> None:
    """Makes the cgroups that are no pod's."""
    for path in HOST:
        kernel.make_cgroup(path)
    kernel.make_cgroup("/kubepods.slice/kubepods-burstable.slice")


def make_pod(kernel: SimKernel, number: int, *containers: str, mems: str = "") -> None:
    """Makes a pod's cgroups; `mems` is what the Memory Manager writes into the cpuset of its containers."""
    kernel.make_cgroup(pod_path(number))
    for container in containers or ("app",):
        kernel.make_cgroup(container_path(number, container), mems=mems)


def remove_pod(kernel: SimKernel, number: int) -> None:
    """Removes a pod's cgroups."""
    kernel.remove_cgroup(pod_path(number))
