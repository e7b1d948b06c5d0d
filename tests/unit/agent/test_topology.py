"""Topology: from host files to tiers, ranges and floors."""

import pytest

from terrace_agent.errors import HostFileUnreadable, SettingsRejected, UnexpectedContent
from terrace_agent.topology.blocks import OnlineBlocks
from terrace_agent.topology.cpulist import format_list, parse_list
from terrace_agent.topology.discover import describe_nids, discover
from terrace_agent.topology.facts import Facts
from terrace_agent.topology.floor import floor_bytes
from terrace_agent.topology.read import read_facts
from terrace_agent.topology.values import PhysicalRange
from terrace_agent.topology.zoneinfo import parse_zoneinfo
from terrace_api.policy import MemoryType, Tier
from unit.agent.host_tree import MIB, HostTree, guest_files, zone_text

NODE = "/sys/devices/system/node"


def facts_of(files: dict[str, str | int]) -> Facts:
    return read_facts(HostTree(files), page_bytes=4096)


def tiers_of(files: dict[str, str | int]) -> list[tuple[str, tuple[int, ...], str]]:
    return [(tier.name, tier.nids, tier.why) for tier in discover(facts_of(files), None).tiers]


def performance(latency: int, bandwidth: int) -> dict[str, str]:
    return {
        "read_latency": f"{latency}",
        "write_latency": f"{latency}",
        "read_bandwidth": f"{bandwidth}",
        "write_bandwidth": f"{bandwidth}",
    }


def with_performance(nid: int, access: str, latency: int, bandwidth: int) -> dict[str, str | int]:
    folder = f"{NODE}/node{nid}/{access}/initiators"
    return {f"{folder}/{name}": value for name, value in performance(latency, bandwidth).items()}


def test_two_populated_memory_tiers_are_fast_and_slow() -> None:
    assert tiers_of(guest_files()) == [("fast", (0,), "memory_tier4"), ("slow", (1,), "memory_tier120")]


def test_a_smaller_memory_tier_is_faster_whatever_the_nids() -> None:
    files = guest_files() | {
        "/sys/devices/virtual/memory_tiering/memory_tier4/nodelist": "1",
        "/sys/devices/virtual/memory_tiering/memory_tier120/nodelist": "0",
    }
    assert [tier[:2] for tier in tiers_of(files)] == [("fast", (1,)), ("slow", (0,))]


def test_without_hmat_the_nid_without_cpus_is_slow() -> None:
    assert tiers_of(guest_files(hmat=False)) == [("fast", (0,), "has CPUs"), ("slow", (1,), "no CPUs")]


def test_a_kernel_without_memory_tiers_falls_back_on_cpus() -> None:
    files = {path: text for path, text in guest_files().items() if "memory_tiering" not in path}
    assert [tier[:2] for tier in tiers_of(files)] == [("fast", (0,)), ("slow", (1,))]


def test_performance_decides_where_the_memory_tiers_do_not() -> None:
    files = (
        guest_files(hmat=False) | with_performance(0, "access1", 100, 10000) | with_performance(1, "access0", 50, 40000)
    )
    assert [tier[:2] for tier in tiers_of(files)] == [("fast", (1,)), ("slow", (0,))]


def test_performance_of_one_nid_only_says_nothing() -> None:
    files = guest_files(hmat=False) | with_performance(1, "access0", 50, 40000)
    assert [tier[:2] for tier in tiers_of(files)] == [("fast", (0,)), ("slow", (1,))]


def test_performance_within_a_kernel_chunk_is_one_class() -> None:
    files = (
        guest_files(hmat=False)
        | with_performance(0, "access1", 100, 10000)
        | with_performance(1, "access1", 105, 10000)
    )
    files[f"{NODE}/node1/cpulist"] = "2-3"
    assert len(tiers_of(files)) == 1


def test_two_sockets_are_a_single_tier() -> None:
    files = guest_files(hmat=False) | {f"{NODE}/node1/cpulist": "2-3"}
    (tier,) = discover(facts_of(files), None).tiers
    assert tier.nids == (0, 1)
    assert "one memory tier" in tier.why


def test_a_kernel_without_numa_has_no_tier() -> None:
    topology = discover(facts_of({"/proc/zoneinfo": zone_text(0, "Normal", start=16, spanned=16)}), None)
    assert (topology.nids, topology.tiers) == ((), ())


def test_the_policys_tiers_win_and_keep_their_order() -> None:
    tiers = (Tier(name="near", nids=(1,)), Tier(name="far", nids=(0,)))
    found = discover(facts_of(guest_files()), tiers).tiers
    assert [(tier.name, tier.nids, tier.why) for tier in found] == [
        ("near", (1,), "named by the policy"),
        ("far", (0,), "named by the policy"),
    ]


SWAPPED = (Tier(name="near", nids=(1,)), Tier(name="far", nids=(0,)))


def test_tiers_in_an_order_that_contradicts_the_kernels_are_followed_and_say_so() -> None:
    said = discover(facts_of(guest_files()), SWAPPED).against_kernel
    assert said.startswith(
        "nid 1 of tier near is slower memory than nid 0 of tier far to the kernel: memory_tier120 against "
        "memory_tier4, and a smaller number is faster. Hot pages move to what it takes for slow memory."
    )
    assert "swap them in spec.tiers" in said


def test_tiers_in_the_kernels_order_contradict_nothing() -> None:
    assert discover(facts_of(guest_files()), tuple(reversed(SWAPPED))).against_kernel == ""
    assert discover(facts_of(guest_files()), None).against_kernel == ""


def test_equals_to_the_kernel_may_be_in_any_order_and_a_nid_without_cpus_first() -> None:
    assert discover(facts_of(guest_files(hmat=False)), SWAPPED).against_kernel == ""


def test_one_tier_alone_contradicts_nothing() -> None:
    assert discover(facts_of(guest_files()), SWAPPED[:1]).against_kernel == ""


@pytest.mark.parametrize(("latency", "bandwidth", "contradicts"), [(300, 5000, True), (50, 40000, False)])
def test_performance_contradicts_tiers_where_the_memory_tiers_do_not(
    latency: int, bandwidth: int, contradicts: bool
) -> None:
    files = (
        guest_files(hmat=False)
        | with_performance(0, "access1", 100, 10000)
        | with_performance(1, "access0", latency, bandwidth)
    )
    assert ("access latency and bandwidth" in discover(facts_of(files), SWAPPED).against_kernel) == contradicts


def test_tiers_by_type_can_contradict_the_kernel_too() -> None:
    types = [(MemoryType.SLOW,), (MemoryType.DRAM,)]
    tiers = tuple(Tier(name=kinds[0].value.lower(), types=kinds) for kinds in types)
    assert "nid 1 of tier slow is slower" in discover(facts_of(guest_files()), tiers).against_kernel


def test_a_nid_that_does_not_exist_is_rejected_with_what_exists() -> None:
    tiers = (Tier(name="fast", nids=(0,)), Tier(name="slow", nids=(7,)))
    with pytest.raises(SettingsRejected) as caught:
        discover(facts_of(guest_files()), tiers)
    assert caught.value.reason == "NidNotFound"
    assert "nid 7" in str(caught.value)
    assert "nid 0 (1Gi, 2 CPUs) and nid 1 (512Mi, no CPUs)" in str(caught.value)


def test_a_nid_without_memory_is_rejected() -> None:
    files = guest_files() | {f"{NODE}/has_memory": "0"}
    with pytest.raises(SettingsRejected) as caught:
        discover(facts_of(files), (Tier(name="fast", nids=(0,)), Tier(name="slow", nids=(1,))))
    assert caught.value.reason == "NidNotFound"


def test_a_nid_without_a_byte_is_none() -> None:
    lines = str(guest_files()[f"{NODE}/node1/meminfo"]).splitlines()
    empty = "\n".join("Node 1 MemTotal: 0 kB" if "MemTotal" in line else line for line in lines)
    files = guest_files() | {f"{NODE}/node1/meminfo": empty}
    assert [nid.nid for nid in facts_of(files).nids] == [0]


def test_a_fast_tier_equal_to_the_slow_one_is_rejected() -> None:
    with pytest.raises(SettingsRejected) as caught:
        discover(facts_of(guest_files()), (Tier(name="fast", nids=(0,)), Tier(name="slow", nids=(0,))))
    assert caught.value.reason == "TiersOverlap"


def test_ranges_come_from_blocks_within_the_nids_zones() -> None:
    topology = discover(facts_of(guest_files()), None)
    assert topology.nid(0).ranges == (PhysicalRange(start=4096, end=1024 * MIB),)
    assert topology.nid(1).ranges == (PhysicalRange(start=1024 * MIB, end=1536 * MIB),)


def test_an_offline_block_splits_a_range() -> None:
    files = guest_files() | {"/sys/devices/system/memory/memory9/state": "offline"}
    assert discover(facts_of(files), None).nid(1).ranges == (
        PhysicalRange(start=1024 * MIB, end=1152 * MIB),
        PhysicalRange(start=1280 * MIB, end=1536 * MIB),
    )


def test_a_block_that_straddles_two_nids_is_cut_at_the_zone() -> None:
    files = guest_files() | {f"{NODE}/node1/memory7/state": "online"}
    assert discover(facts_of(files), None).nid(1).ranges == (PhysicalRange(start=1024 * MIB, end=1536 * MIB),)


def test_without_memory_blocks_the_zones_stand_alone() -> None:
    files = {path: text for path, text in guest_files().items() if "/memory" not in path or "tiering" in path}
    topology = discover(facts_of(files), None)
    assert topology.nid(1).ranges == (PhysicalRange(start=1024 * MIB, end=1536 * MIB),)


def test_the_floor_is_the_high_watermarks_and_what_is_protected_from_movable() -> None:
    # Normal: 3000 - 500 of boost; DMA32: 900 + min(50000, 700); DMA: 50 + min(3840, 300).
    assert discover(facts_of(guest_files()), None).nid(0).floor_bytes == (2500 + 1600 + 350) * 4096
    assert discover(facts_of(guest_files()), None).nid(1).floor_bytes == 2000 * 4096


def test_the_floor_counts_no_more_of_a_protected_zone_than_is_free() -> None:
    zones = parse_zoneinfo(
        zone_text(0, "DMA32", start=1, spanned=9, free=40, high=5, protection=(0, 900)) + zone_text(0, "Movable")
    )
    assert floor_bytes(zones, 0, 1) == 45


def test_the_floor_without_a_movable_zone_takes_the_strictest_protection() -> None:
    zones = parse_zoneinfo(zone_text(0, "DMA32", start=1, spanned=9, free=4000, high=5, protection=(0, 0, 700)))
    assert floor_bytes(zones, 0, 1) == 705


def test_lists_survive_the_round_trip() -> None:
    assert parse_list("0-3,8\n") == (0, 1, 2, 3, 8)
    assert format_list((8, 0, 1, 2, 3)) == "0-3,8"
    assert (parse_list(""), format_list(())) == ((), "")


def test_what_no_kernel_prints_is_reported_with_its_file() -> None:
    with pytest.raises(UnexpectedContent) as caught:
        facts_of(guest_files() | {f"{NODE}/has_memory": "none"})
    assert caught.value.path == f"{NODE}/has_memory"
    with pytest.raises(UnexpectedContent):
        facts_of(guest_files() | {"/proc/zoneinfo": "Node 0, zone Normal\n"})
    with pytest.raises(UnexpectedContent):
        facts_of(guest_files() | {f"{NODE}/node0/meminfo": "gone"})


def test_a_file_that_the_kernel_will_not_read_is_an_error_not_an_absence() -> None:
    with pytest.raises(HostFileUnreadable):
        facts_of(guest_files() | {f"{NODE}/node0/cpulist": 5})


def test_nids_are_described_for_people() -> None:
    assert describe_nids(facts_of(guest_files())) == "nid 0 (1Gi, 2 CPUs) and nid 1 (512Mi, no CPUs)"


class CountingTree(HostTree):
    """Counts the blocks whose state was read."""

    def __init__(self, files: dict[str, str | int]) -> None:
        super().__init__(files)
        self.blocks_read = 0

    def read(self, path: str) -> str:
        self.blocks_read += path.startswith("/sys/devices/system/memory/memory")
        return super().read(path)


def test_blocks_are_read_again_only_where_memory_came_or_went() -> None:
    host = CountingTree(guest_files())
    blocks = OnlineBlocks(host)
    before = read_facts(host, blocks=blocks, page_bytes=4096)
    assert (read_facts(host, blocks=blocks, page_bytes=4096), host.blocks_read) == (before, 12)
    host.files["/sys/devices/system/memory/memory11/state"] = "offline"
    host.files["/sys/devices/system/node/node1/meminfo"] = (
        "Node 1 MemTotal: 393216 kB\nNode 1 MemFree: 4 kB\nNode 1 Inactive(file): 4 kB\n"
    )
    after = read_facts(host, blocks=blocks, page_bytes=4096)
    assert (after.nids[1].blocks, host.blocks_read) == ((8, 9, 10), 16)
