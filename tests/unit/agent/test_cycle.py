"""One turn: what is done, and that whatever fails ends in the result."""

import errno
import io

import pytest

from terrace_agent.cycle import Cycle
from terrace_agent.decide import Intent, Outcome
from terrace_agent.errors import EngineUnavailable, HostFileUnreadable, SettingsRejected, StateUnusable, StoreRefused
from terrace_agent.flows.demotion import DEMOTION_ENABLED
from terrace_agent.journal import JournalState, Original
from terrace_agent.move_pages.engine import MovePagesEngine
from terrace_agent.order import Order
from terrace_agent.report import Active, make_status
from terrace_agent.steplog import StepLog
from terrace_agent.turn import Turn, is_defect
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import ConditionType
from unit.agent.damon.builders import MemoryJournal
from unit.agent.fake_engine import FakeEngine
from unit.agent.host_tree import HostTree, guest_files
from unit.agent.orders import OSRELEASE, manage, order, restore

ENFORCE = order(manage())
OBSERVE = order(manage(mode="Observe"))
RESTORE = order(restore())
REFUSED = StoreRefused(path="/sys/x", value="on", errno=errno.EBUSY)
ABSENT = [{"name": "fast", "nids": [0]}, {"name": "slow", "nids": [7]}]
"""Tiers of which this machine lacks one."""
TWO_SOCKETS: dict[str, str | int] = {"/sys/devices/system/node/node1/cpulist": "2-3"}


def take(what: Order, engine: FakeEngine, before: Turn | None = None, *, two_sockets: bool = False) -> Turn:
    host = HostTree(guest_files(hmat=not two_sockets) | OSRELEASE | (TWO_SOCKETS if two_sockets else {}))
    return Cycle(host, (engine,), StepLog(io.StringIO())).turn(what, before)


def test_without_any_settings_nothing_is_touched() -> None:
    engine = FakeEngine()
    turn = take(Order(), engine)
    assert (turn.intent, turn.failure, engine.applied) == (Intent.WAIT, None, [])
    assert [tier.name for tier in turn.topology.tiers] == ["fast", "slow"]


def test_enforce_starts_once_and_then_finds_it_in_force() -> None:
    engine = FakeEngine()
    first = take(ENFORCE, engine)
    second = take(ENFORCE, engine, first)
    assert (first.steps, second.steps, engine.applied) == (1, 0, ["start"])
    assert (second.intent, second.failure) == (Intent.ENFORCE, None)


def test_observe_watches_moves_nothing_and_says_what_would_be_done() -> None:
    engine = FakeEngine()
    first = take(OBSERVE, engine)
    second = take(OBSERVE, engine, first)
    assert (engine.applied, engine.running) == (["watch"], None)
    assert first.plan
    assert first.plan.words == ("promote from nid 1 to nid 0",)
    assert first.situation("").details == "levels in a while"
    assert "200Mi are hot on slow nids and 1Gi cold on fast ones" in second.situation("").details
    assert "would promote about 150Mi" in second.situation("").details


def test_switching_to_observe_stops_what_ran() -> None:
    engine = FakeEngine()
    take(OBSERVE, engine, take(ENFORCE, engine))
    assert (engine.applied, engine.running) == (["start", "watch"], None)


@pytest.mark.parametrize("available", [True, False])
def test_restore_stops_what_ran_even_where_no_engine_can_run_any_more(available: bool) -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    engine.available = available
    turn = take(RESTORE, engine, before)
    assert (engine.applied, turn.failure) == (["start", "stop"], None)


def test_a_single_tier_runs_nothing() -> None:
    engine = FakeEngine()
    turn = take(ENFORCE, engine, two_sockets=True)
    assert (turn.intent, turn.failure, engine.applied) == (Intent.SINGLE_TIER, None, [])


def test_without_an_engine_nothing_is_touched() -> None:
    engine = FakeEngine(available=False)
    turn = take(ENFORCE, engine)
    assert (turn.intent, turn.failure, engine.applied) == (Intent.UNSUPPORTED, None, [])


def test_without_an_engine_observe_still_stops_what_runs_and_enforce_does_not() -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    engine.available = False
    before = take(ENFORCE, engine, before)
    assert engine.applied == ["start"]
    take(OBSERVE, engine, before)
    assert engine.applied == ["start", "stop"]


@pytest.mark.parametrize("plans", [True, False])
def test_an_engine_that_needs_the_agent_for_each_move_is_stopped_when_it_cannot_run(*, plans: bool) -> None:
    engine = FakeEngine(goes_on_alone=False)
    before = take(ENFORCE, engine)
    if plans:
        engine.available = False
    else:
        engine.failures["plan"] = EngineUnavailable(reason="NoPtrace", message="it may not")
    turn = take(ENFORCE, engine, before)
    assert (engine.applied, turn.outcome) == (["start", "stop"], Outcome.STOPPED)


class WritableTree(HostTree):
    """One that takes stores."""

    def store(self, path: str, value: str) -> None:
        self.files[path] = value


@pytest.mark.parametrize("tree", [WritableTree, HostTree])
def test_what_move_pages_set_is_brought_back_when_it_cannot_run_and_is_told_until_then(tree: type[HostTree]) -> None:
    host = tree(guest_files(hmat=True) | OSRELEASE | {DEMOTION_ENABLED: "true"})
    journal = MemoryJournal()
    journal.save(JournalState(originals=(Original(path=DEMOTION_ENABLED, value="false"),)))
    cycle = Cycle(host, (MovePagesEngine(host, journal),), StepLog(io.StringIO()))
    turn = cycle.turn(ENFORCE, None)
    said = applied(turn)
    if tree is WritableTree:
        assert (turn.outcome, host.read(DEMOTION_ENABLED)) == (Outcome.STOPPED, "false")
        assert said == "Nothing is in force."
    else:
        assert (turn.outcome, host.read(DEMOTION_ENABLED)) == (Outcome.UNCHANGED, "true")
        assert said == "What Terrace set in the kernel stays in force."


def test_nothing_is_said_to_be_in_force_only_where_no_engine_has_anything_to_bring_back() -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    engine.available = False
    engine.hides = True
    assert applied(take(ENFORCE, engine, before)) == "What Terrace set in the kernel stays in force."
    engine.failures["plan_stop"] = StateUnusable(path="/run/terrace/journal.json", errno=errno.EIO)
    assert applied(take(ENFORCE, engine, before)) == "What Terrace set in the kernel stays in force."
    engine.failures.clear()
    engine.running = None
    assert applied(take(ENFORCE, engine, before)) == "Nothing is in force."


def applied(turn: Turn) -> str:
    """What the condition `Applied` says after this turn, of an agent that knows of no revision in force."""
    status = make_status(turn.observed(Active()), before=None, now="2026-11-23T21:00:00Z")
    return next(one.message for one in status.conditions if one.type == ConditionType.APPLIED)


def test_tiers_against_the_kernels_order_are_followed_and_told() -> None:
    swapped = [{"name": "near", "nids": [1]}, {"name": "far", "nids": [0]}]
    turn = take(order(manage(tiers=swapped)), FakeEngine())
    assert turn.intent is Intent.ENFORCE
    assert "nid 1 of tier near is slower" in turn.situation("r1").against_kernel


def test_a_wrong_nid_is_refused_before_the_engine_is_asked() -> None:
    engine = FakeEngine()
    turn = take(order(manage(tiers=ABSENT)), engine)
    assert isinstance(turn.refused, SettingsRejected)
    assert (turn.intent, turn.failure, engine.applied) == (Intent.WAIT, None, [])
    assert [nid.nid for nid in turn.topology.nids] == [0, 1]


def test_a_refused_revision_leaves_the_one_before_running() -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    engine.failures["plan"] = SettingsRejected(reason="NoTarget", message="there is no target")
    turn = take(order(manage(revision="r2", mode="Observe")), engine, before)
    assert (engine.applied, turn.refused, turn.failure) == (["start"], engine.failures["plan"], None)


def test_while_a_revision_is_refused_the_one_before_is_followed() -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    engine.running = None
    turn = take(order(manage(revision="r2", tiers=ABSENT)), engine, before)
    assert isinstance(turn.refused, SettingsRejected)
    assert (turn.intent, turn.revision, engine.applied) == (Intent.ENFORCE, "r1", ["start", "start"])
    again = take(turn.order, engine, turn)
    assert (again.refused is None, again.revision, again.steps) == (False, "r1", 0)


def test_the_pods_of_a_refused_revision_are_told_apart_by_the_rules_of_the_one_before() -> None:
    engine = FakeEngine()
    excluding = order(manage(workloads=[{"name": "none", "action": "Exclude"}]))
    turn = take(order(manage(revision="r2", tiers=ABSENT)), engine, take(excluding, engine))
    assert turn.workloads.movable.listed


def test_where_the_revision_before_is_refused_as_well_the_kernel_goes_on_by_itself() -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    engine.failures["plan"] = SettingsRejected(reason="NidNotFound", message="nid 1 went offline")
    turn = take(order(manage(revision="r2", tiers=ABSENT)), engine, before)
    assert (turn.intent, turn.running, engine.applied) == (Intent.WAIT, True, ["start"])
    del engine.failures["plan"]
    assert take(turn.order, engine, turn).revision == "r1"


def test_a_refused_revision_after_one_without_an_engine_says_which_engine_it_would_have() -> None:
    engine = FakeEngine()
    before = take(order(manage(engine="MovePages")), engine)
    assert before.intent is Intent.UNSUPPORTED
    engine.failures["plan"] = SettingsRejected(reason="RangeWithoutMemory", message="no memory there")
    turn = take(order(manage(revision="r2")), engine, before)
    assert (turn.intent, turn.engine, turn.refused) == (Intent.WAIT, engine.name, engine.failures["plan"])
    assert take(turn.order, engine, turn).engine is engine.name


def test_an_observing_revision_that_stopped_everything_is_what_a_refused_one_falls_back_to() -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    engine.failures["plan"] = EngineUnavailable(reason="Foreign", message="somebody else's kdamond runs")
    stopped = take(order(manage(revision="r2", mode="Observe")), engine, before)
    del engine.failures["plan"]
    turn = take(order(manage(revision="r3", tiers=ABSENT)), engine, stopped)
    assert (turn.revision, turn.intent, engine.applied) == ("r2", Intent.OBSERVE, ["start", "stop", "watch"])


def test_observe_stops_ours_even_if_somebody_else_is_in_the_way_now() -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    engine.failures["plan"] = EngineUnavailable(reason="Foreign", message="somebody else's kdamond runs")
    take(OBSERVE, engine, before)
    assert engine.applied == ["start", "stop"]


@pytest.mark.parametrize("method", ["probe", "plan", "apply", "verify"])
def test_whatever_the_engine_raises_ends_in_the_result(method: str) -> None:
    turn = take(ENFORCE, FakeEngine(failures={method: REFUSED}))
    assert turn.failure is REFUSED


def test_totals_are_counted_although_a_store_was_refused() -> None:
    turn = take(ENFORCE, FakeEngine(failures={"apply": REFUSED}, promoted_bytes=7))
    assert turn.moved.promoted_bytes == 7


def test_a_defect_of_ours_ends_in_the_result_too() -> None:
    turn = take(ENFORCE, FakeEngine(failures={"plan": ZeroDivisionError()}))
    assert is_defect(turn.failure)
    assert not is_defect(REFUSED)
    assert not is_defect(StateUnusable(path="/run/terrace/journal.json", errno=errno.ENOSPC))
    assert is_defect(OSError(errno.EIO, "anywhere else"))


def test_what_cannot_be_read_now_is_shown_as_it_was_before() -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    host = HostTree(guest_files() | OSRELEASE | {"/sys/devices/system/node/has_memory": errno.EIO})
    blind = Cycle(host, (engine,), StepLog(io.StringIO())).turn(ENFORCE, before)
    assert isinstance(blind.failure, HostFileUnreadable)
    assert blind.topology == before.topology


@pytest.mark.parametrize("unread", ["/sys/devices/system/node/has_memory", "/sys/fs/cgroup/cgroup.controllers"])
def test_restore_needs_nothing_that_can_be_unreadable(unread: str) -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    cpuset: dict[str, str | int] = {"/sys/fs/cgroup/cpuset.mems.effective": errno.EIO}
    host = HostTree(guest_files() | OSRELEASE | cpuset | {unread: errno.EIO})
    blind = Cycle(host, (engine,), StepLog(io.StringIO())).turn(RESTORE, before)
    assert engine.applied == ["start", "stop"]
    assert (blind.intent, blind.outcome, blind.revision) == (Intent.RESTORE, Outcome.STOPPED, "")
    assert isinstance(blind.failure, HostFileUnreadable)


def test_restore_does_not_wait_for_an_engine_that_cannot_be_probed() -> None:
    engine = FakeEngine()
    before = take(ENFORCE, engine)
    engine.failures["probe"] = REFUSED
    turn = take(RESTORE, engine, before)
    assert (engine.applied, turn.outcome, turn.failure) == (["start", "stop"], Outcome.STOPPED, REFUSED)


def test_settings_that_cannot_be_read_change_nothing() -> None:
    engine = FakeEngine()
    invalid = InvalidObject(kind="NodeTiering", problems=())
    turn = take(Order(generation=3, invalid=invalid), engine, take(ENFORCE, engine))
    assert (turn.refused, turn.failure, turn.revision, engine.applied) == (invalid, None, "r1", ["start"])


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [
        (ENFORCE, Outcome.IN_FORCE),
        (OBSERVE, Outcome.IN_FORCE),
        (RESTORE, Outcome.STOPPED),
        (Order(), Outcome.UNCHANGED),
    ],
)
def test_a_turn_says_what_it_did_to_what_is_in_force(asked: Order, outcome: Outcome) -> None:
    assert take(asked, FakeEngine()).outcome is outcome


@pytest.mark.parametrize(
    ("method", "outcome"),
    [
        ("probe", Outcome.UNCHANGED),
        ("plan", Outcome.UNCHANGED),
        ("apply", Outcome.UNCHANGED),
        ("verify", Outcome.IN_FORCE),
    ],
)
def test_what_fails_does_not_take_back_what_was_done_before(method: str, outcome: Outcome) -> None:
    assert take(ENFORCE, FakeEngine(failures={method: REFUSED})).outcome is outcome
