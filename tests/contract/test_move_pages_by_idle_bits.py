"""The move_pages engine on a kernel with idle page tracking and without DAMON, as none of Debian's is.

Soft-dirty bits, which it has, too, would not tell the hot set: the workload reads.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from contract import by_hand, hotcold, in_guest
from contract.test_tiering_without_damon import SWITCHES, equip, load, now, tier
from story.placement import ARRIVED, sample, seconds_to
from testbed.fixtures import BootGuest
from testbed.guest import Guest
from testbed.node import ALONE
from testbed.topology import SLOW, TWO_NODES_WITHOUT_HMAT, NumaNode, Topology

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

KERNEL = "6.12-idle"
SMALL = Topology(nodes=(NumaNode(mib=704, cpus=2), SLOW))
"""A fast nid that is soon full, so that looks at all of it do not take long."""
OFTEN = ("--cpu-percent", "100")
"""Emulated, a look takes a second: with the default's 3 percent the next one would be half a minute later."""


@pytest.fixture(scope="module")
def booted(guest: BootGuest) -> Iterator[Guest]:
    """A guest whose own NUMA balancing is off."""
    with guest(kernel=KERNEL, append=ALONE) as one:
        equip(one)
        yield one


@pytest.fixture
def clean(booted: Guest) -> Iterator[Guest]:
    """The guest, which a test leaves as it found it, without totals of what was moved."""
    found = booted.run(SWITCHES).stdout
    yield booted
    booted.run("pkill hotcold; true")
    tier(booted, "move_pages", 0)
    booted.run("rm -r /run/terrace")
    assert booted.run(SWITCHES).stdout == found


@pytest.fixture(scope="module")
def folios(booted: Guest) -> dict[str, Any]:
    return in_guest.run(booted, "idle_bits_in_guest")


@pytest.mark.parametrize(
    ("size", "count"),
    [("pages", 128), ("small folios", 128), ("folios", 64), ("large folios", 16), ("huge pages", 4)],
)
def test_bits_tell_what_was_read_of_memory_in_folios_of_each_size(
    folios: dict[str, Any], size: str, count: int
) -> None:
    assert folios[size]["folios"] == count
    assert folios[size]["quiet"] == [0] * 8
    assert folios[size]["read"] == [0, 0, 256, 256, 0, 0, 0, 0]


def test_the_hot_set_comes_up_and_nothing_goes_down_while_there_is_room(clean: Guest) -> None:
    load(clean)
    before = now(clean)
    told = tier(clean, "move_pages", 40, *OFTEN)
    after = now(clean)
    assert told["reason"] == "Available", told["message"]
    assert "idle pages" in told["message"]
    assert any(note.startswith("accesses are tracked by idle pages") for note in told["notes"])
    assert before.hot_fast_ratio < 0.5
    assert after.hot_fast_ratio >= ARRIVED
    assert abs(told["promoted"] - (after.hot_fast_bytes - before.hot_fast_bytes)) < 16 << 20
    assert told["demoted"] == 0
    assert after.cold_fast_bytes >= before.cold_fast_bytes


def test_90_percent_are_up_within_10_s_and_at_rest_it_takes_5_percent_of_a_cpu(clean: Guest) -> None:
    load(clean)
    told = tier(clean, "move_pages", 120)
    samples = [sample(line) for line in clean.read("/run/hotcold.log").splitlines() if line.endswith("}")]
    took_s = seconds_to(samples, 0.9, since_s=told["since_s"])
    words = f"{told['rest_cpu_percent']:.1f} % at rest; {hotcold.shares(samples, told['since_s'])}"
    assert took_s is not None, words
    assert took_s <= 10, words
    assert told["rest_cpu_percent"] <= 5, words
    assert told["demoted"] == 0


def test_what_is_cold_makes_room_on_a_full_fast_nid_and_nothing_else_does(guest: BootGuest) -> None:
    with guest(kernel=KERNEL, topology=SMALL, append=ALONE) as one:
        equip(one)
        load(one, "--cold-mib 420")
        before = now(one)
        told = tier(one, "move_pages", 90, *OFTEN)
        after = now(one)
        assert before.hot_fast_ratio < 0.5
        assert after.hot_fast_ratio >= 0.9
        assert told["demoted"] >= 8 << 20
        assert abs(told["demoted"] - (before.cold_fast_bytes - after.cold_fast_bytes)) < 16 << 20


def test_after_sigkill_the_next_agent_goes_on_and_brings_back_what_was_found(clean: Guest) -> None:
    load(clean)
    in_guest.run_until_it_dies(clean, "tiering_in_guest", "move_pages", "30", "1")
    assert clean.read("/sys/kernel/mm/numa/demotion_enabled") == "true\n"
    assert "idle pages" in tier(clean, "move_pages", 5)["message"]


def test_where_the_kernel_has_one_tier_auto_takes_move_pages_with_idle_bits(guest: BootGuest) -> None:
    with guest(kernel=KERNEL, topology=TWO_NODES_WITHOUT_HMAT, append=ALONE) as one:
        equip(one)
        by_hand.install(one)
        one.copy_in(by_hand.SAMPLES / "enforce.yaml", by_hand.POLICY)
        told = by_hand.command(one, f"plan {by_hand.POLICY}")
        assert "move_pages promotes what is hot from nid 1 to nid 0" in told
        assert "accesses are tracked by idle pages" in told
        assert "passed over: damon: " in told
        assert "numa_balancing: The kernel sees one memory tier only" in told
