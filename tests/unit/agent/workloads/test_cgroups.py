"""From cgroupfs to cgroups: whose they are, and which nids their cpusets allow."""

import errno

import pytest

from cases.pods import container_path, make_host, make_pod, pod_path, uid
from simkernel import LINUX_7_2, SimKernel
from terrace_agent.errors import HostFileUnreadable, UnexpectedContent
from terrace_agent.workloads.cgroups import ROOT, read_cgroups
from terrace_agent.workloads.values import Cgroup, PodCgroups
from unit.agent.host_tree import HostTree

UID = uid(1)
UNDERSCORES = UID.replace("-", "_")
STATIC_UID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def kernel() -> SimKernel:
    kernel = SimKernel(LINUX_7_2)
    make_host(kernel)
    return kernel


def pod_in(kernel: SimKernel) -> PodCgroups:
    [pod] = read_cgroups(kernel).pods
    return pod


def paths(cgroups: tuple[Cgroup, ...]) -> list[str]:
    return [cgroup.path for cgroup in cgroups]


@pytest.mark.parametrize(
    "folder",
    [
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNDERSCORES}.slice",
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UNDERSCORES}.slice",
        f"/kubepods.slice/kubepods-pod{UNDERSCORES}.slice",
        f"/kubepods/burstable/pod{UID}",
        f"/kubepods/pod{UID}",
        "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
        f"kubelet-kubepods-burstable-pod{UNDERSCORES}.slice",
        f"/kubelet/kubepods/besteffort/pod{UID}",
        f"/some/other/root/kubepods/pod{UID}",
    ],
)
def test_a_pod_is_found_whatever_driver_and_root_kubelet_has(kernel: SimKernel, folder: str) -> None:
    kernel.make_cgroup(folder)
    kernel.make_cgroup(f"{folder}/4f2c")
    pod = pod_in(kernel)
    assert (pod.uid, pod.path, paths(pod.cgroups)) == (UID, folder, [folder, f"{folder}/4f2c"])


def test_a_static_pod_is_known_by_its_hash(kernel: SimKernel) -> None:
    kernel.make_cgroup(f"/kubepods/pod{STATIC_UID}")
    assert pod_in(kernel).uid == STATIC_UID


def test_what_a_container_makes_below_its_own_cgroup_is_its_pods(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    nested = f"{container_path(1)}/kubepods/pod{uid(2)}"
    kernel.make_cgroup(nested)
    assert (pod_in(kernel).uid, nested in paths(pod_in(kernel).cgroups)) == (UID, True)


def test_a_cgroup_without_a_memory_controller_is_not_charged(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    kernel.make_cgroup(f"{container_path(1)}/threads", memory=False)
    kernel.make_cgroup("/user.slice", memory=False)
    kernel.make_cgroup("/user.slice/user-0.slice")
    found = read_cgroups(kernel)
    assert f"{container_path(1)}/threads" not in paths(found.pods[0].cgroups)
    assert {"/user.slice", "/user.slice/user-0.slice"} & set(paths(found.others)) == {"/user.slice/user-0.slice"}


def test_what_is_no_pods_is_the_hosts(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    assert set(paths(read_cgroups(kernel).others)) == {
        "/",
        "/init.scope",
        "/kubepods.slice",
        "/kubepods.slice/kubepods-burstable.slice",
        "/system.slice",
        "/system.slice/kubelet.service",
    }


@pytest.mark.parametrize("name", ["libpod-0b6f6f0e8a4e.scope", "pod.slice", f"podcast-{UID}", f"pod{UID}x"])
def test_a_name_that_only_looks_like_a_pods_is_the_hosts(kernel: SimKernel, name: str) -> None:
    kernel.make_cgroup(f"/machine.slice/{name}")
    assert read_cgroups(kernel).pods == ()


def test_a_cpuset_counts_for_what_is_below_it(kernel: SimKernel) -> None:
    kernel.make_cgroup("/", mems="0-1")
    make_pod(kernel, 1, "app", "sidecar")
    kernel.make_cgroup(container_path(1, "app"), mems="1")
    kernel.make_cgroup(f"{container_path(1, 'app')}/init")
    mems = {cgroup.path: sorted(cgroup.mems or ()) for cgroup in pod_in(kernel).cgroups}
    assert mems == {
        pod_path(1): [0, 1],
        container_path(1, "app"): [1],
        f"{container_path(1, 'app')}/init": [1],
        container_path(1, "sidecar"): [0, 1],
    }


def test_without_any_cpuset_nothing_is_confined(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    assert {cgroup.mems for cgroup in pod_in(kernel).cgroups} == {None}


def test_cgroup_v1_is_told_from_a_host_without_pods() -> None:
    assert not read_cgroups(HostTree({f"{ROOT}/memory/kubepods/pod{UID}/memory.stat": ""})).unified
    assert read_cgroups(HostTree({f"{ROOT}/cgroup.controllers": "memory"})).unified


def test_a_cpuset_that_no_kernel_prints_is_reported_with_its_file() -> None:
    path = f"{ROOT}/cpuset.mems.effective"
    with pytest.raises(UnexpectedContent) as caught:
        read_cgroups(HostTree({f"{ROOT}/cgroup.controllers": "", path: "all"}))
    assert caught.value.path == path


def test_a_cpuset_that_cannot_be_read_is_an_error_not_a_free_choice() -> None:
    files: dict[str, str | int] = {f"{ROOT}/cgroup.controllers": "", f"{ROOT}/cpuset.mems.effective": errno.EIO}
    with pytest.raises(HostFileUnreadable):
        read_cgroups(HostTree(files))
