"""Pods: from their cgroups to bytes by nid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrace_agent.errors import HostFileUnreadable, UnexpectedContent
from terrace_agent.pods import PodMemory, parse_numa_stat, read_pods
from terrace_agent.workloads.cgroups import ROOT, read_cgroups
from unit.agent.host_tree import HostTree

UID = "0b6f6f0e-8a4e-4d0e-9c57-1f2e3d4c5b6a"
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


def pods_in(files: dict[str, str | int]) -> tuple[PodMemory, ...]:
    tree = HostTree({f"{ROOT}/{path}": text for path, text in files.items()} | {f"{ROOT}/cgroup.controllers": "memory"})
    return read_pods(tree, read_cgroups(tree).pods)


def test_containers_are_not_counted_a_second_time() -> None:
    files: dict[str, str | int] = {}
    for folder in (f"kubepods/pod{UID}", f"kubepods/pod{UID}/1f2e3d"):
        files |= {f"{folder}/memory.stat": "", f"{folder}/memory.numa_stat": NUMA_STAT}
    assert pods_in(files) == (PodMemory(uid=UID, bytes_by_nid={0: 1050, 1: 204}),)


def test_a_mapped_page_of_the_swap_cache_is_counted_once() -> None:
    assert parse_numa_stat("anon N0=4096\nfile N0=4096\nswapcached N0=4096\n") == {0: 4096}


@given(st.dictionaries(st.integers(0, 1023), st.tuples(st.integers(0, 1 << 50), st.integers(0, 1 << 50)), min_size=1))
def test_anon_and_file_add_up_for_every_nid(sizes: dict[int, tuple[int, int]]) -> None:
    anon = " ".join(f"N{nid}={size[0]}" for nid, size in sizes.items())
    file = " ".join(f"N{nid}={size[1]}" for nid, size in sizes.items())
    assert parse_numa_stat(f"anon {anon}\nfile {file}\n") == {nid: sum(size) for nid, size in sizes.items()}


def test_a_pod_that_ended_meanwhile_is_left_out() -> None:
    assert pods_in({f"kubepods/pod{UID}/memory.stat": ""}) == ()


def test_a_row_that_no_kernel_prints_is_reported_with_its_file() -> None:
    path = f"kubepods/pod{UID}/memory.numa_stat"
    with pytest.raises(UnexpectedContent) as caught:
        pods_in({path: "anon total=5", f"kubepods/pod{UID}/memory.stat": ""})
    assert caught.value.path == f"{ROOT}/{path}"


def test_a_counter_that_cannot_be_read_is_an_error_not_an_empty_pod() -> None:
    with pytest.raises(HostFileUnreadable):
        pods_in({f"kubepods/pod{UID}/memory.numa_stat": 13, f"kubepods/pod{UID}/memory.stat": ""})
