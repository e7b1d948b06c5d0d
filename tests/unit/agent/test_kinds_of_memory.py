"""Kinds of memory: what tells them, and how a policy chooses by them."""

import pytest

from terrace_agent.topology.buses import read_cxl_regions
from terrace_agent.topology.discover import discover
from terrace_agent.topology.facts import CxlRegion
from terrace_agent.topology.read import read_facts
from terrace_agent.topology.values import Topology
from terrace_api.policy import MemoryType, Tier
from unit.agent.host_tree import GIB, MIB, HostTree, guest_files, zone_text

NODE = "/sys/devices/system/node"
CXL = "/sys/bus/cxl/devices"
TIERING = "/sys/devices/virtual/memory_tiering"
Files = dict[str, str | int]

ONLINED_BY_DAX: Files = {
    f"{CXL}/root0/devtype": "cxl_root",
    f"{CXL}/region0/resource": "0xffffffffffffffff",
    f"{CXL}/region0/size": "0x20000000",
    f"{CXL}/region0/dax_region0/dax0.0/target_node": "1",
}
ONLINED_BY_FIRMWARE: Files = {f"{CXL}/region3/resource": hex(GIB), f"{CXL}/region3/size": hex(512 * MIB)}
PMEM: Files = {
    "/sys/bus/nd/devices/region0/target_node": "1",
    "/sys/bus/nd/devices/region1/target_node": "-1",
    "/sys/bus/nd/devices/ndbus0/provider": "ACPI.NFIT",
}
GPU: Files = {f"{NODE}/has_generic_initiator": "1"}
FASTER_TIER: Files = {f"{TIERING}/memory_tier2/nodelist": "1", f"{TIERING}/memory_tier4/nodelist": "0"}
BY_TYPES = (
    Tier(name="near", types=(MemoryType.HBM,)),
    Tier(name="fast", types=(MemoryType.DRAM,)),
    Tier(name="slow", types=(MemoryType.CXL, MemoryType.PMEM, MemoryType.SLOW)),
)


def found(files: Files, tiers: tuple[Tier, ...] | None = None, *, hmat: bool = False) -> Topology:
    return discover(read_facts(HostTree(guest_files(hmat=hmat) | files), page_bytes=4096), tiers)


def speed(nid: int, latency_ns: int, bandwidth_mib_s: int) -> Files:
    folder = f"{NODE}/node{nid}/access1/initiators"
    numbers = {"latency": latency_ns, "bandwidth": bandwidth_mib_s}
    return {f"{folder}/{way}_{what}": str(n) for way in ("read", "write") for what, n in numbers.items()}


def third_nid() -> Files:
    """Nid 2 of 512 MiB without CPUs, beside the two of the guest."""
    zones = guest_files()["/proc/zoneinfo"]
    return {
        f"{NODE}/has_memory": "0-2",
        f"{NODE}/online": "0-2",
        f"{NODE}/node2/cpulist": "",
        f"{NODE}/node2/distance": "30 30 10",
        f"{NODE}/node2/meminfo": "Node 2 MemTotal: 524288 kB\nNode 2 MemFree: 131072 kB\n"
        "Node 2 Inactive(file): 8192 kB\n",
        "/proc/zoneinfo": f"{zones}{zone_text(2, 'Normal', start=393216, spanned=131072, free=1000, high=200)}",
    }


@pytest.mark.parametrize(
    ("files", "kind", "why"),
    [
        ({}, "Slow", "no CPUs, and nothing tells its kind"),
        (ONLINED_BY_DAX, "CXL", "CXL region0"),
        (ONLINED_BY_FIRMWARE, "CXL", "CXL region3"),
        (PMEM, "PMEM", "NVDIMM region0"),
        (GPU, "Device", "memory of a device, which is a generic initiator"),
        (FASTER_TIER, "HBM", "memory_tier2, faster than DRAM's memory_tier4"),
        (speed(0, 100, 10_000) | speed(1, 90, 60_000), "HBM", "access class 0, faster than DRAM's 4"),
        (speed(0, 100, 10_000) | speed(1, 300, 5_000), "Slow", "no CPUs, and nothing tells its kind"),
    ],
)
def test_a_nid_without_cpus_is_what_something_tells(files: Files, kind: str, why: str) -> None:
    nid = found(files).nid(1)
    assert (nid.kind.value, nid.kind_why) == (kind, why)


def test_memory_beside_cpus_is_dram_whatever_the_buses_say() -> None:
    nid = found(ONLINED_BY_DAX | {f"{NODE}/node1/cpulist": "2-3"}).nid(1)
    assert (nid.kind.value, nid.kind_why) == ("DRAM", "has CPUs")


def test_memory_of_a_device_is_no_tier_until_its_nid_is_named() -> None:
    assert [tier.nids for tier in found(GPU, hmat=True).tiers] == [(0,)]
    named = (Tier(name="fast", nids=(0,)), Tier(name="slow", nids=(1,)))
    assert [tier.nids for tier in found(GPU, named).tiers] == [(0,), (1,)]


def test_memory_of_a_device_is_of_no_type() -> None:
    assert [tier.name for tier in found(GPU, BY_TYPES).tiers] == ["fast"]


def test_a_bus_that_cannot_be_read_leaves_a_kind_unknown_and_nothing_else() -> None:
    assert found({f"{CXL}/region0/resource": 5, f"{CXL}/region0/size": "many"}).nid(1).kind.value == "Slow"


def test_a_region_without_an_address_has_none() -> None:
    assert read_cxl_regions(HostTree(ONLINED_BY_DAX)) == (CxlRegion(name="region0", nids=(1,)),)
    assert read_cxl_regions(HostTree(ONLINED_BY_FIRMWARE)) == (
        CxlRegion(name="region3", nids=(), start=GIB, end=GIB + 512 * MIB),
    )


def test_tiers_by_type_are_what_the_node_has_of_them() -> None:
    tiers = found(ONLINED_BY_DAX, BY_TYPES).tiers
    assert [(tier.name, tier.nids, tier.why) for tier in tiers] == [
        ("fast", (0,), "chosen by type"),
        ("slow", (1,), "chosen by type"),
    ]


def test_one_policy_makes_a_chain_where_there_are_three_kinds() -> None:
    tiering = {f"{TIERING}/memory_tier2/nodelist": "1", f"{TIERING}/memory_tier4/nodelist": "0,2"}
    files = third_nid() | tiering | {f"{CXL}/region0/dax_region0/dax0.0/target_node": "2"}
    assert [(tier.name, tier.nids) for tier in found(files, BY_TYPES).tiers] == [
        ("near", (1,)),
        ("fast", (0,)),
        ("slow", (2,)),
    ]


def test_a_nid_that_is_named_is_not_chosen_by_type_as_well() -> None:
    tiers = (Tier(name="fast", types=(MemoryType.DRAM, MemoryType.SLOW)), Tier(name="slow", nids=(1,)))
    assert [tier.nids for tier in found({}, tiers).tiers] == [(0,), (1,)]
