"""A guest is a real machine with the memory that was asked for, and its shell is honest."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.build_workload import workload
from testbed.errors import CommandError, GuestError, WaitError
from testbed.fixtures import BootGuest
from testbed.guest import Guest
from testbed.topology import ONE_NODE

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def tiered(guest: BootGuest) -> Iterator[Guest]:
    with guest() as machine:
        yield machine


def test_the_slow_node_is_of_a_slower_tier(tiered: Guest) -> None:
    tiers = tiered.run("cd /sys/devices/virtual/memory_tiering && grep . memory_tier*/nodelist").stdout.split()
    assert tiers == ["memory_tier120/nodelist:1", "memory_tier4/nodelist:0"]


def test_damon_stat_is_as_the_kernel_has_it(tiered: Guest) -> None:
    assert tiered.read("/sys/module/damon_stat/parameters/enabled") == "Y\n"


def test_a_script_gives_its_code_and_both_streams_apart(tiered: Guest) -> None:
    result = tiered.run("cat; echo err >&2; exit 3", stdin=b"in", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (3, "in", "err\n")


def test_a_failed_script_is_an_error_unless_it_may_fail(tiered: Guest) -> None:
    with pytest.raises(CommandError, match="No such file"):
        tiered.read("/does/not/exist")


def test_a_refused_store_says_so(tiered: Guest) -> None:
    with pytest.raises(CommandError, match="Invalid argument"):
        tiered.write("/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", "many")


def test_a_script_that_takes_too_long_is_ended(tiered: Guest) -> None:
    with pytest.raises(WaitError):
        tiered.run("sleep 60", limit_s=1)


def test_a_background_process_goes_on(tiered: Guest) -> None:
    pid = tiered.run("sleep 60 & echo $!").stdout.strip()
    assert tiered.run(f"cat /proc/{pid}/comm; kill {pid}").stdout == "sleep\n"


def test_directories_go_in_and_out(tiered: Guest, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "file").write_bytes(bytes(range(256)))
    tiered.copy_in(tmp_path / "in", "/opt/copied")
    tiered.copy_out("/opt/copied", tmp_path / "out")
    assert (tmp_path / "out" / "copied" / "deep" / "file").read_bytes() == bytes(range(256))


def test_hotcold_tells_where_its_pages_are(tiered: Guest) -> None:
    tiered.copy_in(workload().hotcold, "/opt/hotcold")
    command = "/opt/hotcold --hot-mib 32 --cold-mib 16 --hot-nid 1 --cold-nid 0 --interval-s 1 --seconds 3"
    lines = [json.loads(line) for line in tiered.run(command).stdout.splitlines()]
    assert len(lines) >= 2
    assert lines[-1]["hot_bytes_by_nid"] == {"1": 32 << 20}
    assert lines[-1]["cold_bytes_by_nid"] == {"0": 16 << 20}
    assert lines[-1]["touches"] > 0


def test_damon_sees_the_hot_set_and_not_the_cold_one(tiered: Guest) -> None:
    tiered.copy_in(workload().hotcold, "/opt/hotcold")
    script = """
        set -e
        exec 3>&1
        echo N > /sys/module/damon_stat/parameters/enabled
        /opt/hotcold --hot-mib 128 --cold-mib 128 --hot-nid 1 --cold-nid 1 > /dev/null & workload=$!
        size=$((0x$(cat /sys/devices/system/memory/block_size_bytes)))
        blocks=$(ls -d /sys/devices/system/node/node1/memory* | sed 's/.*memory//' | sort -n)
        first=$(echo "$blocks" | head -1) last=$(echo "$blocks" | tail -1)
        sleep 10
        cd /sys/kernel/mm/damon/admin/kdamonds
        echo 1 > nr_kdamonds; cd 0
        echo 1 > contexts/nr_contexts; cd contexts/0
        echo paddr > operations
        echo 50000 > monitoring_attrs/intervals/sample_us
        echo 1000000 > monitoring_attrs/intervals/aggr_us
        echo 1 > targets/nr_targets
        echo 1 > targets/0/regions/nr_regions
        echo $((first * size)) > targets/0/regions/0/start
        echo $(((last + 1) * size)) > targets/0/regions/0/end
        echo 1 > schemes/nr_schemes; cd schemes/0
        echo stat > action
        echo 1 > access_pattern/nr_accesses/min
        for what in sz nr_accesses age; do echo 4294967295 > access_pattern/$what/max; done
        cd ../../../..
        echo on > state
        sleep 30
        echo update_schemes_tried_bytes > state
        cat contexts/0/schemes/0/tried_regions/total_bytes >&3
        echo off > state
        kill $workload
        echo Y > /sys/module/damon_stat/parameters/enabled
    """
    accessed_mib = int(tiered.run(script, limit_s=240).stdout) >> 20
    assert 100 <= accessed_mib <= 220


def test_a_killed_guest_is_reported_with_its_console(guest: BootGuest) -> None:
    with guest(topology=ONE_NODE) as machine:
        machine.kill()
        with pytest.raises(GuestError, match="has ended"):
            machine.run("true")


def test_evidence_is_saved_of_a_dead_guest_too(tiered: Guest, guest: BootGuest, tmp_path: Path) -> None:
    tiered.save_evidence(tmp_path / "alive")
    assert "Linux version" in (tmp_path / "alive" / "dmesg.txt").read_text()
    with guest(topology=ONE_NODE) as machine:
        machine.kill()
        machine.save_evidence(tmp_path / "dead")
    assert (tmp_path / "dead" / "console.log").exists()
