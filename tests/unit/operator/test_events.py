"""What people are told, how often, and what is made of it on the API server."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cases.fake_fleet import FakeFleet
from cases.fleets import FAILED, READY, a_node, a_policy, a_report
from cases.rehearsal import Rehearsal
from terrace_api.node_tiering import NodeTieringSpec
from terrace_operator.cluster.objects import event_manifest
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.errors import ApiForbidden
from terrace_operator.events import Event, EventType, Regarding, change_of_hands, policy_events, troubles, turns
from terrace_operator.metrics import Metrics
from terrace_operator.node_writes import NodeWrite
from terrace_operator.reconcile import Reconciler
from terrace_operator.recorder import QUEUED, QUEUED_OF_NODES, Recorder
from terrace_operator.series import SERIES_S, EventWrite, Told, over, tell
from terrace_operator.standing import Standing, State
from terrace_operator.statuses import StatusWrite
from terrace_operator.wake import Wake

BATCH, PROD = a_policy("batch"), a_policy("prod", priority=10)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NODE_A = Regarding(api_version="v1", kind="Node", name="a", uid="uid-a")
AN_EVENT = Event(regarding=NODE_A, type=EventType.WARNING, reason="StoreRefused", note="EBUSY")


def standing(state: State, reason: str = "Because") -> Standing:
    return Standing(node="a", state=state, updated=True, reason=reason, message="of this")


class Story:
    """A rollout, and the events of its policy."""

    def __init__(self) -> None:
        self.on = Rehearsal()
        self.on.add("n0", "n1", "n2")
        self.on.put(BATCH)

    def step(self) -> list[tuple[str, str]]:
        before = self.on.statuses.get(BATCH.uid)
        self.on.step()
        write = StatusWrite(name="batch", uid=BATCH.uid, before=before, after=self.on.statuses[BATCH.uid])
        return [(event.type.value, event.reason) for event in policy_events(write)]


def test_a_rollout_is_told_step_by_step_and_each_step_once() -> None:
    story = Story()
    assert story.step() == [("Normal", "Canary")]
    assert story.step() == []
    story.on.answer("n0")
    assert story.step() == [("Normal", "Baking")]
    story.on.now_s += 120
    assert story.step() == [("Normal", "NodesUpdating")]


def test_a_failed_rollout_is_one_warning_although_three_conditions_say_it() -> None:
    story = Story()
    story.step()
    story.on.answer("n0", FAILED)
    assert story.step() == [("Warning", "NodesDegraded")]
    story.on.now_s += 30
    assert story.step() == [("Warning", "RolloutStopped")]
    assert story.step() == []


def test_a_node_that_changes_hands_is_told_both_policies() -> None:
    fleet = FakeFleet()
    fleet.add_node(a_node("a"))
    reconciler = Reconciler(fleet, Metrics(), Wake(), fleet.events.extend)
    for policy in (BATCH, PROD):
        fleet.put_policy(policy)
        reconciler.policies_changed()
        asyncio.run(reconciler.reconcile())
    told = [event for event in fleet.events if event.regarding == NODE_A]
    assert [event.reason for event in told] == ["PolicyFollowed", "PolicyFollowed"]
    assert told[1].note == "policy prod wins over batch: priority 10 is above 0"
    assert fleet.tierings["a"].outranked == "batch", "and it stays to be seen"


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        (None, RESTORE, []),
        (RESTORE, compile_spec(BATCH), ["PolicyFollowed"]),
        (compile_spec(BATCH), compile_spec(a_policy("batch", mode="Enforce")), []),
        (compile_spec(BATCH), compile_spec(PROD), ["PolicyFollowed"]),
        (compile_spec(BATCH), RESTORE, ["Restored"]),
    ],
)
def test_only_another_policy_is_worth_an_event_of_a_node(
    before: NodeTieringSpec | None, after: NodeTieringSpec, reasons: list[str]
) -> None:
    write = NodeWrite(name="a", node_uid="uid-a", uid="nt", spec=after, before=before, reason="as it is")
    assert [event.reason for event in change_of_hands(write)] == reasons


def told_of(*seen: Standing) -> list[list[str]]:
    """Returns the reasons of the events after each look at one node."""
    told, known = [], troubles({}, [])
    for one in seen:
        told.append([event.reason for event in turns(known, [one], {"a": a_node("a")})])
        known = troubles(known, [one])
    return told


def test_trouble_is_told_when_it_begins_when_it_changes_and_when_it_is_over() -> None:
    assert told_of(
        standing(State.READY),
        standing(State.DEGRADED, "StoreRefused"),
        standing(State.DEGRADED, "StoreRefused"),
        standing(State.SILENT, "AgentSilent"),
        standing(State.READY),
        standing(State.READY),
    ) == [[], ["StoreRefused"], [], ["AgentSilent"], ["Recovered"], []]


@pytest.mark.parametrize("between", [State.PENDING, State.UNREADY, State.WAITING, State.UNSUPPORTED])
def test_a_recovery_is_told_whatever_the_node_was_before_it_was_ready(between: State) -> None:
    assert told_of(
        standing(State.DEGRADED, "StoreRefused"), standing(between), standing(between), standing(State.READY)
    ) == [["StoreRefused"], [], [], ["Recovered"]]


def test_the_same_trouble_is_told_again_when_it_comes_again() -> None:
    failed = standing(State.DEGRADED, "StoreRefused")
    assert told_of(failed, standing(State.PENDING), failed, failed) == [["StoreRefused"], [], ["StoreRefused"], []]


def test_a_node_that_left_the_policy_has_not_recovered() -> None:
    known = troubles(troubles({}, [standing(State.DEGRADED)]), [])
    assert turns(known, [standing(State.READY)], {"a": a_node("a")}) == ()


def test_a_restarted_operator_does_not_tell_old_troubles_again() -> None:
    fleet = FakeFleet()
    fleet.add_node(a_node("a"))
    fleet.put_policy(BATCH)
    for _ in range(2):
        reconciler = Reconciler(fleet, Metrics(), Wake(), fleet.events.extend)
        for _ in range(2):
            reconciler.policies_changed()
            asyncio.run(reconciler.reconcile())
            fleet.report("a", a_report(FAILED, READY, revision="other"))
    assert [event.reason for event in fleet.events if event.regarding == NODE_A] == ["PolicyFollowed", "StoreRefused"]


def test_an_event_that_comes_again_soon_is_counted_on_the_same_object() -> None:
    told, first = tell(AN_EVENT, None, now_s=0.0, now=NOON)
    assert first is not None
    told, second = tell(AN_EVENT, told, now_s=30.0, now=NOON + timedelta(seconds=30))
    assert second is None, "not yet"
    told, third = tell(AN_EVENT, told, now_s=90.0, now=NOON + timedelta(seconds=90))
    assert third == replace(first, count=3, last=NOON + timedelta(seconds=90))
    _, later = tell(AN_EVENT, told, now_s=90.0 + SERIES_S, now=NOON + timedelta(hours=1))
    assert later is not None
    assert (later.count, later.name != first.name) == (1, True)


def test_what_was_told_long_ago_is_forgotten_and_nothing_after_it_is_looked_at() -> None:
    write = EventWrite(name="a.1", event=AN_EVENT, first=NOON, count=1, last=NOON)
    at_s = {"old": 0.0, "older than its place": 1.0, "new": 2.0, "never looked at": 0.0}
    told = {replace(AN_EVENT, note=note): Told(write=write, told_s=s, written_s=s) for note, s in at_s.items()}
    assert over(told, SERIES_S - 1) == ()
    assert [event.note for event in over(told, SERIES_S + 1)] == ["old", "older than its place"]


def test_an_event_fits_what_the_api_server_takes() -> None:
    write = EventWrite(name="a.1", event=replace(AN_EVENT, note="\u00fc" * 2000), first=NOON, count=2, last=NOON)
    manifest = event_manifest(write)
    assert manifest["eventTime"] == "2026-06-01T12:00:00.000000Z"
    assert manifest["series"] == {"count": 2, "lastObservedTime": "2026-06-01T12:00:00.000000Z"}
    assert len(manifest["note"].encode()) <= 1024
    assert manifest["metadata"]["namespace"] == "default"
    assert "series" not in event_manifest(replace(write, count=1))


END = replace(AN_EVENT, regarding=replace(NODE_A, kind="TieringPolicy"), note="the end")


def recorded(events: list[Event], *, refuse: bool = False) -> list[str]:
    """Returns the notes that are written, in order; `END` is told last, and nothing is written after it."""
    written: list[str] = []
    ended = asyncio.Event()

    async def write(one: EventWrite) -> None:
        if one.event == END:
            ended.set()
        elif refuse:
            raise ApiForbidden(status=403, reason="Forbidden", message="no")
        else:
            written.append(one.event.note)

    async def main() -> None:
        recorder = Recorder(write, Metrics(), per_second=10_000)
        recorder.tell([*events, END])
        running = asyncio.create_task(recorder.run())
        await asyncio.wait_for(ended.wait(), 30)
        running.cancel()

    asyncio.run(main())
    return written


def test_equal_events_are_written_once() -> None:
    assert recorded([AN_EVENT] * 5) == ["EBUSY"]


def test_too_many_events_are_dropped_and_policies_have_room_left() -> None:
    of_nodes = [replace(AN_EVENT, note=str(number)) for number in range(500)]
    of_policy = replace(AN_EVENT, regarding=replace(NODE_A, kind="TieringPolicy"), note="policy")
    written = recorded([*of_nodes, of_policy])
    assert (len(written), written[-1]) == (QUEUED_OF_NODES + 1, "policy")
    assert QUEUED_OF_NODES < QUEUED


def test_events_that_are_refused_stop_nothing() -> None:
    assert recorded([AN_EVENT, replace(AN_EVENT, note="other")], refuse=True) == []


class Hashed(Event):
    """An event that counts how often it is looked up."""

    times = 0

    def __hash__(self) -> int:
        Hashed.times += 1
        return hash((self.regarding.name, self.note))


def test_one_event_more_takes_as_long_however_many_were_told() -> None:
    async def refuse(_: EventWrite) -> None:
        raise AssertionError

    def times(told: int) -> int:
        recorder = Recorder(refuse, Metrics())
        recorder.tell(_hashed(str(number)) for number in range(told))
        before = Hashed.times
        recorder.tell([_hashed("one more")])
        return Hashed.times - before

    assert times(QUEUED_OF_NODES - 1) == times(1)


def _hashed(note: str) -> Event:
    return Hashed(regarding=NODE_A, type=EventType.WARNING, reason="StoreRefused", note=note)
