"""The loop: what it reports when, and what survives an agent."""

import errno
import gc
import io
import json
import os
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from terrace_agent.cycle import Cycle
from terrace_agent.engine import Moved, Plan
from terrace_agent.errors import ApiUnavailable, EngineUnavailable, HostFileUnreadable, SettingsRejected, StoreRefused
from terrace_agent.forget import forget
from terrace_agent.inbox import Inbox
from terrace_agent.journal import JournalState, Original
from terrace_agent.journal_file import FileJournal
from terrace_agent.laststate import LastState
from terrace_agent.lock import lock
from terrace_agent.loop import Loop
from terrace_agent.steplog import StepLog
from terrace_agent.topology.values import Topology
from terrace_agent.turn import Turn
from terrace_agent.workloads.values import EVERYTHING, Movable
from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import EngineName, NodeTieringStatus
from terrace_api.policy import Mode, Settings
from unit.agent.fake_engine import FakeEngine
from unit.agent.host_tree import HostTree, guest_files
from unit.agent.orders import OSRELEASE, manage, restore
from unit.agent.test_cycle import ABSENT


class Paper:
    """A publisher that keeps what was published."""

    def __init__(self) -> None:
        self.statuses: list[NodeTieringStatus] = []
        self.away = False
        self.period_s = 60

    def heartbeat_period_s(self) -> int:
        return self.period_s

    def publish(self, status: NodeTieringStatus) -> None:
        if self.away:
            raise ApiUnavailable(request="PATCH", status=0, message="refused")
        self.statuses.append(status)


class Bench:
    """A loop with everything around it."""

    def __init__(self, state_dir: Path, *, boot_id: str = "boot-1", engine: FakeEngine | None = None) -> None:
        self.engine = engine or FakeEngine()
        self.inbox = Inbox()
        self.paper = Paper()
        self.log = io.StringIO()
        self.now = 1000.0
        log = StepLog(self.log)
        self.loop = Loop(
            cycle=Cycle(HostTree(guest_files() | OSRELEASE), (self.engine,), log),
            inbox=self.inbox,
            publisher=self.paper,
            last=LastState(state_dir, boot_id=boot_id),
            log=log,
            on_turn=(),
            clock=lambda: self.now,
        )

    def turn(self, manifest: dict[str, Any] | None = None) -> NodeTieringStatus:
        if manifest is not None:
            self.inbox.put(manifest)
        return self.loop.turn()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


def condition(status: NodeTieringStatus, type_: str) -> Condition:
    return next(one for one in status.conditions if one.type == type_)


def ready(status: NodeTieringStatus) -> Condition:
    return condition(status, "Ready")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_revision_comes_into_force_and_is_reported(bench: Bench) -> None:
    status = bench.turn(manage("r1", generation=4))
    assert bench.engine.applied == ["start"]
    assert (status.active_revision, status.observed_generation, ready(status).reason) == ("r1", 4, "Enforcing")
    assert status.active_since is not None
    [published] = bench.paper.statuses
    assert published.last_heartbeat_time is not None
    assert replace(published, last_heartbeat_time=None, heartbeat_period_seconds=None) == status


def test_without_an_object_nothing_is_published(bench: Bench) -> None:
    assert ready(bench.turn()).reason == "NoSettings"
    assert bench.paper.statuses == []


def test_turns_without_news_write_nothing(bench: Bench) -> None:
    bench.turn(manage())
    bench.turn()
    assert len(bench.paper.statuses) == 1


def test_restore_leaves_no_revision_active(bench: Bench) -> None:
    bench.turn(manage())
    status = bench.turn(restore())
    assert (status.active_revision, status.active_since, ready(status).reason) == ("", None, "Restored")
    assert bench.engine.applied == ["start", "stop"]


def test_a_rejected_revision_leaves_the_one_before_active(bench: Bench) -> None:
    bench.turn(manage("r1"))
    bench.engine.failures["plan"] = SettingsRejected(reason="NoTarget", message="no target")
    status = bench.turn(manage("r2", generation=2, mode="Observe"))
    assert (status.active_revision, ready(status).reason, status.observed_generation) == ("r1", "NoTarget", 2)


def test_an_unreadable_object_leaves_the_one_before_active(bench: Bench) -> None:
    bench.turn(manage("r1"))
    broken = manage("r2", generation=2)
    broken["spec"]["action"] = "Fly"
    status = bench.turn(broken)
    assert (status.active_revision, ready(status).reason) == ("r1", "Invalid")
    assert bench.engine.applied == ["start"]


def test_while_a_revision_is_refused_the_status_is_true_about_the_one_that_runs(bench: Bench) -> None:
    bench.turn(manage("r1"))
    status = bench.turn(manage("r2", generation=2, tiers=ABSENT))
    assert (status.engine, status.mode, status.active_revision) == (EngineName.DAMON, Mode.ENFORCE, "r1")
    assert (condition(status, "GuardrailTripped").reason, condition(status, "WorkloadsResolved").reason) == (
        "WithinLimits",
        "Resolved",
    )


def test_after_a_restart_a_refused_revision_leaves_the_recalled_one_followed(bench: Bench, tmp_path: Path) -> None:
    bench.turn(manage("r1"))
    after = Bench(tmp_path, engine=bench.engine)
    after.loop.recall()
    bench.engine.running = None
    status = after.turn(manage("r2", generation=2, tiers=ABSENT))
    assert (status.active_revision, bench.engine.applied) == ("r1", ["start", "start"])


def test_what_was_stopped_is_not_said_to_be_in_force(bench: Bench) -> None:
    bench.turn(manage("r1"))
    bench.engine.failures["plan"] = EngineUnavailable(reason="Foreign", message="somebody else's kdamond runs")
    status = bench.turn(manage("r2", generation=2, mode="Observe"))
    assert bench.engine.applied == ["start", "stop"]
    assert (status.active_revision, status.mode) == ("", None)
    assert condition(status, "Applied").message == "Nothing is in force."


def test_what_is_in_force_is_said_to_be_although_it_cannot_be_counted_what_it_moves(bench: Bench) -> None:
    bench.engine.failures["verify"] = HostFileUnreadable(path="/proc/vmstat", errno=errno.EIO)
    status = bench.turn(manage("r1"))
    assert (status.active_revision, condition(status, "Applied").status) == ("r1", ConditionStatus.TRUE)
    assert ready(status).reason == "HostFileUnreadable"


def test_settings_that_are_missing_never_mean_restore(bench: Bench) -> None:
    bench.turn(manage("r1"))
    broken = manage("r2", generation=2)
    del broken["spec"]["settings"]
    status = bench.turn(broken)
    assert (status.active_revision, ready(status).reason) == ("r1", "Invalid")
    assert bench.engine.applied == ["start"]


def test_a_field_of_a_newer_operator_is_reported_and_the_rest_acted_on(bench: Bench) -> None:
    manifest = manage("r1")
    manifest["spec"]["settings"]["teleport"] = True
    status = bench.turn(manifest)
    assert status.unknown_fields == ("spec.settings.teleport",)
    assert bench.engine.applied == ["start"]


def test_an_agent_after_this_one_goes_on_where_it_ended(bench: Bench, tmp_path: Path) -> None:
    first = bench.turn(manage("r1"))
    after = Bench(tmp_path, engine=bench.engine)
    after.loop.recall()
    status = after.turn()
    assert bench.engine.applied == ["start"]
    assert (status.active_revision, status.active_since) == ("r1", first.active_since)
    assert status.conditions == first.conditions


def test_what_an_older_boot_left_is_not_recalled(bench: Bench, tmp_path: Path) -> None:
    bench.turn(manage("r1"))
    after = Bench(tmp_path, boot_id="boot-2")
    after.loop.recall()
    assert after.turn().active_revision == ""
    assert after.engine.applied == []


def test_the_api_servers_status_does_not_say_what_is_in_force_in_this_boot(tmp_path: Path) -> None:
    status = {"activeRevision": "r0", "conditions": []}
    fresh = Bench(tmp_path, engine=FakeEngine(available=False))
    assert fresh.turn(manage("r1") | {"status": status}).active_revision == ""


def test_a_rejected_revision_is_not_recalled(bench: Bench, tmp_path: Path) -> None:
    bench.turn(manage("r1"))
    bench.engine.failures["plan"] = SettingsRejected(reason="NoTarget", message="no target")
    bench.turn(manage("r2", generation=2))
    del bench.engine.failures["plan"]
    after = Bench(tmp_path, engine=bench.engine)
    after.loop.recall()
    assert after.turn().active_revision == "r1"


def test_the_last_state_is_kept_while_the_api_server_is_away(bench: Bench, tmp_path: Path) -> None:
    bench.paper.away = True
    bench.turn(manage("r1"))
    after = Bench(tmp_path, engine=bench.engine)
    after.loop.recall()
    assert after.turn().active_revision == "r1"


def test_a_status_that_nobody_took_is_written_later(bench: Bench) -> None:
    bench.paper.away = True
    bench.turn(manage())
    bench.paper.away = False
    bench.turn()
    assert bench.paper.statuses == []
    bench.now += 11
    bench.turn()
    assert len(bench.paper.statuses) == 1


@pytest.mark.parametrize("period_s", [60, 600])
def test_a_status_is_written_within_every_period_that_it_promises(bench: Bench, period_s: int) -> None:
    bench.paper.period_s = period_s
    written_s = [bench.now]
    bench.turn(manage())
    for _ in range(2 * period_s):
        bench.now += 1
        before = len(bench.paper.statuses)
        bench.turn()
        written_s += [bench.now] * (len(bench.paper.statuses) - before)
    gaps = [after - before for before, after in pairwise(written_s)]
    assert period_s / 2 <= min(gaps)
    assert max(gaps) <= period_s
    assert {status.heartbeat_period_seconds for status in bench.paper.statuses} == {period_s}


def test_totals_that_come_to_rest_are_written_soon(bench: Bench) -> None:
    bench.turn(manage())
    bench.engine.promoted_bytes = 4096
    for _ in range(3):
        bench.now += 5
        bench.turn()
    assert [status.promoted_bytes for status in bench.paper.statuses] == [0, 4096]


def test_a_trickle_is_written_about_once_a_minute(bench: Bench) -> None:
    bench.paper.period_s = 900
    bench.turn(manage())
    for count in range(60):
        bench.now += 5
        bench.engine.promoted_bytes += 4096 * (count % 2)
        bench.turn()
    assert len(bench.paper.statuses) - 1 <= 300 / 60 + 1


def test_a_node_tiering_that_was_made_again_is_told_at_once(bench: Bench) -> None:
    bench.turn(manage())
    again = manage()
    again["metadata"]["uid"] = "u2"
    bench.now += 5
    bench.turn(again)
    assert len(bench.paper.statuses) == 2


def test_an_agent_recalls_a_last_state_without_a_status(tmp_path: Path) -> None:
    received = restore()
    LastState(tmp_path, boot_id="boot-1").save(received)
    bench = Bench(tmp_path)
    bench.loop.recall()
    assert ready(bench.turn()).reason == "Restored"


def test_a_state_directory_that_is_gone_is_no_reason_to_stop(bench: Bench, tmp_path: Path) -> None:
    tmp_path.rmdir()
    assert ready(bench.turn(manage())).reason == "Enforcing"
    assert any(line.get("note") == "last state not saved" for line in bench.lines())


def test_a_defect_is_logged_once_with_its_trace(bench: Bench) -> None:
    bench.engine.failures["verify"] = ZeroDivisionError("division by zero")
    assert ready(bench.turn(manage())).reason == "InternalError"
    bench.turn()
    traces = [line["trace"] for line in bench.lines() if line.get("note") == "defect"]
    assert len(traces) == 1
    assert "ZeroDivisionError" in traces[0]


def test_why_a_node_is_not_ready_is_logged_once_and_again_for_another_spec(bench: Bench) -> None:
    bench.turn(manage(tiers=ABSENT))
    bench.turn()
    bench.turn(manage("r2", generation=2, tiers=ABSENT))
    bench.engine.failures["apply"] = StoreRefused(path="/sys/x", value="on", errno=errno.EBUSY)
    bench.turn(manage("r3", generation=3))
    del bench.engine.failures["apply"]
    bench.turn()
    bench.turn()
    told = [line for line in bench.lines() if line.get("note") == "ready"]
    assert [(line["generation"], line["status"], line["reason"]) for line in told] == [
        (1, "False", "NidNotFound"),
        (2, "False", "NidNotFound"),
        (3, "False", "StoreRefused"),
        (3, "True", "Enforcing"),
    ]
    assert "names nid 7" in told[0]["why"]
    assert "/sys/x" in told[2]["why"]


def test_the_steps_of_a_turn_add_up(bench: Bench) -> None:
    bench.turn(manage())
    steps = [line for line in bench.lines() if "step" in line]
    assert [line["step"] for line in steps] == [
        "observe",
        "probe",
        "plan",
        "apply",
        "verify",
        "report",
        "publish",
        "save",
    ]
    span = steps[-1]["monotonic_s"] - steps[0]["monotonic_s"]
    assert sum(line["took_s"] for line in steps[1:]) == pytest.approx(span, abs=1e-4)


def test_a_published_status_is_logged_with_whether_it_was_ready(bench: Bench) -> None:
    bench.engine.failures["plan"] = SettingsRejected(reason="NoTarget", message="no target")
    bench.turn(manage())
    del bench.engine.failures["plan"]
    bench.turn()
    assert [line["ready"] for line in bench.lines() if line.get("step") == "publish"] == ["False", "True"]


def test_a_status_that_nobody_took_is_not_logged_as_ready(bench: Bench) -> None:
    bench.paper.away = True
    bench.turn(manage())
    assert [line["ready"] for line in bench.lines() if line.get("step") == "publish"] == [None]


def test_turns_without_news_log_nothing(bench: Bench) -> None:
    bench.turn(manage())
    before = len(bench.lines())
    bench.turn()
    assert len(bench.lines()) == before


def test_closing_the_inbox_ends_the_loop_and_stops_nothing(bench: Bench) -> None:
    bench.inbox.put(manage())
    done = threading.Thread(target=bench.loop.run)
    done.start()
    while not bench.paper.statuses:
        done.join(0.01)
    bench.inbox.close()
    done.join(5)
    assert not done.is_alive()
    assert bench.engine.applied == ["start"]


class Hurried(FakeEngine):
    """One whose plans want the next turn at once."""

    def plan(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        return replace(super().plan(settings, topology, movable), recheck_s=0.1)


@pytest.mark.parametrize(("fails", "least_s"), [(False, 0.0), (True, 1.0)])
def test_what_failed_is_not_tried_again_at_once(tmp_path: Path, *, fails: bool, least_s: float) -> None:
    failures: dict[str, Exception] = {"apply": StoreRefused(path="/x", value="1", errno=errno.EACCES)} if fails else {}
    bench = Bench(tmp_path, engine=Hurried(failures=failures))
    waits: list[float] = []

    def wait(timeout_s: float) -> bool:
        waits.append(timeout_s)
        bench.inbox.close()
        return True

    bench.inbox.put(manage())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.inbox, "wait", wait)
        bench.loop.run()
    assert waits == [max(0.1, least_s)]


def test_another_spec_wakes_the_loop_and_another_status_does_not() -> None:
    inbox = Inbox()
    inbox.put(manage(generation=1))
    assert inbox.wait(0)
    inbox.put(manage(generation=1) | {"status": {"kernel": "7.2"}})
    assert not inbox.wait(0)
    inbox.put(manage(generation=2))
    assert inbox.wait(0)


def ended(bench: Bench, manifest: dict[str, Any]) -> bool:
    """Lets the loop take one turn for this object and end; returns whether it left the node as it was found."""
    bench.inbox.put(manifest)
    worker = threading.Thread(target=bench.loop.run)
    worker.start()
    while not bench.paper.statuses:
        pass
    assert not bench.loop.left_the_node, "it has not ended yet"
    bench.inbox.close()
    worker.join(20)
    return bench.loop.left_the_node


def test_an_agent_that_ends_where_nothing_is_in_force_has_left_the_node(bench: Bench) -> None:
    assert ended(bench, restore())


def test_an_agent_that_ends_while_a_policy_is_in_force_has_not(bench: Bench) -> None:
    assert not ended(bench, manage())


def test_an_agent_that_could_not_restore_has_not(bench: Bench) -> None:
    bench.engine.failures["plan_stop"] = HostFileUnreadable(path="/sys/x", errno=errno.EIO)
    assert not ended(bench, restore())


@pytest.mark.parametrize("name", ["journal.json", "numa_balancing.json", "move_pages.json"])
def test_a_value_that_could_not_come_back_yet_is_not_forgotten(tmp_path: Path, name: str) -> None:
    """DAMON_STAT cannot be enabled while somebody else's kdamond runs: the next agent has to know that it was."""
    owed = JournalState(originals=(Original(path="/sys/module/damon_stat/parameters/enabled", value="Y"),))
    FileJournal(tmp_path, boot_id="a", name=name).save(owed)
    Bench(tmp_path).turn(restore())
    forget(tmp_path, boot_id="a")
    assert FileJournal(tmp_path, boot_id="a", name=name).load() == owed
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_forgetting_leaves_an_empty_directory(tmp_path: Path) -> None:
    held = lock(tmp_path)
    Bench(tmp_path).turn(manage())
    FileJournal(tmp_path, boot_id="a").save(JournalState(promoted_bytes=1))
    (tmp_path / "pods.new").write_text("half")
    assert len(list(tmp_path.iterdir())) == 4
    forget(tmp_path, boot_id="a")
    assert list(tmp_path.iterdir()) == []
    os.close(held)


class Refusing(FakeEngine):
    """One that fails anew in every turn, and knows why."""

    def plan(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        try:
            raise StoreRefused(path="/sys/x", value="on", errno=errno.EBUSY)
        except StoreRefused as error:
            raise EngineUnavailable(reason="Busy", message="somebody is at it") from error

    def verify(self) -> Moved:
        raise StoreRefused(path="/sys/y", value="on", errno=errno.EBUSY)


def kept_turns(bench: Bench, manifest: dict[str, Any]) -> list[int]:
    """Returns how many turns are in memory after each of some."""
    held = []
    for _ in range(8):
        bench.turn(manifest)
        gc.collect()
        held.append(sum(type(one) is Turn for one in gc.get_objects()))
    return held


@pytest.mark.parametrize("manifest", [manage(), manage(mode="FromTheFuture")])
def test_turns_that_fail_keep_nothing_of_the_turns_before(tmp_path: Path, manifest: dict[str, Any]) -> None:
    held = kept_turns(Bench(tmp_path, engine=Refusing()), manifest)
    assert held[-1] == held[2]
