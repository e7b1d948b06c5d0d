"""Reclaim's own demotion stays off where it would move pods against their cpusets."""

import pytest

from simkernel import LINUX_6_12, LINUX_6_16, SimKernel
from terrace_agent.damon.pinned import read_pinned
from terrace_agent.engine import Plan
from unit.agent.damon.builders import MemoryJournal, engine_on, guest, settings
from unit.agent.host_tree import HostTree

UID = "11111111-2222-3333-4444-555555555555"
POD = f"/sys/fs/cgroup/kubepods/pod{UID}"
DEMOTION_ENABLED = "/sys/kernel/mm/numa/demotion_enabled"


def pin(kernel: SimKernel, nids: str = "0") -> None:
    kernel.put(f"{POD}/one/cpuset.mems.effective", nids)


def enforce(kernel: SimKernel, journal: MemoryJournal) -> Plan:
    engine = engine_on(kernel, journal)
    plan = engine.plan(settings(), guest())
    engine.apply(plan)
    return plan


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({f"{POD}/cpuset.mems.effective": "0-1"}, ()),
        ({f"{POD}/cpuset.mems.effective": "0"}, (UID,)),
        ({f"{POD}/cpuset.mems.effective": "0-1", f"{POD}/one/cpuset.mems.effective": "0"}, (UID,)),
        ({f"{POD}/memory.numa_stat": "anon N0=0"}, ()),
    ],
)
def test_a_pod_is_pinned_by_its_own_cpuset_or_a_containers(files: dict[str, str], found: tuple[str, ...]) -> None:
    assert read_pinned(HostTree(dict(files)), frozenset({1})) == found


def test_the_safety_net_is_on_where_nobody_is_pinned() -> None:
    kernel = SimKernel(LINUX_6_12)
    enforce(kernel, MemoryJournal())
    assert kernel.read(DEMOTION_ENABLED) == "true"


def test_a_pinned_pod_keeps_it_off_doubles_the_floor_and_is_named() -> None:
    kernel = SimKernel(LINUX_6_12)
    free = enforce(kernel, MemoryJournal()).effective
    kernel = SimKernel(LINUX_6_12)
    pin(kernel)
    kept = enforce(kernel, MemoryJournal()).effective
    assert kernel.read(DEMOTION_ENABLED) == "false"
    assert free and kept
    assert kept.fast_floor_bytes - free.fast_floor_bytes == guest().nid(0).floor_bytes
    assert any(UID in note and "demotion_enabled" in note for note in kept.notes)


def test_a_pod_that_is_pinned_later_brings_back_what_was_there_before() -> None:
    kernel, journal = SimKernel(LINUX_6_12), MemoryJournal()
    enforce(kernel, journal)
    pin(kernel)
    enforce(kernel, journal)
    assert kernel.read(DEMOTION_ENABLED) == "false"
    assert not any(original.path == DEMOTION_ENABLED for original in journal.load().originals)


def test_what_an_administrator_switched_on_stays_on() -> None:
    kernel = SimKernel(LINUX_6_12)
    kernel.store(DEMOTION_ENABLED, "true")
    pin(kernel)
    enforce(kernel, MemoryJournal())
    assert kernel.read(DEMOTION_ENABLED) == "true"


def test_a_kernel_whose_reclaim_heeds_cpusets_is_not_held_back() -> None:
    kernel = SimKernel(LINUX_6_16)
    pin(kernel)
    enforce(kernel, MemoryJournal())
    assert kernel.read(DEMOTION_ENABLED) == "true"
