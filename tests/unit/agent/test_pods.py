"""Pods: from cgroup folders to bytes by nid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrace_agent.errors import HostFileUnreadable, UnexpectedContent
from terrace_agent.pods import PodMemory, parse_numa_stat, read_pods
from unit.agent.host_tree import HostTree

UID = "0b6f6f0e-8a4e-4d0e-9c57-1f2e3d4c5b6a"
STATIC_UID = "0123456789abcdef0123456789abcdef"
SYSTEMD_UID = UID.replace("-", "_")
NUMA_STAT = """anon N0=1000 N1=200
file N0=50 N1=4
kernel_stack N0=7 N1=7
shmem N0=40 N1=0
file_mapped N0=10 N1=4
swapcached N0=0 N1=0
anon_thp N0=900 N1=0
inactive_anon N0=600 N1=100
active_anon N0=440 N1=100
unevictable N0=0 N1=0
slab_reclaimable N0=12 N1=0
workingset_refault_anon N0=3 N1=0
"""


def pods_below(folder: str) -> tuple[PodMemory, ...]:
    return read_pods(HostTree({f"/sys/fs/cgroup/{folder}/memory.numa_stat": NUMA_STAT}))


@pytest.mark.parametrize(
    "folder",
    [
        f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{SYSTEMD_UID}.slice",
        f"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{SYSTEMD_UID}.slice",
        f"kubepods.slice/kubepods-pod{SYSTEMD_UID}.slice",
        f"kubepods/burstable/pod{UID}",
        f"kubepods/pod{UID}",
        "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
        f"kubelet-kubepods-burstable-pod{SYSTEMD_UID}.slice",
        f"kubelet/kubepods/besteffort/pod{UID}",
    ],
)
def test_a_pod_is_found_whatever_the_cgroup_driver(folder: str) -> None:
    assert pods_below(folder) == (PodMemory(uid=UID, bytes_by_nid={0: 1050, 1: 204}),)


def test_a_static_pod_is_known_by_its_hash() -> None:
    assert [pod.uid for pod in pods_below(f"kubepods/pod{STATIC_UID}")] == [STATIC_UID]


def test_containers_are_not_counted_a_second_time() -> None:
    pod = f"/sys/fs/cgroup/kubepods/pod{UID}"
    tree = HostTree({f"{pod}/memory.numa_stat": NUMA_STAT, f"{pod}/1f2e3d/memory.numa_stat": NUMA_STAT})
    assert read_pods(tree) == (PodMemory(uid=UID, bytes_by_nid={0: 1050, 1: 204}),)


def test_a_mapped_page_of_the_swap_cache_is_counted_once() -> None:
    assert parse_numa_stat("anon N0=4096\nfile N0=4096\nswapcached N0=4096\n") == {0: 4096}


@given(st.dictionaries(st.integers(0, 1023), st.tuples(st.integers(0, 1 << 50), st.integers(0, 1 << 50)), min_size=1))
def test_anon_and_file_add_up_for_every_nid(sizes: dict[int, tuple[int, int]]) -> None:
    anon = " ".join(f"N{nid}={size[0]}" for nid, size in sizes.items())
    file = " ".join(f"N{nid}={size[1]}" for nid, size in sizes.items())
    assert parse_numa_stat(f"anon {anon}\nfile {file}\n") == {nid: sum(size) for nid, size in sizes.items()}


def test_a_pod_that_ended_meanwhile_is_left_out() -> None:
    assert read_pods(HostTree({f"/sys/fs/cgroup/kubepods/pod{UID}/cgroup.procs": ""})) == ()


def test_a_host_with_cgroup_v1_has_no_pods() -> None:
    assert read_pods(HostTree({f"/sys/fs/cgroup/memory/kubepods/pod{UID}/memory.numa_stat": "total=1 N0=1"})) == ()


def test_a_row_that_no_kernel_prints_is_reported_with_its_file() -> None:
    path = f"/sys/fs/cgroup/kubepods/pod{UID}/memory.numa_stat"
    with pytest.raises(UnexpectedContent) as caught:
        read_pods(HostTree({path: "anon total=5"}))
    assert caught.value.path == path


def test_a_counter_that_cannot_be_read_is_an_error_not_an_empty_pod() -> None:
    with pytest.raises(HostFileUnreadable):
        read_pods(HostTree({f"/sys/fs/cgroup/kubepods/pod{UID}/memory.numa_stat": 13}))
