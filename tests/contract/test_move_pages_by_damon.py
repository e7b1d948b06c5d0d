"""The move_pages engine where DAMON looks for it, on a real kernel: what moves, and what SIGKILL leaves."""

from collections.abc import Iterator

import pytest

from contract import in_guest, kernel_state
from contract.kernel_state import KDAMONDS, STAT
from contract.test_engine_on_kernel import FOREIGN
from contract.test_tiering_without_damon import equip, load, now, tier
from testbed.fixtures import BootGuest
from testbed.guest import Guest
from testbed.node import ALONE

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

ACTIONS = f"cat {KDAMONDS}/0/contexts/0/schemes/*/action | sort -u"
TARGETS = f"cat {KDAMONDS}/0/contexts/0/targets/*/pid_target"


@pytest.fixture(scope="module")
def booted(guest: BootGuest) -> Iterator[Guest]:
    """A guest whose own NUMA balancing is off."""
    with guest(append=ALONE) as one:
        equip(one)
        yield one


@pytest.fixture
def clean(booted: Guest) -> Iterator[Guest]:
    """The guest, which a test leaves as it found it."""
    found = kernel_state.settings(booted)
    yield booted
    booted.run("pkill hotcold; true")
    tier(booted, "move_pages", 0)
    assert kernel_state.settings(booted) == found


def test_the_hot_set_comes_up_and_nothing_goes_down_while_there_is_room(clean: Guest) -> None:
    load(clean)
    before = now(clean)
    told = tier(clean, "move_pages", 40)
    after = now(clean)
    assert told["reason"] == "Available", told["message"]
    assert "DAMON (vaddr)" in told["message"]
    assert before.hot_fast_ratio < 0.5
    assert after.hot_fast_ratio >= 0.99
    assert abs(told["promoted"] - (after.hot_fast_bytes - before.hot_fast_bytes)) < 16 << 20
    assert told["demoted"] == 0
    assert after.cold_fast_bytes >= before.cold_fast_bytes
    # The agent has ended without a stop, as by SIGKILL: what is left watches, and moves nothing.
    assert clean.run(ACTIONS).stdout.split() == ["stat"]
    assert len(kernel_state.running(clean)) == 1
    assert set(clean.run(TARGETS).stdout.split()) >= set(clean.run("pgrep -o hotcold").stdout.split())


@pytest.mark.parametrize("stores", [1, 3, 20, 39])
def test_after_sigkill_at_a_store_the_next_agent_goes_on(clean: Guest, stores: int) -> None:
    load(clean)
    in_guest.run_until_it_dies(clean, "tiering_in_guest", "move_pages", "30", str(stores))
    told = tier(clean, "move_pages", 5)
    assert "DAMON (vaddr)" in told["message"]
    assert all(pid > 0 for pid in kernel_state.running(clean))


def test_somebody_elses_kdamond_goes_on_and_another_tracker_takes_over(clean: Guest) -> None:
    pid = int(clean.run(FOREIGN).stdout)
    load(clean)
    told = tier(clean, "move_pages", 5)
    running = kernel_state.running(clean)
    tier(clean, "move_pages", 0)
    assert kernel_state.running(clean) == running == [pid]
    assert "soft-dirty" in told["message"]
    clean.run(f"cd {KDAMONDS} && echo off > 0/state && echo 0 > nr_kdamonds")
    clean.run(f"[ ! -e {STAT} ] || echo Y > {STAT}")


def test_when_one_of_the_processes_ends_the_others_keep_their_numbers(clean: Guest) -> None:
    told = in_guest.run(clean, "monitor_in_guest")
    assert told == {"runs": True, "mine": True, "of_the_one_that_ended": False}
