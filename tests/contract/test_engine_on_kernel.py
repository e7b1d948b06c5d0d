"""The damon engine on a real kernel: starts, is adopted, changes, survives SIGKILL, refuses, and leaves no trace."""

from collections.abc import Iterator
from typing import Any

import pytest

from contract import in_guest, kernel_state
from contract.kernel_state import KDAMONDS, STAT
from testbed.guest import Guest

pytestmark = pytest.mark.kernel

FOREIGN = f"""
[ ! -e {STAT} ] || echo N > {STAT}
cd {KDAMONDS} && echo 1 > nr_kdamonds && echo 1 > 0/contexts/nr_contexts && echo paddr > 0/contexts/0/operations
echo on > 0/state && cat 0/pid
"""


class Agent:
    """The engine's turns in a guest."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def turn(self, what: str) -> dict[str, Any]:
        return in_guest.run(self.guest, "engine_in_guest", what)

    def killed_turn(self, what: str, *, after_stores: int) -> None:
        in_guest.run_until_it_dies(self.guest, "engine_in_guest", what, str(after_stores))

    def settings(self) -> tuple[str, ...]:
        return kernel_state.settings(self.guest)

    def running(self) -> list[int]:
        return kernel_state.running(self.guest)


@pytest.fixture
def agent(equipped: Guest) -> Iterator[Agent]:
    one = Agent(equipped)
    found = one.settings()
    yield one
    one.turn("stop")
    assert one.settings() == found


def test_start_adopt_commit_and_stop(agent: Agent) -> None:
    found = agent.settings()
    assert (found[0], found[-1]) == ("0", "false")
    started = agent.turn("start")
    assert set(started["kdamonds"]) == {"promotion", "demotion"}
    assert agent.settings() == ("2", *("N" for _ in found[1:-1]), "true")
    adopted = agent.turn("start")
    assert adopted["kdamonds"] == started["kdamonds"]
    committed = agent.turn("commit")
    assert committed["kdamonds"] == started["kdamonds"]
    assert committed["used_target"] == "80%"
    agent.turn("stop")
    assert agent.settings() == found


@pytest.mark.parametrize("store", [3, 111, *(pytest.param(store, marks=pytest.mark.matrix) for store in (1, 40, 112))])
def test_a_start_that_was_killed_is_completed(agent: Agent, store: int) -> None:
    agent.killed_turn("start", after_stores=store)
    assert set(agent.turn("start")["kdamonds"]) == {"promotion", "demotion"}


@pytest.mark.parametrize("store", [3, *(pytest.param(store, marks=pytest.mark.matrix) for store in (1, 5))])
def test_a_commit_that_was_killed_is_completed_online(agent: Agent, store: int) -> None:
    pids = agent.turn("start")["kdamonds"]
    agent.killed_turn("commit", after_stores=store)
    completed = agent.turn("commit")
    assert (completed["kdamonds"], completed["used_target"]) == (pids, "80%")


def test_somebody_elses_kdamond_goes_on_and_is_named(agent: Agent) -> None:
    pid = int(agent.guest.run(FOREIGN).stdout)
    refused = agent.turn("start")
    assert agent.running() == [pid]
    agent.turn("stop")
    assert agent.running() == [pid]
    agent.guest.run(f"cd {KDAMONDS} && echo off > 0/state && echo 0 > nr_kdamonds")
    agent.guest.run(f"[ ! -e {STAT} ] || echo Y > {STAT}")
    assert not refused["available"]
    assert f"kdamond 0 (pid {pid}, paddr, schemes: none) runs" in refused["message"]
