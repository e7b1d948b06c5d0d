"""Commit after commit while pods come and go, on a real kernel: nothing is refused for good, dies or leaks."""

from collections.abc import Iterator
from typing import Any

import pytest

from contract import by_hand, in_guest, kernel_state
from contract.commits_in_guest import COMMITS, LIMIT_S
from contract.test_tiering_without_damon import equip
from testbed.fixtures import BootGuest
from testbed.node import ALONE

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

LEAKED_MIB = 4
QUICK = {
    "cpuPercent": 100,
    "sampleInterval": "20ms",
    "aggregationInterval": "400ms",
    "autoTune": {"minSample": "20ms", "maxSample": "40ms"},
}
"""A command waits for the next sample, and idle nids are sampled as seldom as the policy allows."""


@pytest.fixture(scope="module")
def told(guest: BootGuest) -> Iterator[dict[str, Any]]:
    with guest(append=ALONE) as booted:
        equip(booted)
        by_hand.install(booted)
        booted.write(by_hand.POLICY, by_hand.like_the_demo(monitoring=QUICK))
        found = kernel_state.settings(booted)
        one = in_guest.run(booted, "commits_in_guest", by_hand.POLICY, limit_s=LIMIT_S + 200)
        print(one)
        yield one
        assert kernel_state.settings(booted) == found


def test_no_condition_says_that_anything_is_wrong(told: dict[str, Any]) -> None:
    assert told["commits"] >= COMMITS, told
    assert told["gone"] >= COMMITS // 4, told
    assert told["wrong"] == {}, told


def test_no_kdamond_dies(told: dict[str, Any]) -> None:
    first, last = told["pids"]
    assert len(first) == 2, told
    assert first == last == told["running"], told


def test_the_agent_does_not_leak(told: dict[str, Any]) -> None:
    (files, mib), (files_now, mib_now) = told["settled"], told["after"]
    assert files_now == files, told
    assert mib_now - mib <= LEAKED_MIB, told
