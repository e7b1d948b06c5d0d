import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.fake_fleet import FakeFleet, Watched
from cases.fleets import (
    AT_ONCE,
    READY,
    a_condition,
    a_node,
    a_policy,
    a_report,
    a_status,
    a_tiering,
    an_invalid_policy,
    unread,
)
from terrace_api.node_tiering import Action
from terrace_operator import reconcile as reconcile_module
from terrace_operator import writer as writer_module
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.errors import ApiNotFound, ApiRefused
from terrace_operator.fleet import Policies
from terrace_operator.metrics import Metrics
from terrace_operator.node_writes import NodeWrite
from terrace_operator.reconcile import Reconciler
from terrace_operator.statuses import StatusWrite
from terrace_operator.wake import Wake

BATCH = a_policy("batch", mode="Enforce", **AT_ONCE)
SPEC = compile_spec(BATCH)
AN_ENGINE = a_condition("EngineAvailable", "True", "Available", "DAMON can run")


def operator(fleet: FakeFleet, view: Watched | None = None) -> Reconciler:
    return Reconciler(view or fleet, Metrics(), Wake(), fleet.events.extend, writes_per_second=100_000)


def one_pass(reconciler: Reconciler) -> None:
    """A pass as it is after kopf said that policies changed."""
    reconciler.policies_changed()
    asyncio.run(reconciler.reconcile())


def spec_writes(fleet: FakeFleet) -> list[NodeWrite]:
    return [write for write in fleet.writes if isinstance(write, NodeWrite)]


def status_writes(fleet: FakeFleet) -> list[StatusWrite]:
    return [write for write in fleet.writes if isinstance(write, StatusWrite)]


def fleet_of(*nodes: str) -> FakeFleet:
    fleet = FakeFleet()
    for name in nodes:
        fleet.add_node(a_node(name))
    return fleet


def test_every_node_has_a_node_tiering_before_the_first_policy() -> None:
    fleet = fleet_of("a", "b")
    one_pass(operator(fleet))
    assert {name: tiering.spec for name, tiering in fleet.tierings.items()} == {"a": RESTORE, "b": RESTORE}


def test_a_policy_reaches_its_nodes_and_has_a_status() -> None:
    fleet = fleet_of("a")
    fleet.put_policy(BATCH)
    one_pass(operator(fleet))
    assert fleet.tierings["a"].spec == SPEC
    assert fleet.statuses["batch"].updated == "0/1"


def test_a_second_pass_writes_nothing() -> None:
    fleet = fleet_of("a", "b")
    fleet.put_policy(BATCH)
    reconciler = operator(fleet)
    one_pass(reconciler)
    written = list(fleet.writes)
    one_pass(reconciler)
    assert fleet.writes == written


def test_a_restarted_operator_writes_nothing_that_is_already_so() -> None:
    fleet = fleet_of("a", "b")
    fleet.put_policy(BATCH)
    one_pass(operator(fleet))
    written = list(fleet.writes)
    one_pass(operator(fleet))
    assert fleet.writes == written


def test_a_deleted_policy_restores_its_nodes() -> None:
    fleet = fleet_of("a")
    fleet.put_policy(BATCH)
    reconciler = operator(fleet)
    one_pass(reconciler)
    del fleet.stored["batch"]
    one_pass(reconciler)
    assert fleet.tierings["a"].spec == RESTORE


def test_another_priority_alone_gives_no_node_a_new_generation() -> None:
    fleet = fleet_of("a")
    fleet.put_policy(BATCH)
    reconciler = operator(fleet)
    one_pass(reconciler)
    fleet.put_policy(a_policy("batch", mode="Enforce", priority=7, generation=2, **AT_ONCE))
    one_pass(reconciler)
    assert fleet.tierings["a"].generation == 1
    assert len(spec_writes(fleet)) == 1


def test_nothing_is_written_until_nodes_and_node_tierings_are_listed() -> None:
    fleet = fleet_of("a")
    fleet.complete = False
    one_pass(operator(fleet))
    assert fleet.writes == []


def test_who_does_not_lead_keeps_policies_in_mind_and_writes_nothing() -> None:
    fleet = fleet_of("a")
    fleet.put_policy(BATCH)
    fleet.leading = False
    reconciler = operator(fleet)
    one_pass(reconciler)
    assert reconciler.policies is not None
    assert fleet.writes == []
    fleet.leading = True
    one_pass(reconciler)
    assert fleet.tierings["a"].spec == SPEC


def test_a_term_begins_with_what_the_former_leader_recorded() -> None:
    """Or a rollout that it stopped would go on, and the record of that would be lost."""
    fleet = fleet_of("a")
    fleet.put_policy(BATCH)
    fleet.leading = False
    reconciler = operator(fleet)
    one_pass(reconciler)
    fleet.leading, fleet.fails = True, lambda request: request == "list"
    reconciler.begin_term()
    one_pass(reconciler)
    assert fleet.writes == [], "what it knew is of another term"
    fleet.fails = lambda _: False
    reconciler.policies_changed()
    one_pass(reconciler)
    assert fleet.tierings["a"].spec == SPEC


def test_a_list_that_was_under_way_when_a_term_began_is_not_of_that_term() -> None:
    fleet = fleet_of("a")
    fleet.put_policy(BATCH)
    fleet.leading = False

    class Late(Watched):
        async def list_policies(self) -> Policies:
            found = await super().list_policies()
            if not fleet.leading:
                fleet.statuses["batch"] = a_status(good=BATCH)
                fleet.leading = True
                reconciler.begin_term()
            return found

    reconciler = operator(fleet, Late(fleet))
    asyncio.run(reconciler.reconcile())
    assert fleet.writes == []
    asyncio.run(reconciler.reconcile())
    assert fleet.tierings["a"].spec == SPEC
    assert fleet.statuses["batch"].last_good is not None, "what the former leader recorded last is kept"


def test_a_term_that_ends_in_the_middle_of_a_pass_ends_the_writes() -> None:
    fleet = fleet_of("a", "b", "c")

    def second(request: object) -> bool:
        fleet.leading = len(fleet.writes) < 1
        return False

    fleet.fails = second
    reconciler = operator(fleet)
    one_pass(reconciler)
    assert len(fleet.writes) == 1
    fleet.fails, fleet.leading = lambda _: False, True
    one_pass(reconciler)
    assert set(fleet.tierings) == {"a", "b", "c"}, "and nothing is held back in the next term"


def test_what_was_decided_in_an_earlier_term_is_not_written_in_this_one() -> None:
    """Another process may have led in between, and decided otherwise."""
    fleet = fleet_of("a", "b", "c")
    fleet.put_policy(BATCH)
    reconciler = operator(fleet)
    fleet.after_write = reconciler.begin_term
    one_pass(reconciler)
    assert len(fleet.writes) == 1
    fleet.after_write = lambda: None
    one_pass(reconciler)
    assert {tiering.spec for tiering in fleet.tierings.values()} == {SPEC}


def test_nothing_is_written_until_the_policies_are_listed() -> None:
    """Or a start while the API server is shaky would restore every node."""
    fleet = fleet_of("a")
    fleet.unreachable = True
    one_pass(operator(fleet))
    fleet.unreachable = False
    assert fleet.writes == []


def test_policies_that_cannot_be_listed_anew_stay_in_force() -> None:
    fleet = fleet_of("a")
    fleet.put_policy(BATCH)
    reconciler = operator(fleet)
    one_pass(reconciler)
    fleet.fails = lambda request: request == "list"
    fleet.add_node(a_node("b"))
    one_pass(reconciler)
    assert {tiering.spec for tiering in fleet.tierings.values()} == {SPEC}


def test_nodes_of_a_policy_that_became_unreadable_keep_their_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of("a")
    fleet.put_policy(BATCH)
    reconciler = operator(fleet)
    one_pass(reconciler)
    fleet.put_policy(an_invalid_policy("batch"))
    at_later(monkeypatch, 2.0)
    one_pass(reconciler)
    assert fleet.tierings["a"].spec == SPEC
    assert fleet.statuses["batch"].conditions[0].reason == "Invalid"


def test_nodes_of_a_policy_keep_their_spec_when_neither_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of("a", "b")
    fleet.put_policy(BATCH)
    one_pass(operator(fleet))
    before = fleet.tierings["a"] = unread(fleet.tierings["a"], "batch")
    fleet.put_policy(an_invalid_policy("batch"))
    one_pass(operator(fleet))
    assert fleet.tierings["a"] == before
    del fleet.stored["batch"]
    one_pass(operator(fleet))
    assert fleet.tierings["a"].spec == RESTORE


def test_one_write_that_fails_keeps_no_other_back_and_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of("a", "b", "c")
    fleet.fails = lambda request: isinstance(request, NodeWrite) and request.name == "b"
    reconciler = operator(fleet)
    one_pass(reconciler)
    assert set(fleet.tierings) == {"a", "c"}
    assert not reconciler.settled
    fleet.fails = lambda _: False
    one_pass(reconciler)
    assert "b" not in fleet.tierings, "held back"
    at_later(monkeypatch, 5.0)
    one_pass(reconciler)
    assert set(fleet.tierings) == {"a", "b", "c"}
    assert reconciler.settled


def test_a_status_that_cannot_be_written_is_tried_after_longer_and_longer_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However its times change meanwhile; and the policies are not listed for what was not even tried."""
    fleet, tried, lists = fleet_of("a"), list[int](), 0

    def fails(request: object) -> bool:
        nonlocal lists
        lists += request == "list"
        if isinstance(request, StatusWrite):
            tried.append(second)
        return isinstance(request, StatusWrite)

    second = 0
    fleet.put_policy(BATCH)
    fleet.fails = fails
    reconciler = operator(fleet)
    for second in range(40):
        at_later(monkeypatch, second)
        asyncio.run(reconciler.reconcile())
    assert tried == [0, 1, 3, 7, 15, 31]
    assert lists <= 1 + len(tried)


def test_a_write_without_an_answer_is_remembered_while_the_api_server_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may have arrived, and what the watch has to say of it may come after the first decision."""
    fleet = fleet_of("a", "b")
    view = Watched(fleet)
    reconciler = operator(fleet, view)
    one_pass(reconciler)
    fleet.put_policy(a_policy("batch", mode="Enforce"))
    fleet.loses = lambda request: isinstance(request, NodeWrite)
    one_pass(reconciler)
    fleet.complete, fleet.loses = False, lambda _: False
    one_pass(reconciler)
    fleet.complete = True
    fleet.report("b", a_report(AN_ENGINE, READY))
    view.hear("b")
    assert view.tierings["a"].spec == RESTORE
    at_later(monkeypatch, 5.0)
    one_pass(reconciler)
    assert fleet.tierings["b"].spec == RESTORE, "one canary, although b would be the better one"


def test_a_write_that_was_not_sent_for_want_of_the_lease_leaves_nothing_in_doubt() -> None:
    """Or the next term's canary would be the node of that write, although another one can prove more."""
    fleet = fleet_of("a", "b")
    reconciler = operator(fleet)
    one_pass(reconciler)
    fleet.put_policy(a_policy("batch", mode="Enforce"))
    fleet.fails = losing_the_lease(fleet)
    one_pass(reconciler)
    fleet.fails, fleet.leading = lambda _: False, True
    fleet.report("b", a_report(AN_ENGINE, READY))
    one_pass(reconciler)
    assert [name for name, one in fleet.tierings.items() if one.spec != RESTORE] == ["b"]


def test_a_write_that_was_not_sent_settles_no_doubt_of_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of("a", "b")
    view = Watched(fleet)
    reconciler = operator(fleet, view)
    one_pass(reconciler)
    fleet.put_policy(a_policy("batch", mode="Enforce"))
    fleet.loses = lambda request: isinstance(request, NodeWrite)
    one_pass(reconciler)
    fleet.loses, fleet.fails = lambda _: False, losing_the_lease(fleet)
    at_later(monkeypatch, 5.0)
    one_pass(reconciler)
    fleet.fails, fleet.leading = lambda _: False, True
    fleet.report("b", a_report(AN_ENGINE, READY))
    view.hear("b")
    at_later(monkeypatch, 10.0)
    one_pass(reconciler)
    assert fleet.tierings["b"].spec == RESTORE, "a may have been told"


def losing_the_lease(fleet: FakeFleet) -> Callable[[object], bool]:
    def fails(request: object) -> bool:
        fleet.leading = fleet.leading and not isinstance(request, NodeWrite)
        return False

    return fails


def passes_in(seconds: float, fleet: FakeFleet) -> int:
    """Lets an operator run for a while; returns how often it looked at the whole state."""
    reconciler, counted = operator(fleet), 0

    async def run() -> None:
        nonlocal counted
        end_s = time.monotonic() + seconds
        while True:
            counted += 1
            await reconciler.reconcile()
            try:
                async with asyncio.timeout(end_s - time.monotonic()):
                    await reconciler._wake.wait()
            except TimeoutError:
                return

    asyncio.run(run())
    return counted


@pytest.mark.parametrize("deleting", [True, False], ids=["held by a finalizer", "not to be taken over"])
def test_a_node_tiering_of_an_earlier_registration_keeps_nobody_busy(
    monkeypatch: pytest.MonkeyPatch, deleting: bool
) -> None:
    monkeypatch.setattr(reconcile_module, "ADOPT_AFTER_S", 0.1)
    fleet = FakeFleet()
    fleet.add_node(a_node("a", uid="second"))
    fleet.tierings["a"] = a_tiering(a_node("a"), RESTORE, deleting=deleting)
    fleet.fails = lambda request: isinstance(request, NodeWrite)
    assert passes_in(0.9, fleet) < 6


def test_a_write_that_failed_and_is_then_overtaken_is_not_tried_without_a_pause() -> None:
    fleet, tried = fleet_of("a"), 0

    def fails(request: object) -> bool:
        nonlocal tried
        if isinstance(request, NodeWrite):
            tried += 1
            raise (
                ApiRefused(status=500, reason="InternalError", message="away")
                if tried == 1
                else ApiNotFound(status=404, reason="NotFound", message="no such kind")
            )
        return False

    fleet.fails = fails
    passes_in(3.0, fleet)
    assert 2 <= tried < 6


def enough_at_the_first(kind: type, *, for_s: float, asked_s: list[float]) -> Callable[[object], bool]:
    """Returns what refuses the first write of a kind, and asks to be left alone for so long."""

    def fails(request: object) -> bool:
        asked_s.append(time.monotonic())
        if isinstance(request, kind) and len(asked_s) == 1 + 1:  # the list of policies came first
            raise ApiRefused(status=429, reason="TooManyRequests", message="later", retry_after_s=for_s)
        return False

    return fails


def test_an_api_server_that_has_enough_is_left_alone_by_all_writes() -> None:
    fleet, asked_s = fleet_of(*(f"n{number}" for number in range(100))), list[float]()
    fleet.put_policy(BATCH)
    fleet.fails = enough_at_the_first(NodeWrite, for_s=1.0, asked_s=asked_s)
    assert passes_in(2.5, fleet) < 10
    longest = max(after - before for before, after in pairwise(asked_s))
    assert longest >= 0.9
    assert {one.spec for one in fleet.tierings.values()} == {SPEC}
    assert len(fleet.tierings) == 100


def test_what_was_decided_before_the_api_server_had_enough_does_not_go_out_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = fleet_of(*(f"n{number}" for number in range(100)))
    fleet.put_policy(BATCH)
    fleet.fails = enough_at_the_first(NodeWrite, for_s=60.0, asked_s=[])
    reconciler = operator(fleet)
    one_pass(reconciler)
    told = len(fleet.tierings)
    assert told < 20, "those that were under way"
    assert not reconciler.settled
    del fleet.stored["batch"]
    one_pass(reconciler)
    assert len(fleet.tierings) == told
    at_later(monkeypatch, 61.0)
    one_pass(reconciler)
    assert [one.spec for one in fleet.tierings.values()] == [RESTORE] * 100


def test_a_batch_that_takes_long_ends_early_for_what_has_become_wrong_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_module, "BATCH_S", 0.1)
    fleet = fleet_of(*(f"n{number}" for number in range(100)))
    reconciler = Reconciler(fleet, Metrics(), Wake(), fleet.events.extend, writes_per_second=200)
    one_pass(reconciler)
    assert 10 < len(fleet.tierings) < 40
    assert not reconciler.settled


def test_thousands_of_writes_go_out_in_batches_until_all_are_done() -> None:
    fleet = fleet_of(*(f"n{number}" for number in range(1200)))
    reconciler = operator(fleet)
    counts = []
    for _ in range(4):
        one_pass(reconciler)
        counts.append((len(fleet.tierings), reconciler.settled))
    assert counts == [(500, False), (1000, False), (1200, True), (1200, True)]


def test_a_node_that_registered_anew_gets_a_new_object_once_the_old_one_is_collected() -> None:
    fleet = fleet_of("a")
    fleet.put_policy(BATCH)
    reconciler = operator(fleet)
    one_pass(reconciler)
    fleet.report("a", a_report(READY, revision=SPEC.revision))
    fleet.add_node(a_node("a", uid="second"))
    one_pass(reconciler)
    assert fleet.tierings["a"].node_uid == "uid-a"
    assert fleet.statuses["batch"].ready == "0/1", "the old machine's status is not this one's"
    fleet.collect_garbage()
    one_pass(reconciler)
    assert (fleet.tierings["a"].node_uid, fleet.tierings["a"].report) == ("second", None)


def test_an_object_that_nobody_collects_is_taken_over_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of("a")
    reconciler = operator(fleet)
    one_pass(reconciler)
    fleet.add_node(a_node("a", uid="second"))
    one_pass(reconciler)
    at_later(monkeypatch, reconcile_module.ADOPT_AFTER_S + 1)
    one_pass(reconciler)
    assert fleet.tierings["a"].node_uid == "second"


def test_a_bake_counts_only_while_the_state_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of("a", "b")
    fleet.put_policy(a_policy("batch", mode="Enforce"))
    reconciler = operator(fleet)
    one_pass(reconciler)
    fleet.answer("a")
    one_pass(reconciler)
    fleet.complete = False
    at_later(monkeypatch, 60.0)
    one_pass(reconciler)
    fleet.complete = True
    at_later(monkeypatch, 130.0)
    one_pass(reconciler)
    assert fleet.tierings["b"].spec == RESTORE
    at_later(monkeypatch, 255.0)
    one_pass(reconciler)
    one_pass(reconciler)
    assert fleet.tierings["b"].spec == compile_spec(a_policy("batch", mode="Enforce"))


def test_totals_alone_are_not_written_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of("a")
    fleet.put_policy(BATCH)
    reconciler = operator(fleet)
    one_pass(reconciler)
    fleet.report("a", a_report(READY, revision=SPEC.revision))
    at_later(monkeypatch, 2.0)
    one_pass(reconciler)
    assert (fleet.statuses["batch"].ready, fleet.statuses["batch"].promoted_bytes) == ("1/1", 0)
    fleet.report("a", a_report(READY, revision=SPEC.revision, promoted=2**30))
    at_later(monkeypatch, 30.0)
    one_pass(reconciler)
    assert fleet.statuses["batch"].promoted_bytes == 0
    at_later(monkeypatch, 65.0)
    one_pass(reconciler)
    assert fleet.statuses["batch"].promoted == "1Gi"
    assert len(status_writes(fleet)) == 3


def at_later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Lets every clock of the loop be that much later than it really is."""
    real = time.clock_gettime
    monkeypatch.setattr(time, "monotonic", lambda: real(time.CLOCK_MONOTONIC) + seconds)
    later = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(seconds=seconds))
    monkeypatch.setattr(reconcile_module, "datetime", later)


def live(fleet: FakeFleet, reconciler: Reconciler) -> None:
    """Passes and answers of agents in turn, until nothing changes any more."""
    before: object = None
    while before != (fleet.writes, fleet.tierings):
        before = (list(fleet.writes), dict(fleet.tierings))
        one_pass(reconciler)
        for name in fleet.tierings:
            fleet.answer(name)


BAKED_AT_ONCE: dict[str, Any] = {"rollout": {"bake": "0s"}}
POLICIES = (
    a_policy("batch", mode="Enforce", **BAKED_AT_ONCE),
    a_policy("batch", mode="Observe", generation=2, **BAKED_AT_ONCE),
    a_policy("prod", priority=1, nodeSelector={"matchLabels": {"zone": "x"}}, **BAKED_AT_ONCE),
    a_policy("zone", nodeSelector={"matchExpressions": [{"key": "zone", "operator": "Exists"}]}, **BAKED_AT_ONCE),
)
NODES = (
    a_node("a"),
    a_node("a", zone="x"),
    a_node("a", uid="second", zone="x"),
    a_node("b", zone="y"),
    replace(a_node("b"), labels={"terrace.dev/tiering": "disabled"}),
)
Event = Callable[[FakeFleet], None]
events = st.one_of(
    st.sampled_from("ab").map(lambda name: lambda fleet: fleet.answer(name)),
    st.sampled_from(POLICIES).map(lambda policy: lambda fleet: fleet.put_policy(policy)),
    st.sampled_from(["batch", "prod", "zone"]).map(lambda name: lambda fleet: fleet.stored.pop(name, None)),
    st.sampled_from(NODES).map(lambda node: lambda fleet: fleet.add_node(node)),
    st.sampled_from("ab").map(lambda name: lambda fleet: fleet.remove_node(name)),
    st.just(lambda fleet: fleet.collect_garbage()),
    st.sampled_from("ab").map(lambda name: lambda fleet: fleet.tierings.pop(name, None)),
)


@settings(max_examples=150, deadline=None)
@given(history=st.lists(st.tuples(events, st.booleans()), max_size=12))
def test_the_result_depends_on_the_final_state_only(history: list[tuple[Event, bool]]) -> None:
    """Whether the operator saw each event, some, or none: it ends with what a new one makes of the final state."""
    lived = FakeFleet()
    watching = operator(lived)
    for event, seen in history:
        event(lived)
        if seen:
            one_pass(watching)
    lived.collect_garbage()
    live(lived, watching)
    fresh = FakeFleet(nodes=dict(lived.nodes), stored=dict(lived.stored))
    live(fresh, operator(fresh))
    assert {name: (one.node_uid, one.spec) for name, one in lived.tierings.items()} == {
        name: (one.node_uid, one.spec) for name, one in fresh.tierings.items()
    }
    managed = {name for name, one in lived.tierings.items() if one.spec and one.spec.action is Action.MANAGE}
    assert sum(one.nodes for name, one in fresh.statuses.items() if name in lived.stored) == len(managed)
