"""Everything observed as one status, and when it is worth writing."""

import errno
from dataclasses import replace

import pytest

from terrace_agent.decide import Intent, Outcome
from terrace_agent.engine import Moved
from terrace_agent.errors import KdamondDied, StoreRefused
from terrace_agent.inventory import share_text
from terrace_agent.pods import PodMemory
from terrace_agent.report import Active, Observed, activate, is_due, make_status
from terrace_agent.situation import Situation
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from terrace_agent.workloads.values import Decision
from terrace_api.codec import decode_status, encode_status
from terrace_api.node_tiering import EngineCapability, EngineName, Levels, NodeTieringStatus
from terrace_api.policy import Mode, Tier
from terrace_api.schema import part
from terrace_api.strict import schema_problems
from unit.agent.fake_engine import EFFECTIVE, FakeEngine
from unit.agent.host_tree import MIB, HostTree, guest_files
from unit.agent.orders import manage, order

CAN = EngineCapability(name=EngineName.DAMON, available=True, reason="Available", message="it can")
FACTS = read_facts(HostTree(guest_files()), page_bytes=4096)
NOW = "2026-11-23T21:00:00Z"
LATER = "2026-11-23T22:00:00Z"
IN_FORCE = Active(revision="r1", since=NOW, mode=Mode.ENFORCE)


def observed(intent: Intent = Intent.ENFORCE, failure: Exception | None = None, promoted: int = 0) -> Observed:
    return Observed(
        generation=3,
        unknown_fields=("spec.settings.new",),
        kernel="7.2.13",
        situation=Situation(intent=intent, capabilities=(CAN,), engine=CAN.name, failure=failure),
        active=IN_FORCE,
        topology=discover(FACTS, None),
        moved=Moved(kdamonds=(), promoted_bytes=promoted, demoted_bytes=0, notes=("kdamond 1 died",)),
        pods=(PodMemory(uid="u1", bytes_by_nid={0: 3 * MIB, 1: MIB}), PodMemory(uid="u2", bytes_by_nid={})),
        decisions=(
            Decision(uid="u1", tiered=True, namespace="shop", name="web-0", rule="web", why="Tier by rule web"),
        ),
        plan_words=("promote from nid 1 to nid 0",),
        effective=EFFECTIVE,
    )


def status(seen: Observed, before: NodeTieringStatus | None = None) -> NodeTieringStatus:
    return make_status(seen, before=before, now=NOW)


def test_the_inventory_says_tier_size_and_why() -> None:
    fast, slow = status(observed()).numa_nodes
    assert (fast.nid, fast.tier, fast.kind.value, fast.cpus, fast.memory_tier) == (0, "fast", "DRAM", 2, 4)
    assert fast.why == "fast: memory_tier4; DRAM: has CPUs"
    assert (slow.tier, slow.total_bytes, slow.free_bytes) == ("slow", 512 * MIB, 128 * MIB)


def test_a_nid_that_no_tier_takes_is_shown_without_one() -> None:
    topology = discover(FACTS, (Tier(name="only", nids=(0,)),))
    assert [node.tier for node in status(replace(observed(), topology=topology)).numa_nodes] == ["only", ""]


def test_a_pods_fast_share_is_its_memory_on_the_fast_tier() -> None:
    web, empty = status(observed()).pods
    assert (web.namespace, web.name, web.fast_bytes, web.slow_bytes) == ("shop", "web-0", 3 * MIB, MIB)
    assert web.fast_share == "75.0%"
    assert (empty.name, empty.fast_share) == ("", "")


def test_a_pod_says_whether_it_is_tiered_and_by_which_rule() -> None:
    web, unnamed = status(observed()).pods
    assert (web.tiered, web.rule, web.why) == (True, "web", "Tier by rule web")
    assert (unnamed.tiered, unnamed.rule) == (False, "")


@pytest.mark.parametrize("intent", [Intent.RESTORE, Intent.WAIT, Intent.UNSUPPORTED])
def test_a_pod_says_nothing_of_tiering_where_no_policy_is_followed(intent: Intent) -> None:
    web = status(observed(intent)).pods[0]
    assert (web.name, web.tiered, web.rule, web.why) == ("web-0", None, "", "")


def test_totals_are_exact_and_readable() -> None:
    made = status(observed(promoted=250 * MIB))
    assert (made.promoted_bytes, made.promoted, made.fast_used) == (250 * MIB, "250Mi", "75.0%")


def test_the_plan_is_shown_in_observe_only() -> None:
    assert status(observed(Intent.OBSERVE)).plan == ("promote from nid 1 to nid 0",)
    assert status(observed(Intent.ENFORCE)).plan == ()


def test_what_the_engine_noticed_is_among_the_notes() -> None:
    made = status(observed()).effective
    assert made
    assert made.notes == ("from the fake", "kdamond 1 died")


@pytest.mark.parametrize("intent", [Intent.RESTORE, Intent.SINGLE_TIER, Intent.UNSUPPORTED, Intent.WAIT])
def test_no_engine_is_named_where_none_runs(intent: Intent) -> None:
    assert status(observed(intent)).engine is EngineName.NONE


@pytest.mark.parametrize("intent", list(Intent))
def test_an_engine_that_runs_is_named_whatever_is_intended(intent: Intent) -> None:
    running = FakeEngine(running=order(manage()).settings).verify()
    assert status(replace(observed(intent), moved=running)).engine is EngineName.DAMON


def test_a_status_survives_the_api() -> None:
    made = status(observed())
    assert decode_status(encode_status(made)) == made


def after(
    before: Active,
    outcome: Outcome,
    intent: Intent = Intent.ENFORCE,
    *,
    revision: str = "r2",
    running: bool = True,
    now: str = LATER,
) -> Active:
    return activate(before, outcome=outcome, intent=intent, revision=revision, running=running, now=now)


def test_a_pod_with_two_folders_is_one_pod() -> None:
    folders = (PodMemory(uid="u1", bytes_by_nid={0: MIB}), PodMemory(uid="u1", bytes_by_nid={0: MIB, 1: MIB}))
    [pod] = status(replace(observed(), pods=folders)).pods
    assert (pod.uid, pod.fast_bytes, pod.slow_bytes) == ("u1", 2 * MIB, MIB)


def test_whatever_is_too_long_is_cut_to_what_the_api_server_takes() -> None:
    failure = StoreRefused(path="/sys/" + "x" * 9000, value="on", errno=errno.EBUSY)
    words = tuple(f"{number} {'x' * 2000}" for number in range(99))
    pods = tuple(PodMemory(uid=f"u{number}", bytes_by_nid={}) for number in range(2000))
    seen = replace(observed(Intent.OBSERVE), plan_words=words, unknown_fields=words, pods=pods)
    seen = replace(seen, moved=replace(seen.moved, notes=words))
    long = encode_status(status(seen)) | {"conditions": encode_status(status(observed(failure=failure)))["conditions"]}
    assert schema_problems({"properties": {"status": part("nodetierings", "status")}}, {"status": long}) == ()
    assert (len(long["plan"]), len(long["unknownFields"]), len(long["pods"])) == (64, 64, 1024)


def test_a_revision_is_active_since_it_came_into_force() -> None:
    first = after(Active(), Outcome.IN_FORCE, revision="r1", now=NOW)
    assert first == IN_FORCE
    assert after(first, Outcome.IN_FORCE, revision="r1") == first
    assert after(first, Outcome.IN_FORCE, Intent.OBSERVE) == Active(revision="r2", since=LATER, mode=Mode.OBSERVE)
    assert after(first, Outcome.IN_FORCE, Intent.SINGLE_TIER) == Active(revision="r2", since=LATER, mode=None)


@pytest.mark.parametrize("intent", [Intent.RESTORE, Intent.OBSERVE])
def test_nothing_is_in_force_once_everything_was_stopped_whatever_failed_then(intent: Intent) -> None:
    assert after(IN_FORCE, Outcome.STOPPED, intent) == Active()


@pytest.mark.parametrize("intent", list(Intent))
def test_what_is_in_force_stays_so_where_nothing_is_done(intent: Intent) -> None:
    assert after(IN_FORCE, Outcome.UNCHANGED, intent) == IN_FORCE


def test_nothing_is_in_force_where_no_engine_can_run_and_nothing_runs() -> None:
    assert after(IN_FORCE, Outcome.UNCHANGED, Intent.UNSUPPORTED, running=False) == Active()


def test_the_first_status_is_written() -> None:
    assert is_due(status(observed()), before=None, written=None, overdue=False, totals_wait=False)


def test_nothing_new_waits_for_the_heartbeat() -> None:
    made = status(observed())
    assert not is_due(made, before=made, written=made, overdue=False, totals_wait=False)
    assert is_due(made, before=made, written=made, overdue=True, totals_wait=False)


def test_a_changed_condition_is_written_at_once() -> None:
    made = status(observed())
    died = status(observed(failure=KdamondDied(index=0, command="on")), before=made)
    assert is_due(died, before=made, written=made, overdue=False, totals_wait=False)


def test_totals_are_written_when_they_come_to_rest() -> None:
    start, moving, rest = (status(observed(promoted=size)) for size in (0, MIB, 2 * MIB))
    assert not is_due(moving, before=start, written=start, overdue=False, totals_wait=False)
    assert not is_due(rest, before=moving, written=start, overdue=False, totals_wait=False)
    assert is_due(rest, before=rest, written=start, overdue=False, totals_wait=False)
    assert not is_due(rest, before=rest, written=start, overdue=False, totals_wait=True)
    assert not is_due(rest, before=rest, written=rest, overdue=False, totals_wait=False)


def test_shares_are_text_for_people() -> None:
    assert [share_text(1, 3), share_text(0, 5), share_text(5, 5), share_text(0, 0)] == ["33.3%", "0.0%", "100.0%", ""]


def test_levels_are_reported_while_observing_and_written_as_soon_as_there_are_some() -> None:
    levels = Levels(hot_on_slow_bytes=3, cold_on_fast_bytes=2, forecast_bytes=1)
    before = status(observed(Intent.OBSERVE))
    after = status(replace(observed(Intent.OBSERVE), levels=levels))
    assert (before.levels, after.levels) == (None, levels)
    assert is_due(after, before=before, written=before, overdue=False, totals_wait=False)
    assert status(replace(observed(Intent.ENFORCE), levels=levels)).levels is None


def test_a_level_that_is_no_longer_zero_is_written_at_once_and_one_that_grows_is_not() -> None:
    none, some, more = (Levels(hot_on_slow_bytes=0, cold_on_fast_bytes=cold, forecast_bytes=0) for cold in (0, 2, 9))
    before, after, later = (status(replace(observed(Intent.OBSERVE), levels=one)) for one in (none, some, more))
    assert is_due(after, before=before, written=before, overdue=False, totals_wait=False)
    assert not is_due(later, before=after, written=after, overdue=False, totals_wait=False)
