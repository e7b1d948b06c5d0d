"""The loop rolls out to a fleet whose operator dies, whose answers get lost, and whose agents take their time."""

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.fake_fleet import FakeFleet, Killed, Watched
from cases.fleets import FAILED, a_node, a_policy, a_status
from terrace_api.node_tiering import Action
from terrace_api.policy import TieringPolicy
from terrace_operator.compile import compile_spec
from terrace_operator.fleet import Tiering
from terrace_operator.metrics import Metrics
from terrace_operator.reconcile import Reconciler
from terrace_operator.rollout import PATIENCE_S
from terrace_operator.statuses import StatusWrite
from terrace_operator.wake import Wake

NAMES = [f"n{number}" for number in range(7)]
LIMIT = 2


def policy(generation: int, mode: str, rollout: dict[str, Any]) -> TieringPolicy:
    limits = {"bake": "0s", "maxUpdating": LIMIT}
    return a_policy("batch", generation=generation, mode=mode, rollout=limits | rollout)


class Show:
    """Nodes on which one revision is good, a policy that was edited to another, and an operator that may die.

    Attributes:
        most: how many nodes were updating at once, at the worst moment.
        waves: how many nodes were told in each wave, less those that had been told and left, in it or since the one
            before began. A wave begins when all that were told have answered.
    """

    def __init__(self, *, failing: tuple[str, ...] = (), names: Iterable[str] = NAMES, **rollout: str | int) -> None:
        self.most = 0
        self.waves: list[int] = []
        self._told: set[str] = set()
        self._left = 0
        self._now_s = 1000.0
        self._metrics = Metrics()
        self.fleet = FakeFleet(after_write=self._count)
        self._failing = failing
        good = policy(1, "Observe", rollout)
        for name in names:
            self.fleet.add_node(a_node(name))
        self.fleet.put_policy(good)
        self.fleet.statuses["batch"] = a_status(good=good)
        self._target = compile_spec(good)
        self._operator = self._new_operator()
        self.run()
        self.fleet.writes.clear()
        self.most = 0
        self.waves.clear()
        self._told.clear()
        self.fleet.put_policy(policy(2, "Enforce", rollout))
        self._target = compile_spec(policy(2, "Enforce", rollout))

    def run(
        self,
        *,
        lives: Callable[[], int | None] = lambda: None,
        answers: random.Random | None = None,
        leaves: Callable[[list[str]], str | None] = lambda _: None,
    ) -> None:
        """Lets everything happen until nothing happens any more.

        Args:
            lives: after how many writes each operator is killed; None for never.
            answers: chooses after each pass who answers and of whom the operator hears; without it all.
            leaves: which of the nodes leaves after a pass.
        """
        self.fleet.lives_for = lives()
        quiet = 0
        with pytest.MonkeyPatch.context() as patched, asyncio.Runner() as runner:
            patched.setattr(time, "monotonic", self._clock)
            while quiet < 2:
                happened = len(self.fleet.writes)
                try:
                    self._operator.policies_changed()
                    runner.run(self._operator.reconcile())
                except Killed:
                    self._operator = self._new_operator()
                    self.fleet.lives_for = lives()
                if gone := leaves(sorted(self.fleet.nodes)):
                    self._leave(gone)
                for name in tuple(self._view.tierings | self.fleet.tierings):
                    if answers is None or answers.random() < 0.5:
                        self._answer(name)
                    if answers is None or answers.random() < 0.5:
                        self._view.hear(name)
                self._now_s += 2.0 if len(self.fleet.writes) > happened else PATIENCE_S
                quiet = 0 if len(self.fleet.writes) > happened or self._waiting() else quiet + 1

    def outcome(self) -> Any:
        """Returns what must not depend on who died when: all specs, and what the policy's status remembers and says.

        Whether a second failure was noticed before the first was recorded is chance.
        """
        status = self.fleet.statuses["batch"]
        specs = {name: one.spec.revision for name, one in self.fleet.tierings.items() if one.spec}
        said = [(found.type, found.status, found.reason) for found in status.conditions]
        stopped = status.stopped and (status.stopped.generation, status.stopped.revision)
        return specs, status.last_good, stopped, said, status.updated, status.ready

    def _clock(self) -> float:
        return self._now_s

    def _answer(self, name: str) -> None:
        tiering = self.fleet.tierings.get(name)
        fails = name in self._failing and tiering is not None and tiering.spec == self._target
        self.fleet.answer(name, *((FAILED,) if fails else ()))

    def _leave(self, name: str) -> None:
        if self.waves and self.fleet.tierings[name].spec == self._target:
            self.waves[-1] -= 1
            self._left += 1
        self.fleet.remove_node(name)
        self.fleet.collect_garbage()

    def _waiting(self) -> bool:
        return any(not self._has_answered(one) for one in self._managed()) or self._view.tierings != self.fleet.tierings

    def _managed(self) -> list[Tiering]:
        return [one for one in self.fleet.tierings.values() if one.spec and one.spec.action is Action.MANAGE]

    def _count(self) -> None:
        self.most = max(self.most, sum(self._is_updating(one) for one in self._managed()))
        told = {one.name: one for one in self._managed() if one.spec == self._target}
        for name in told.keys() - self._told:
            if all(self._has_answered(one) for one in told.values() if one.name != name):
                self.waves.append(-self._left)
                self._left = 0
            self.waves[-1] += 1
        self._told = set(told)

    def _is_updating(self, tiering: Tiering) -> bool:
        return tiering.spec == self._target and not self._has_answered(tiering)

    def _has_answered(self, tiering: Tiering) -> bool:
        return tiering.report is not None and tiering.report.observed_generation == tiering.generation

    def _new_operator(self) -> Reconciler:
        """Nothing may wait for a turn to write: the clock stands still during a pass."""
        self._view = Watched(self.fleet)
        return Reconciler(self._view, self._metrics, Wake(), self.fleet.events.extend, writes_per_second=math.inf)


SCENES: list[dict[str, Any]] = [
    {},
    {"failing": ("n0",), "onFailure": "Pause"},
    {"failing": ("n0",), "onFailure": "Rollback"},
    {"failing": ("n4", "n5"), "onFailure": "Rollback"},
]


@pytest.fixture(params=SCENES, ids=str)
def scene(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


def test_an_operator_that_is_killed_after_any_write_leads_to_the_same_end(scene: dict[str, Any]) -> None:
    undisturbed = Show(**scene)
    undisturbed.run()
    assert undisturbed.most <= LIMIT
    for number in range(1, len(undisturbed.fleet.writes) + 1):
        show, lives = Show(**scene), iter([number])
        show.run(lives=lambda: next(lives, None))  # noqa: B023 (called before the next turn)
        assert show.outcome() == undisturbed.outcome(), f"killed after write {number}"
        assert show.most <= LIMIT


def test_an_operator_that_is_killed_after_every_write_leads_to_the_same_end(scene: dict[str, Any]) -> None:
    undisturbed, show = Show(**scene), Show(**scene)
    undisturbed.run()
    show.run(lives=lambda: 1)
    assert show.outcome() == undisturbed.outcome()
    assert show.most <= LIMIT


@settings(max_examples=60, deadline=None)
@given(scene=st.sampled_from(SCENES), seed=st.integers(0, 2**32), losses=st.sets(st.integers(0, 40)))
def test_whoever_answers_when_and_whichever_answer_is_lost_the_limit_holds(
    scene: dict[str, Any], seed: int, losses: set[int]
) -> None:
    undisturbed, show, chance = Show(**scene), Show(**scene), random.Random(seed)
    undisturbed.run()
    show.fleet.loses = lambda write: len(show.fleet.writes) in losses and not isinstance(write, StatusWrite)
    show.run(lives=lambda: chance.choice([None, 1, 2, 5]), answers=chance)
    assert show.outcome() == undisturbed.outcome()
    assert show.most <= LIMIT


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), bake=st.sampled_from(["0s", "10s"]))
def test_however_many_nodes_leave_and_when_no_wave_is_larger_than_when_it_began(seed: int, bake: str) -> None:
    chance, names = random.Random(seed), [f"n{number:02}" for number in range(20)]
    show = Show(names=names, maxUpdating="30%", bake=bake)
    show.run(
        lives=lambda: chance.choice([None, None, 3, 5]),
        answers=chance,
        leaves=lambda present: chance.choice(present) if len(present) > 3 and chance.random() < 0.2 else None,
    )
    assert max(show.waves) <= 6
    assert show.most <= 6
    assert {one.spec for one in show.fleet.tierings.values()} == {compile_spec(policy(2, "Enforce", {}))}


@pytest.mark.parametrize("on_failure", ["Pause", "Rollback"])
def test_a_canary_that_fails_changes_nothing_else(on_failure: str) -> None:
    show = Show(failing=("n0",), onFailure=on_failure)
    show.run()
    assert {write.name for write in show.fleet.writes if not isinstance(write, StatusWrite)} == {"n0"}
