"""The mover on a real kernel while processes are killed and the target is full: no crash, no leak, no mistake."""

from collections.abc import Iterator
from typing import Any

import pytest

from contract import in_guest, kernel_state
from contract.test_tiering_without_damon import equip
from testbed.fixtures import BootGuest
from testbed.guest import Guest
from testbed.node import ALONE

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

LIMIT_S = 900
LEAKED_MIB = 8
PIPES = 4
"""Open files of an agent whose mover was started later."""
PAGES = 16 * 256
STEADY_PAGES = 48 * 256


@pytest.fixture(scope="module")
def booted(guest: BootGuest) -> Iterator[Guest]:
    """A guest whose own NUMA balancing is off."""
    with guest(append=ALONE) as one:
        equip(one)
        yield one


@pytest.fixture(scope="module")
def mover(booted: Guest) -> dict[str, Any]:
    return in_guest.run(booted, "mover_in_guest", limit_s=LIMIT_S)


@pytest.fixture(scope="module")
def churn(booted: Guest) -> Iterator[dict[str, Any]]:
    found = kernel_state.settings(booted)
    yield in_guest.run(booted, "churn_in_guest", limit_s=LIMIT_S)
    assert kernel_state.settings(booted) == found


def test_processes_that_are_killed_while_they_are_moved_are_pages_that_have_gone(mover: dict[str, Any]) -> None:
    killed = mover["killed"]
    assert killed["whole"]["moved"] == PAGES
    assert killed["halfway"] > 0
    assert killed["killed"]["gone"] > 0
    assert killed["problem"] == ""


def test_a_full_target_takes_what_fits_and_the_rest_stays_where_it_was(mover: dict[str, Any]) -> None:
    full = mover["full"]
    assert full["outcome"]["full"] > 0
    assert full["outcome"]["moved"] == full["places"]["1"]
    assert full["places"]["0"] + full["places"]["1"] == full["pages"]


def test_a_cpuset_that_excludes_the_target_is_respected_and_told(mover: dict[str, Any]) -> None:
    assert mover["narrow"]["outcome"]["denied"] > 0
    assert mover["narrow"]["places"] == {"0": PAGES}


def test_of_10_000_processes_that_end_at_once_nothing_is_moved_and_nothing_of_others(mover: dict[str, Any]) -> None:
    gone = mover["gone"]
    assert gone["outcome"]["moved"] == 0
    assert gone["outcome"]["gone"] + gone["outcome"]["shared"] >= 10_000
    assert gone["stayed"]


def test_the_mover_neither_ends_nor_leaks(mover: dict[str, Any]) -> None:
    (pid, *before), (pid_now, *after) = mover["before"], mover["after"]
    assert pid == pid_now
    for (files, mib), (files_now, mib_now) in zip(before, after, strict=True):
        assert files == files_now
        assert mib_now - mib <= LEAKED_MIB


def test_while_processes_come_and_go_the_hot_pod_is_moved_and_no_page_of_those_that_must_not(
    churn: dict[str, Any],
) -> None:
    assert churn["ended"] >= 1_000
    placed, found = churn["placed"], churn["found"]
    assert found["fire/excluded"] == placed["fire/excluded"] == {"1": STEADY_PAGES}
    assert found["fire/narrow"] == placed["fire/narrow"] == {"1": STEADY_PAGES}
    assert found["fire/free"].get("0", 0) >= 0.9 * STEADY_PAGES
    assert any("whose cpuset excludes the target" in note for note in churn["notes"])


def test_while_processes_come_and_go_the_agent_does_not_leak(churn: dict[str, Any]) -> None:
    files, mib = churn["settled"]
    assert churn["after"][0] <= files + PIPES
    assert churn["after"][1] - mib <= LEAKED_MIB


def test_nobody_was_killed_for_memory_and_nothing_crashed(booted: Guest, mover: object, churn: object) -> None:
    log = booted.run("dmesg").stdout
    assert not [line for line in log.splitlines() if "oom-kill" in line or "BUG:" in line or "segfault" in line]
