"""The period of heartbeats."""

import pytest

from terrace_agent.heartbeat import LONGEST_S, SHORTEST_S, WRITES_PER_SECOND, period_s


@pytest.mark.parametrize("nodes", [0, 1, 100, 1500])
def test_a_small_fleet_speaks_once_a_minute(nodes: int) -> None:
    assert period_s(nodes) == SHORTEST_S


@pytest.mark.parametrize("nodes", [5_000, 15_000, 20_000])
def test_a_large_fleet_writes_no_more_in_all(nodes: int) -> None:
    assert nodes / period_s(nodes) == pytest.approx(WRITES_PER_SECOND)


def test_no_fleet_makes_an_agent_silent_for_ever() -> None:
    assert period_s(1_000_000) == LONGEST_S
