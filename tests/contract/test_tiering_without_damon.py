"""The engines without DAMON on real kernels, without Kubernetes: what they say, what they move and bring back."""

from pathlib import Path
from typing import Any

import pytest

from contract import in_guest
from story.placement import Sample, sample
from testbed.build_workload import workload
from testbed.fixtures import BootGuest
from testbed.guest import Guest
from testbed.node import ALONE

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

ROOT = Path(__file__).parents[2]
SOURCES = ("agent", "api", "tests/unit", "tests/simkernel", "tests/contract")
SWITCHES = "cat /proc/sys/kernel/numa_balancing{,_promote_rate_limit_MBps} /sys/kernel/mm/numa/demotion_enabled"
KMEM = """
set -e
for module in nd_e820 nd_pmem dax_pmem device_dax kmem; do modprobe $module; done
cd /sys/bus/nd/devices
echo namespace0.0 > ../drivers/nd_pmem/unbind || true
dax=$(cat region0/dax_seed)
echo ram > $dax/mode
cat /proc/sys/kernel/random/uuid > $dax/uuid
echo namespace0.0 > $dax/namespace
echo $dax > ../drivers/dax_pmem/bind
cd /sys/bus/dax/devices
[ ! -e ../drivers/kmem/$dax ] || exit 0
echo $dax > ../drivers/device_dax/unbind
echo $dax > ../drivers/kmem/new_id
for block in /sys/devices/system/memory/memory*/state; do
    grep -q online $block || echo online_movable > $block
done
"""
"""Gives memory of the legacy persistent kind to the kernel as ordinary memory of a slower tier, as `daxctl` does."""


def equip(guest: Guest) -> None:
    for name in SOURCES:
        guest.run(f"mkdir -p /terrace/{name}")
        guest.copy_in(ROOT / name, f"/terrace/{name}")
    guest.copy_in(workload().hotcold, "/opt/hotcold")


def load(guest: Guest, *options: str) -> None:
    words = "--hot-mib 160 --cold-mib 300 --hot-nid 1 --cold-nid 0 --interval-s 1 --cpu 1"
    guest.run(f"(setsid /opt/hotcold {words} {' '.join(options)} > /run/hotcold.log 2>&1 &)")
    guest.run("until grep -q touches /run/hotcold.log; do sleep 0.5; done; sleep 2", limit_s=120)


def now(guest: Guest) -> Sample:
    return sample(guest.run("tail -2 /run/hotcold.log | head -1").stdout)


def tier(guest: Guest, engine: str, seconds: int, *options: str) -> dict[str, Any]:
    return in_guest.run(guest, "tiering_in_guest", engine, str(seconds), *options, limit_s=seconds + 120)


def test_numa_balancing_moves_the_hot_set_and_brings_its_settings_back(guest: BootGuest) -> None:
    # As booted, NUMA balancing would promote from the workload's first touch on, before the engine counts.
    with guest(append=ALONE) as booted:
        equip(booted)
        found = booted.run(SWITCHES).stdout.split()
        load(booted)
        before = now(booted)
        told = tier(booted, "numa_balancing", 60)
        during, after = booted.run(SWITCHES).stdout.split(), now(booted)
        assert told["reason"] == "Available"
        assert (int(during[0]) & 2, during[2]) == (2, "true")
        assert before.hot_fast_ratio < 0.5 < after.hot_fast_ratio
        assert told["promoted"] >= (after.hot_fast_bytes - before.hot_fast_bytes) * 0.8
        tier(booted, "numa_balancing", 0)
        assert booted.run(SWITCHES).stdout.split() == found


def test_on_6_1_one_memory_tier_is_told_and_move_pages_moves_what_is_written(guest: BootGuest) -> None:
    with guest(kernel="6.1", append=ALONE) as booted:
        equip(booted)
        found = booted.run(SWITCHES).stdout.split()
        assert tier(booted, "numa_balancing", 5)["reason"] == "OneMemoryTier"
        assert booted.run(SWITCHES).stdout.split() == found
        load(booted, "--write")
        before = now(booted)
        told = tier(booted, "move_pages", 40)
        after = now(booted)
        assert told["reason"] == "Available", told["message"]
        assert before.hot_fast_ratio < 0.5
        assert after.hot_fast_ratio >= 0.99
        assert abs(told["promoted"] - (after.hot_fast_bytes - before.hot_fast_bytes)) < 16 << 20
        assert before.cold_fast_bytes - after.cold_fast_bytes < 8 << 20
        tier(booted, "move_pages", 0)
        assert booted.run(SWITCHES).stdout.split() == found


def test_numa_balancing_works_on_6_1_with_memory_that_kmem_brought_online(guest: BootGuest) -> None:
    with guest(kernel="6.1", append=f"{ALONE} memmap=512M!1536M") as booted:
        equip(booted)
        booted.run(KMEM, limit_s=120)
        found = booted.run(SWITCHES).stdout.split()
        load(booted)
        before = now(booted)
        told = tier(booted, "numa_balancing", 60)
        assert told["reason"] == "Available", told["message"]
        assert before.hot_fast_ratio < 0.5 < now(booted).hot_fast_ratio
        tier(booted, "numa_balancing", 0)
        assert booted.run(SWITCHES).stdout.split() == found
