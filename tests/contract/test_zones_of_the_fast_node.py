"""A fast nid of several zones on a real kernel: rest is reached, and kswapd is left alone (kernel fact 21)."""

import pytest

from contract import by_hand, hotcold
from contract.kernel_state import KDAMONDS, free_mib, vmstat
from contract.test_tiering_without_damon import equip
from testbed.fixtures import BootGuest
from testbed.guest import Guest
from testbed.node import ALONE
from testbed.topology import TWO_ZONES

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

HOT_MIB = 160
RESERVED_MIB, WATERMARKS_MIB = 128, 100
RESERVE = "echo 256 8 32 0 0 > /proc/sys/vm/lowmem_reserve_ratio"
"""128 MiB of DMA32 stay free, an eighth of the Normal memory; usually a 256th does, 2 GiB on a node of half a TiB."""
ZONES = "grep -E '^Node 0, zone +(DMA32|Normal)' -A 8 /proc/zoneinfo | grep -E 'zone|managed|present|high'"
SETTLES_S, REST_S = 20, 20
PAGE_BYTES, PAGES_OF_A_MIB = 4096, 256
UPDATE = "for state in [0-9]*/state; do echo update_schemes_stats > $state || true; done"
KSWAPD = ("pgscan_kswapd", "pgsteal_kswapd", "pgdemote_kswapd")


def test_promotion_into_a_full_node_of_two_zones_comes_to_rest_and_kswapd_sleeps(guest: BootGuest) -> None:
    with guest(topology=TWO_ZONES, append=ALONE) as booted:
        equip(booted)
        by_hand.install(booted)
        booted.run(RESERVE)
        zones = booted.run(ZONES).stdout
        assert "DMA32" in zones and "Normal" in zones, zones
        cold_mib = free_mib(booted, 0) - RESERVED_MIB - WATERMARKS_MIB
        hotcold.start(booted, "one", hot_mib=HOT_MIB, cold_mib=cold_mib, cpu=1)
        start = look(booted)
        with by_hand.tiering(booted, by_hand.like_the_demo()):
            hotcold.arrives(booted, "one", limit_s=180)
            booted.run(f"sleep {SETTLES_S}")
            settled, waits = look(booted), waiting_bytes(booted)
            booted.run(f"sleep {REST_S}")
            end, still_waits = look(booted), waiting_bytes(booted)
            since_load, at_rest = grown(start, end), grown(settled, end)
            told = f"{zones}{free_mib(booted, 0)} MiB free, hot bytes on slow {waits}, {still_waits}"
            told += f"; since load {since_load}; at rest {at_rest}"
            # What still came up of the hot set did not move at rest.
            late = max(0, waits - still_waits) // PAGE_BYTES
            assert at_rest["pgmigrate_success"] <= PAGES_OF_A_MIB + late, told
            assert not any(at_rest[name] for name in KSWAPD), told
            assert all(since_load[name] <= 4 * PAGES_OF_A_MIB for name in KSWAPD), told


def waiting_bytes(guest: Guest) -> int:
    """Returns what of the hot set is not on the fast nid."""
    told = hotcold.now(guest, "one")
    return told.hot_bytes - told.hot_fast_bytes


def look(guest: Guest) -> dict[str, int]:
    """Returns the counters of /proc/vmstat, and the bytes that each scheme has moved."""
    applied = guest.run(f"cd {KDAMONDS}; {UPDATE}; grep -H . */contexts/0/schemes/*/stats/sz_applied; true").stdout
    return vmstat(guest) | {path: int(size) for path, size in (line.split(":") for line in applied.splitlines())}


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    names = ("pgmigrate_success", "compact_migrate_scanned", *KSWAPD, *(name for name in after if "stats" in name))
    return {name: after[name] - before.get(name, 0) for name in names}
