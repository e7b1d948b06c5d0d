"""The first engine that really can is taken, and every one that was passed over says why."""

import errno
import io
from pathlib import Path

import pytest

from terrace_agent.conditions import conditions
from terrace_agent.cycle import Cycle
from terrace_agent.decide import Intent, Outcome
from terrace_agent.engine import Plan
from terrace_agent.engines import make_engines
from terrace_agent.errors import EngineMustStop, EngineUnavailable, PrivilegeLost, StoreRefused
from terrace_agent.report import Active, activate
from terrace_agent.steplog import StepLog
from terrace_agent.steps import Restore
from terrace_agent.turn import Turn
from terrace_api.conditions import ConditionStatus
from terrace_api.node_tiering import ConditionType, EngineName
from unit.agent.fake_engine import FakeEngine
from unit.agent.host_tree import HostTree, guest_files
from unit.agent.orders import OSRELEASE, manage, order, restore
from unit.agent.sim_host import SimHost

AUTO = order(manage())
BUSY = EngineUnavailable(reason="ForeignKdamonds", message="somebody else is here")
MUST_STOP = EngineMustStop(reason="CannotExclude", message="a pod must not move")


class Node:
    """Two engines on one machine."""

    def __init__(self) -> None:
        self.damon = FakeEngine()
        self.balancing = FakeEngine(name=EngineName.NUMA_BALANCING)
        self.host = HostTree(guest_files() | OSRELEASE)
        self.last: Turn | None = None

    def take(self, what: object = AUTO) -> Turn:
        engines = (self.damon, self.balancing)
        self.last = Cycle(self.host, engines, StepLog(io.StringIO())).turn(what, self.last)  # type: ignore[arg-type]
        return self.last

    def available(self) -> tuple[ConditionStatus, str, str]:
        assert self.last
        found = conditions(self.last.situation(""), generation=1, now="", before=())
        one = next(one for one in found if one.type == ConditionType.ENGINE_AVAILABLE)
        return one.status, one.reason, one.message


def test_the_best_engine_that_can_run_is_taken_and_no_other() -> None:
    node = Node()
    assert node.take().engine is EngineName.DAMON
    assert (node.damon.applied, node.balancing.applied) == (["start"], [])
    assert node.available() == (ConditionStatus.TRUE, "Available", "it can")


def test_the_next_one_is_taken_with_the_reason_for_the_first() -> None:
    node = Node()
    node.damon.available = False
    assert node.take().engine is EngineName.NUMA_BALANCING
    assert node.balancing.applied == ["start"]
    assert node.available()[2] == "it can Passed over: damon: the interface is missing; newer helps"


def test_an_engine_that_cannot_plan_after_all_is_passed_over_in_the_same_turn() -> None:
    node = Node()
    node.damon.failures["plan"] = BUSY
    turn = node.take()
    assert (turn.engine, turn.failure) == (EngineName.NUMA_BALANCING, None)
    assert [(one.available, one.reason) for one in turn.capabilities] == [
        (False, "ForeignKdamonds"),
        (True, "Available"),
    ]


def test_a_better_engine_that_appears_takes_over_and_the_other_is_stopped_first() -> None:
    node = Node()
    node.damon.available = False
    node.take()
    node.damon.available = True
    turn = node.take()
    assert turn.engine is EngineName.DAMON
    assert (node.balancing.applied, node.damon.applied) == (["start", "stop"], ["start"])


def test_an_engine_that_goes_away_is_stopped_before_the_next_one_starts() -> None:
    node = Node()
    node.take()
    node.damon.failures["plan"] = BUSY
    node.take()
    assert (node.damon.applied, node.balancing.applied) == (["start", "stop"], ["start"])


def test_nothing_starts_while_what_runs_cannot_be_stopped() -> None:
    node = Node()
    node.damon.available = False
    node.take()
    node.damon.available = True
    node.balancing.failures["apply"] = StoreRefused(path="/proc/sys/kernel/numa_balancing", value="1", errno=1)
    turn = node.take()
    assert isinstance(turn.failure, StoreRefused)
    assert node.damon.applied == []


def test_the_totals_of_all_engines_are_kept_over_a_change() -> None:
    node = Node()
    node.damon.available = False
    node.balancing.promoted_bytes = 30
    node.take()
    node.damon.available, node.damon.promoted_bytes = True, 12
    assert node.take().moved.promoted_bytes == 42


@pytest.mark.parametrize(("choice", "engine"), [("DAMON", "damon"), ("NUMABalancing", "numa_balancing")])
def test_a_policy_that_names_an_engine_gets_that_one(choice: str, engine: str) -> None:
    assert Node().take(order(manage(engine=choice))).engine == engine


def test_a_named_engine_that_cannot_run_leaves_no_other_one_running() -> None:
    node = Node()
    node.take()
    node.balancing.available = False
    turn = node.take(order(manage(engine="NUMABalancing")))
    assert (turn.intent, turn.engine) == (Intent.UNSUPPORTED, None)
    assert node.damon.applied == ["start", "stop"]
    status, reason, message = node.available()
    assert (status, reason) == (ConditionStatus.FALSE, "NoDamonSysfs")
    assert message.startswith("numa_balancing: ")


def test_where_none_can_plan_the_first_reason_is_told_and_what_runs_goes_on() -> None:
    node = Node()
    node.take()
    node.balancing.available = False
    node.damon.failures["plan"] = BUSY
    turn = node.take()
    assert (turn.failure, node.damon.applied) == (BUSY, ["start"])
    assert node.available()[1] == "ForeignKdamonds"


def test_what_would_move_a_pod_that_must_not_move_is_stopped_even_if_nothing_takes_over() -> None:
    node = Node()
    node.damon.available = False
    node.take()
    node.balancing.failures["plan"] = MUST_STOP
    turn = node.take()
    assert turn.failure is MUST_STOP
    assert node.balancing.applied == ["start", "stop"]


def test_restore_stops_all_engines() -> None:
    node = Node()
    node.take()
    node.balancing.running = node.damon.running
    node.take(order(restore()))
    assert (node.damon.applied, node.balancing.applied) == (["start", "stop"], ["stop"])


class Settings(FakeEngine):
    """An engine of which nothing but a setting of the kernel would be left."""

    def plan_stop(self) -> Plan:
        steps = (Restore(path="/sys/x", value="1"),) if self.running else ()
        return Plan(steps=steps, reason="stop")


def test_a_lesser_engine_does_not_start_beside_settings_that_cannot_be_brought_back() -> None:
    node = Node()
    node.damon = Settings()
    node.take()
    node.damon.failures = {"plan": BUSY, "apply": StoreRefused(path="/sys/x", value="1", errno=errno.EROFS)}
    turn = node.take()
    assert (turn.failure, node.balancing.applied) == (node.damon.failures["apply"], [])


@pytest.mark.parametrize("failure", ["plan_stop", "apply"])
def test_an_engine_that_cannot_be_stopped_does_not_keep_the_others_in_force(failure: str) -> None:
    node = Node()
    node.take()
    node.balancing.running = node.damon.running
    node.damon.failures[failure] = StoreRefused(path="/sys/x", value="off", errno=errno.EBUSY)
    turn = node.take(order(restore()))
    assert (node.balancing.applied, turn.failure) == (["stop"], node.damon.failures[failure])
    assert turn.outcome is Outcome.UNCHANGED


def test_where_a_named_engine_cannot_plan_after_all_no_other_one_goes_on() -> None:
    node = Node()
    node.take()
    node.balancing.failures["plan"] = BUSY
    turn = node.take(order(manage(engine="NUMABalancing", revision="r2")))
    assert (turn.failure, node.damon.applied) == (BUSY, ["start", "stop"])


def test_to_stop_one_engine_is_not_to_have_stopped_what_another_one_runs() -> None:
    node = Node()
    node.take()
    node.damon.failures["plan"] = BUSY
    node.balancing.failures["plan"] = MUST_STOP
    turn = node.take()
    assert (node.damon.applied, turn.running) == (["start"], True)
    before = Active(revision="r1", since="2026-11-23T21:00:00Z")
    after = activate(
        before,
        outcome=turn.outcome,
        intent=turn.intent,
        revision="r1",
        running=turn.running,
        now="2026-11-23T22:00:00Z",
    )
    assert after == before


class RelayGone(SimHost):
    """A host whose sidecar can be switched off."""

    off = False

    def store(self, path: str, value: str) -> None:
        if self.off and path.startswith("/proc/sys/kernel/numa_balancing"):
            raise StoreRefused(path=path, value=value, errno=errno.EROFS)
        super().store(path, value)


def tiered_without_relay(tmp_path: Path) -> tuple[RelayGone, Turn]:
    """Returns a host that the kernel tiered by itself when the sidecar was switched off, and its last turn."""
    host = RelayGone(tiering=True)
    cycle = Cycle(host, make_engines(host, tmp_path), StepLog(io.StringIO()))
    before = cycle.turn(order(manage(engine="NUMABalancing")), None)
    host.off = True
    return host, before


def test_a_better_engine_starts_although_the_kernels_own_switch_cannot_be_brought_back(tmp_path: Path) -> None:
    host, before = tiered_without_relay(tmp_path)
    cycle = Cycle(host, make_engines(host, tmp_path), StepLog(io.StringIO()))
    for _ in range(2):
        before = cycle.turn(AUTO, before)
        assert (before.engine, before.outcome, len(before.moved.kdamonds)) == (EngineName.DAMON, Outcome.IN_FORCE, 2)
        assert isinstance(before.failure, PrivilegeLost)
    found = {one.type: one for one in conditions(before.situation("r1"), generation=1, now="", before=())}
    ready = found[ConditionType.READY]
    assert (ready.status, ready.reason) == (ConditionStatus.FALSE, "PrivilegeLost")
    assert "numaBalancing.enabled on again" in ready.message
    assert "terrace-agent stop" in ready.message
    host.off = False
    after = cycle.turn(AUTO, before)
    assert (after.failure, host.read("/proc/sys/kernel/numa_balancing")) == (None, "1")


def test_a_node_that_still_promotes_by_itself_is_not_said_to_observe(tmp_path: Path) -> None:
    host, before = tiered_without_relay(tmp_path)
    cycle = Cycle(host, make_engines(host, tmp_path), StepLog(io.StringIO()))
    turn = cycle.turn(order(manage(mode="Observe")), before)
    assert (turn.outcome, type(turn.failure)) == (Outcome.UNCHANGED, PrivilegeLost)


def test_from_the_kernels_own_tiering_to_damon_nothing_is_left_behind(tmp_path: Path) -> None:
    """The real engines: a policy that names one and then the other, and then is gone."""
    host = SimHost(tiering=True)
    cycle = Cycle(host, make_engines(host, tmp_path), StepLog(io.StringIO()))
    switches = ("/proc/sys/kernel/numa_balancing", "/sys/kernel/mm/numa/demotion_enabled")
    found = [host.read(path) for path in switches]
    first = cycle.turn(order(manage(engine="NUMABalancing")), None)
    assert (first.failure, [host.read(path) for path in switches]) == (None, ["3", "true"])
    second = cycle.turn(order(manage(engine="DAMON")), first)
    assert (second.failure, [host.read(path) for path in switches]) == (None, ["1", "true"])
    assert len(second.moved.kdamonds) == 2
    third = cycle.turn(order(manage(engine="NUMABalancing")), second)
    assert (third.failure, [host.read(path) for path in switches]) == (None, ["3", "true"])
    assert third.moved.kdamonds == ()
    cycle.turn(order(restore()), third)
    assert [host.read(path) for path in switches] == found
