"""The engine on a simulated kernel: starts, adopts, changes, refuses, stops."""

import contextlib
import dataclasses
import errno
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import (
    LINUX_6_17,
    LINUX_7_0,
    LINUX_7_2,
    LINUX_7_3,
    NO_DAMON,
    PROFILES,
    Profile,
    SimKernel,
    SimMemory,
    SimNid,
)
from terrace_agent.damon.meter import Meter
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.read import TreeReader
from terrace_agent.engine import Plan, stores
from terrace_agent.errors import EngineUnavailable, KdamondDied, KdamondStays, SettingsRejected, StoreRefused
from terrace_agent.journal_file import FileJournal
from terrace_agent.topology.values import PhysicalRange, Topology
from terrace_agent.workloads.values import Cgroup, Movable
from terrace_api.policy import Settings
from unit.agent.damon.builders import (
    BOOT_ID,
    MIB,
    MemoryJournal,
    engine_on,
    guest,
    nid,
    settings,
    three_tiers,
    topology,
)

ADMIN = "/sys/kernel/mm/damon/admin/kdamonds"
NR_KDAMONDS = f"{ADMIN}/nr_kdamonds"
DAMON_STAT = "/sys/module/damon_stat/parameters/enabled"
DEMOTION_ENABLED = "/sys/kernel/mm/numa/demotion_enabled"
DEMOTION_GOAL = f"{ADMIN}/0/contexts/0/schemes/0/quotas/goals/0/target_value"
GOALS = "commit_schemes_quota_goals"
DEMOTION_AGE = f"{ADMIN}/0/contexts/0/schemes/0/access_pattern/age/min"


@pytest.fixture
def kernel() -> SimKernel:
    return SimKernel(LINUX_7_2)


def enforce(kernel: SimKernel, state: Path, chosen: Settings | None = None, where: Topology | None = None) -> Plan:
    """One turn of a freshly started agent."""
    engine = engine_on(kernel, state)
    plan = engine.plan(chosen or settings(), where or guest())
    engine.apply(plan)
    return plan


def stop(kernel: SimKernel, state: Path) -> Plan:
    engine = engine_on(kernel, state)
    plan = engine.plan_stop()
    engine.apply(plan)
    return plan


def stage_foreign(kernel: SimKernel, *, on: bool) -> None:
    """Somebody with a shell and `echo`."""
    kernel.store(DAMON_STAT, "N")
    kernel.store(NR_KDAMONDS, "1")
    kernel.store(f"{ADMIN}/0/contexts/nr_contexts", "1")
    kernel.store(f"{ADMIN}/0/contexts/0/schemes/nr_schemes", "1")
    kernel.store(f"{ADMIN}/0/contexts/0/schemes/0/action", "pageout")
    if on:
        kernel.store(f"{ADMIN}/0/state", "on")


def test_both_directions_run_after_one_turn(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    actions = {index: kdamond.files["contexts/0/schemes/0/action"] for index, kdamond in kernel.running.items()}
    assert actions == {0: "migrate_cold", 1: "migrate_hot"}


def test_room_is_made_before_it_is_filled(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    assert [path for path, value in kernel.stored if value == "on"] == [f"{ADMIN}/0/state", f"{ADMIN}/1/state"]


def test_a_second_turn_has_nothing_to_do(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    assert enforce(kernel, tmp_path).steps == ()


def test_planning_stores_nothing_once_the_kernel_is_probed(kernel: SimKernel, tmp_path: Path) -> None:
    engine = engine_on(kernel, tmp_path)
    engine.probe()
    kernel.stored.clear()
    plan = engine.plan(settings(), guest())
    assert not kernel.stored
    assert stores(plan)


def test_the_printed_stores_are_the_ones_that_are_made(kernel: SimKernel, tmp_path: Path) -> None:
    engine = engine_on(kernel, tmp_path)
    plan = engine.plan(settings(), guest())
    kernel.stored.clear()
    engine.apply(plan)
    assert [(store.path, store.value) for store in stores(plan)] == kernel.stored


def test_a_restarted_agent_adopts_its_kdamonds(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    before = dataclasses.replace(kernel.running[0]), dataclasses.replace(kernel.running[1])
    assert enforce(kernel, tmp_path).reason == "the configuration is in force"
    assert (kernel.running[0], kernel.running[1]) == before


def test_kdamonds_in_a_journal_of_the_first_release_are_adopted(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    pids = [kdamond.pid for kdamond in kernel.running.values()]
    file = tmp_path / "journal.json"
    file.write_text(
        json.dumps({name: value for name, value in json.loads(file.read_text()).items() if name != "since"})
    )
    assert enforce(kernel, tmp_path).reason == "the configuration is in force"
    assert [kdamond.pid for kdamond in kernel.running.values()] == pids


def test_a_changed_goal_is_committed_online(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    pids = {index: kdamond.pid for index, kdamond in kernel.running.items()}
    enforce(kernel, tmp_path, settings(used="90%"))
    assert {index: kdamond.pid for index, kdamond in kernel.running.items()} == pids
    assert kernel.running[1].files["contexts/0/schemes/0/quotas/goals/0/target_value"] == "9000"


def test_a_commit_keeps_what_the_kernel_has_tuned(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    kernel.running[1].intervals = (80_000, 1_600_000)
    enforce(kernel, tmp_path, settings(used="90%"))
    assert kernel.running[1].intervals == (80_000, 1_600_000)


def test_a_changed_start_interval_is_committed_although_the_kernel_tunes(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    kernel.running[1].intervals = (80_000, 800_000)
    chosen = settings()
    monitoring = dataclasses.replace(chosen.monitoring, aggregation_interval=type(chosen.quota.time)(200_000))
    enforce(kernel, tmp_path, dataclasses.replace(chosen, monitoring=monitoring))
    assert kernel.running[1].intervals == (5_000, 200_000)


def test_intervals_to_start_from_are_committed_although_the_kernel_refreshes_its_files(
    kernel: SimKernel, tmp_path: Path
) -> None:
    intervals, refresh = f"{ADMIN}/0/contexts/0/monitoring_attrs/intervals", f"{ADMIN}/0/refresh_ms"
    chosen = settings(demotion=False)
    enforce(kernel, tmp_path, chosen)
    refreshed = kernel.read(refresh)

    def refresh_files(word: str) -> None:
        if word == "commit" and kernel.read(refresh) != "0":
            kernel.put(f"{intervals}/sample_us", "5000")
            kernel.put(f"{intervals}/aggr_us", "100000")

    kernel.meanwhile = refresh_files
    monitoring = dataclasses.replace(chosen.monitoring, aggregation_interval=type(chosen.quota.time)(200_000))
    enforce(kernel, tmp_path, dataclasses.replace(chosen, monitoring=monitoring))
    assert kernel.running[0].intervals == (5_000, 200_000)
    assert kernel.read(refresh) == refreshed == "1000"
    assert enforce(kernel, tmp_path, dataclasses.replace(chosen, monitoring=monitoring)).steps == ()


def test_less_room_for_promotion_is_committed_there_first(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    plan = enforce(kernel, tmp_path, settings(used="80%"))
    assert [s.path for s in stores(plan) if s.value == GOALS] == [f"{ADMIN}/1/state", f"{ADMIN}/0/state"]
    plan = enforce(kernel, tmp_path, settings(used="90%"))
    assert [s.path for s in stores(plan) if s.value == GOALS] == [f"{ADMIN}/0/state", f"{ADMIN}/1/state"]


def test_changed_goals_leave_everything_else_alone(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    enforce(kernel, tmp_path, settings(used="80%"))
    assert [(running.commits, running.goal_commits) for running in kernel.running.values()] == [(0, 1), (0, 1)]


def test_memory_that_came_online_is_monitored_without_a_restart(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    pids = {index: running.pid for index, running in kernel.running.items()}
    where = guest()
    grown = dataclasses.replace(
        where.nids[1], ranges=(*where.nids[1].ranges, PhysicalRange(start=4 << 30, end=5 << 30)), total_bytes=3 << 29
    )
    enforce(kernel, tmp_path, where=dataclasses.replace(where, nids=(where.nids[0], grown)))
    assert {index: running.pid for index, running in kernel.running.items()} == pids
    regions = "contexts/0/targets/0/regions"
    assert kernel.running[1].files[f"{regions}/nr_regions"] == "2"
    assert kernel.running[1].files[f"{regions}/1/end"] == str(5 << 30)


def test_a_source_less_starts_all_kdamonds_anew_and_keeps_what_arrived(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path, where=three_tiers())
    pids = {index: running.pid for index, running in kernel.running.items()}
    kernel.count(1, 0, sz_applied=100)
    kernel.count(1, 1, sz_applied=30)
    far = dataclasses.replace(three_tiers(), tiers=three_tiers().tiers[:2])
    engine = engine_on(kernel, tmp_path)
    engine.verify()
    engine.apply(engine.plan(settings(), far))
    assert set(kernel.running) == {0, 1}
    moved = engine.verify()
    assert (moved.promoted_bytes, moved.demoted_bytes) == (100, 30)
    assert not {running.pid for running in kernel.running.values()} & set(pids.values())


def test_a_floor_that_breathes_is_no_reason_to_commit(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    assert enforce(kernel, tmp_path, where=guest(fast_floor_bytes=76 << 20)).steps == ()


@pytest.mark.parametrize("more_mib", [1, 2, 20])
def test_a_floor_that_rose_is_kept_however_little_it_rose(kernel: SimKernel, tmp_path: Path, more_mib: int) -> None:
    enforce(kernel, tmp_path)
    enforce(kernel, tmp_path, where=guest(fast_floor_bytes=(77 + more_mib) * MIB))
    fresh = SimKernel(kernel.profile)
    engine = engine_on(fresh, MemoryJournal())
    engine.apply(engine.plan(settings(), guest(fast_floor_bytes=(77 + more_mib) * MIB)))
    goals = [
        {path: value for path, value in one.running[index].files.items() if path.endswith("goals/0/target_value")}
        for one in (kernel, fresh)
        for index in (0, 1)
    ]
    assert goals[:2] == goals[2:]
    assert [(running.commits, running.goal_commits) for running in kernel.running.values()] == [(0, 1), (0, 1)]


@given(st.lists(st.integers(60, 100), max_size=8))
def test_whatever_a_floor_does_promotion_leaves_it_and_demotion_makes_room(floors_mib: list[int]) -> None:
    kernel = SimKernel(LINUX_7_2)
    engine = engine_on(kernel, MemoryJournal())
    for floor_mib in (77, *floors_mib):
        engine.apply(engine.plan(settings(), guest(fast_floor_bytes=floor_mib * MIB)))
        goal = "contexts/0/schemes/0/quotas/goals/0/target_value"
        demotion_free_bp, promotion_used_bp = (int(kernel.running[index].files[goal]) for index in (0, 1))
        promotion_free_bp = 10_000 - promotion_used_bp
        assert promotion_free_bp * 1536 >= 10_000 * floor_mib
        assert demotion_free_bp - promotion_free_bp >= 10


def listed(*names: str) -> Movable:
    return Movable(listed=True, allowed=tuple(Cgroup(path=name) for name in names))


def test_pods_that_come_and_go_beside_a_floor_that_breathes_are_committed_once_in_five_seconds(
    kernel: SimKernel,
) -> None:
    second = 0
    engine = engine_on(kernel, MemoryJournal(), clock=lambda: float(second))
    commits = []
    for second in range(11):
        names = ("/", f"/pod{second}")
        for name in names:
            kernel.make_cgroup(name)
        engine.apply(engine.plan(settings(), guest(fast_floor_bytes=(77 - second % 2) * MIB), listed(*names)))
        commits.append(kernel.running[0].commits)
        goal = int(kernel.running[1].files["contexts/0/schemes/0/quotas/goals/0/target_value"])
        assert (10_000 - goal) * 1536 >= 10_000 * (77 - second % 2)
    assert commits == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]


def test_a_floor_that_grew_is_committed(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    assert enforce(kernel, tmp_path, where=guest(fast_floor_bytes=120 << 20)).steps


def test_an_edit_is_committed_however_small_it_is(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path, settings(used="90%"))
    enforce(kernel, tmp_path, settings(used="90.01%"))
    assert kernel.running[1].files["contexts/0/schemes/0/quotas/goals/0/target_value"] == "9001"


def test_an_age_is_counted_anew_when_the_aggregation_interval_has_doubled(kernel: SimKernel, tmp_path: Path) -> None:
    engine = engine_on(kernel, tmp_path)
    engine.apply(engine.plan(settings(), guest()))
    for aggr_us, age in ((130_000, "100"), (200_000, "50")):
        kernel.running[0].intervals = (aggr_us // 20, aggr_us)
        engine.verify()
        engine.apply(engine.plan(settings(), guest()))
        assert kernel.running[0].files["contexts/0/schemes/0/access_pattern/age/min"] == age


def test_the_next_look_comes_sooner_while_ages_drift(kernel: SimKernel, tmp_path: Path) -> None:
    engine = engine_on(kernel, tmp_path)
    assert enforce(kernel, tmp_path).recheck_s == 1
    assert [engine.plan(settings(), guest()).recheck_s for _ in range(11)] == [*range(1, 11), 10]
    kernel.running[0].intervals = (6_500, 130_000)
    engine.verify()
    drifting = engine.plan(settings(), guest())
    assert (drifting.steps, drifting.recheck_s) == ((), 1)


def test_the_next_look_comes_sooner_while_intervals_are_on_their_way(kernel: SimKernel, tmp_path: Path) -> None:
    engine = engine_on(kernel, tmp_path)
    engine.apply(engine.plan(settings(), guest()))
    for aggr_us, recheck_s in ((100_000, 1), (200_000, 1), (200_000, 2), (200_000, 3), (210_000, 4)):
        kernel.running[1].intervals = (aggr_us // 20, aggr_us)
        engine.verify()
        assert engine.plan(settings(), guest()).recheck_s == recheck_s


def test_a_kdamond_that_died_is_switched_on_again_and_the_other_goes_on(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    pid = kernel.running[1].pid
    kernel.kill_kdamond(0)
    assert "kdamond 0 is off" in enforce(kernel, tmp_path).reason
    assert kernel.running[0].files["contexts/0/schemes/0/action"] == "migrate_cold"
    assert kernel.running[1].pid == pid


def test_a_direction_less_makes_the_tree_anew(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    enforce(kernel, tmp_path, settings(promotion=False))
    assert kernel.read(NR_KDAMONDS) == "1"
    assert kernel.running[0].files["contexts/0/schemes/0/action"] == "migrate_cold"
    assert enforce(kernel, tmp_path, settings(promotion=False)).steps == ()


def test_a_kdamond_that_was_taken_away_on_purpose_is_not_missed(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    enforce(kernel, tmp_path, settings(promotion=False))
    assert engine_on(kernel, tmp_path).verify().notes == ()
    assert [claim.index for claim in FileJournal(tmp_path, boot_id=BOOT_ID).load().owned] == [0]
    kernel.kill_kdamond(0)
    assert engine_on(kernel, tmp_path).verify().notes == ("kdamond 0 is off though it should run",)


def test_stop_leaves_the_node_as_it_was_found(kernel: SimKernel, tmp_path: Path) -> None:
    found = {path: kernel.read(path) for path in (NR_KDAMONDS, DAMON_STAT, DEMOTION_ENABLED)}
    enforce(kernel, tmp_path)
    assert (kernel.read(DAMON_STAT), kernel.read(DEMOTION_ENABLED)) == ("N", "true")
    stop(kernel, tmp_path)
    assert {path: kernel.read(path) for path in found} == found
    assert stop(kernel, tmp_path).steps == ()


class Meddled(SimKernel):
    """A kernel beside whose agent somebody switches on whatever is switched off."""

    def store(self, path: str, value: str) -> None:
        super().store(path, value)
        if value == "off":
            super().store(path, "on")


def test_a_kdamond_that_somebody_switches_on_again_is_said_to_be_on(tmp_path: Path) -> None:
    kernel = Meddled(LINUX_7_2)
    enforce(kernel, tmp_path)
    with pytest.raises(KdamondStays, match="kdamond 1 is on after 'off'"):
        stop(kernel, tmp_path)


def test_promotion_stops_before_the_demotion_that_makes_its_room(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    plan = stop(kernel, tmp_path)
    assert [s.path for s in stores(plan) if s.value == "off"] == [f"{ADMIN}/1/state", f"{ADMIN}/0/state"]


UNKNOWN_WORDS = ["action", "quotas/goals/0/target_metric"]


@pytest.mark.parametrize("file", UNKNOWN_WORDS)
def test_a_kdamond_that_we_started_is_stopped_although_its_files_hold_a_word_that_this_version_does_not_know(
    kernel: SimKernel, tmp_path: Path, file: str
) -> None:
    enforce(kernel, tmp_path)
    kernel.put(f"{ADMIN}/0/contexts/0/schemes/0/{file}", "of_a_newer_agent")
    stop(kernel, tmp_path)
    assert not kernel.running
    assert kernel.read(NR_KDAMONDS) == "0"


@pytest.mark.parametrize("file", UNKNOWN_WORDS)
def test_a_kdamond_that_we_started_is_made_anew_where_its_files_hold_an_unknown_word(
    kernel: SimKernel, tmp_path: Path, file: str
) -> None:
    enforce(kernel, tmp_path)
    path = f"{ADMIN}/0/contexts/0/schemes/0/{file}"
    known = kernel.read(path)
    kernel.put(path, "of_a_newer_agent")
    assert enforce(kernel, tmp_path).reason == "kdamond 0 holds what this version does not know"
    assert (kernel.read(path), len(kernel.running)) == (known, 2)
    assert enforce(kernel, tmp_path).steps == ()


def test_settings_that_were_on_before_stay_on_after(kernel: SimKernel, tmp_path: Path) -> None:
    kernel.store(DEMOTION_ENABLED, "true")
    enforce(kernel, tmp_path)
    stop(kernel, tmp_path)
    assert kernel.read(DEMOTION_ENABLED) == "true"


def test_a_node_that_lost_its_second_tier_is_brought_back(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    enforce(kernel, tmp_path, where=topology((nid(0, 1 << 30),)))
    assert not kernel.running
    assert kernel.read(DAMON_STAT) == "Y"


@pytest.mark.parametrize("on", [True, False])
def test_somebody_elses_kdamond_is_named_and_left_alone(kernel: SimKernel, tmp_path: Path, on: bool) -> None:
    stage_foreign(kernel, on=on)
    kernel.stored.clear()
    engine = engine_on(kernel, tmp_path)
    capability = engine.probe()
    with pytest.raises(EngineUnavailable, match=r"kdamond 0 .*pageout"):
        engine.plan(settings(), guest())
    assert engine.plan_stop().steps == ()
    assert (capability.available, capability.reason) == (False, "ForeignKdamonds")
    assert not kernel.stored
    for value, path in re.findall(r"echo (\S+) > ([^;]+)", capability.message):
        kernel.store(path, value)
    assert engine.probe().available


def test_the_commands_that_free_the_way_end_ours_too_for_the_kernel_asks_for_all(
    kernel: SimKernel, tmp_path: Path
) -> None:
    enforce(kernel, tmp_path)
    kernel.store(f"{ADMIN}/1/state", "off")
    kernel.store(f"{ADMIN}/1/contexts/0/schemes/0/action", "pageout")
    kernel.store(f"{ADMIN}/1/state", "on")
    engine = engine_on(kernel, tmp_path)
    capability = engine.probe()
    assert capability.reason == "ForeignKdamonds"
    for value, path in re.findall(r"echo (\S+) > ([^;]+)", capability.message):
        kernel.store(path, value)
    assert engine.probe().available


def test_a_tree_that_somebody_staged_in_place_of_ours_is_foreign(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    for index in (0, 1):
        kernel.store(f"{ADMIN}/{index}/state", "off")
    stage_foreign(kernel, on=False)
    with pytest.raises(EngineUnavailable, match="kdamond 0"):
        engine_on(kernel, tmp_path).plan(settings(), guest())


def test_a_tree_of_another_shape_is_foreign_even_if_nothing_in_it_was_set(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    for index in (0, 1):
        kernel.store(f"{ADMIN}/{index}/state", "off")
    for path, count in (
        ("nr_kdamonds", "2"),
        ("0/contexts/nr_contexts", "1"),
        ("0/contexts/0/schemes/nr_schemes", "3"),
    ):
        kernel.store(f"{ADMIN}/{path}", count)
    with pytest.raises(EngineUnavailable, match="kdamond 0"):
        engine_on(kernel, tmp_path).plan(settings(), guest())


def test_damon_stat_waits_for_the_other_users_end(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    for index in (0, 1):
        kernel.store(f"{ADMIN}/{index}/state", "off")
    stage_foreign(kernel, on=True)
    stop(kernel, tmp_path)
    assert (kernel.read(DAMON_STAT), kernel.read(DEMOTION_ENABLED)) == ("N", "false")
    kernel.store(f"{ADMIN}/0/state", "off")
    stop(kernel, tmp_path)
    assert kernel.read(DAMON_STAT) == "Y"
    assert kernel.read(NR_KDAMONDS) == "1"


@pytest.mark.parametrize("is_late", [False, True], ids=["before the plan", "after the plan"])
def test_damon_stat_waits_for_an_administrators_module_and_everything_else_comes_back(
    kernel: SimKernel, tmp_path: Path, is_late: bool
) -> None:
    enforce(kernel, tmp_path)
    module = "/sys/module/damon_reclaim/parameters/enabled"
    if not is_late:
        kernel.put(module, "Y")
    engine = engine_on(kernel, tmp_path)
    plan = engine.plan_stop()
    kernel.put(module, "Y")
    with pytest.raises(StoreRefused, match="EBUSY") if is_late else contextlib.nullcontext():
        engine.apply(plan)
    assert (kernel.read(DAMON_STAT), kernel.read(DEMOTION_ENABLED)) == ("N", "false")
    assert stop(kernel, tmp_path).steps == ()
    kernel.put(module, "N")
    stop(kernel, tmp_path)
    assert kernel.read(DAMON_STAT) == "Y"


def test_an_administrators_damon_module_is_left_running(kernel: SimKernel, tmp_path: Path) -> None:
    kernel.put("/sys/module/damon_reclaim/parameters/enabled", "Y")
    with pytest.raises(EngineUnavailable, match="damon_reclaim is enabled"):
        engine_on(kernel, tmp_path).plan(settings(), guest())
    assert kernel.read("/sys/module/damon_reclaim/parameters/enabled") == "Y"


def test_a_kernel_without_damon_says_what_is_missing_and_what_helps(tmp_path: Path) -> None:
    capability = engine_on(SimKernel(NO_DAMON), tmp_path).probe()
    assert (capability.available, capability.reason) == (False, "NoDamonSysfs")
    assert "CONFIG_DAMON_SYSFS is off" in capability.message
    assert "Debian" in capability.message


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_kernel_with_migration_can_run_the_engine(profile: Profile, tmp_path: Path) -> None:
    kernel = SimKernel(profile)
    assert engine_on(kernel, tmp_path).probe().available
    enforce(kernel, tmp_path)
    moved = engine_on(kernel, tmp_path).verify()
    assert [(one.source_nid, one.direction, one.target_nid) for one in moved.kdamonds] == [
        (0, "demotion", 1),
        (1, "promotion", 0),
    ]
    stop(kernel, tmp_path)
    assert not kernel.running


def test_a_probe_leaves_the_tree_as_it_found_it(kernel: SimKernel, tmp_path: Path) -> None:
    assert engine_on(kernel, tmp_path).probe().available
    assert kernel.read(NR_KDAMONDS) == "0"
    assert kernel.read(DAMON_STAT) == "Y"


def test_a_kernel_is_probed_once_per_boot(kernel: SimKernel, tmp_path: Path) -> None:
    engine_on(kernel, tmp_path).probe()
    kernel.stored.clear()
    assert engine_on(kernel, tmp_path).probe().available
    assert not kernel.stored


def test_wrong_tiers_are_rejected_before_the_first_store(kernel: SimKernel, tmp_path: Path) -> None:
    where = guest()
    broken = Topology(nids=where.nids, tiers=(where.tiers[0], where.tiers[0]))
    engine = engine_on(kernel, tmp_path)
    engine.probe()
    kernel.stored.clear()
    with pytest.raises(SettingsRejected):
        engine.plan(settings(), broken)
    assert not kernel.stored


def test_a_busy_kernel_is_asked_again(kernel: SimKernel, tmp_path: Path) -> None:
    engine = engine_on(kernel, tmp_path)
    plan = engine.plan(settings(), guest())
    kernel.busy_for = 5
    engine.apply(plan)
    assert len(kernel.running) == 2


def test_a_kernel_that_stays_busy_is_reported_with_file_and_errno(kernel: SimKernel, tmp_path: Path) -> None:
    engine = engine_on(kernel, tmp_path)
    plan = engine.plan(settings(), guest())
    kernel.busy_for = 1_000
    with pytest.raises(StoreRefused, match="nr_kdamonds: EBUSY") as caught:
        engine.apply(plan)
    assert caught.value.errno == errno.EBUSY


def test_a_kdamond_that_dies_of_a_command_is_noticed(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    engine = engine_on(kernel, tmp_path)
    plan = engine.plan(settings(used="90%", min_age="20s"), guest())
    kernel.profile = dataclasses.replace(kernel.profile, invalid_commit_kills=True)
    kernel.put(f"{ADMIN}/0/contexts/0/monitoring_attrs/nr_regions/min", "2")
    with pytest.raises(KdamondDied, match="kdamond 0 is off, so 'commit' is not in force"):
        engine.apply(plan)


def test_what_arrived_goes_on_over_restarts_of_agent_and_kdamonds(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    kernel.count(1, sz_tried=30, sz_applied=20)
    assert engine_on(kernel, tmp_path).verify().promoted_bytes == 20
    kernel.count(1, sz_tried=10, sz_applied=5)
    assert engine_on(kernel, tmp_path).verify().promoted_bytes == 25
    kernel.kill_kdamond(1)
    enforce(kernel, tmp_path)
    kernel.count(1, sz_applied=7)
    assert engine_on(kernel, tmp_path).verify().promoted_bytes == 32


def test_counters_that_could_not_be_refreshed_are_not_counted(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    kernel.count(1, sz_applied=100)
    engine_on(kernel, tmp_path).verify()
    kernel.kill_kdamond(1)
    enforce(kernel, tmp_path)
    kernel.update_errno = errno.EBUSY
    assert engine_on(kernel, tmp_path).verify().promoted_bytes == 100
    kernel.update_errno = None
    kernel.count(1, sz_applied=5)
    assert engine_on(kernel, tmp_path).verify().promoted_bytes == 105


def test_a_kdamond_that_died_is_said_and_not_shown_as_running(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    kernel.kill_kdamond(0)
    moved = engine_on(kernel, tmp_path).verify()
    assert [kdamond.direction for kdamond in moved.kdamonds] == ["promotion"]
    assert moved.notes == ("kdamond 0 is off though it should run",)


class Dying(SimKernel):
    """A kernel whose kdamond 1 ends just before it is asked for anything."""

    def store(self, path: str, value: str) -> None:
        if path == f"{ADMIN}/1/state" and value.startswith("update_") and 1 in self.running:
            self.kill_kdamond(1)
        super().store(path, value)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_kdamond_that_ends_just_when_it_is_asked_is_asked_no_more(profile: Profile, tmp_path: Path) -> None:
    kernel = Dying(profile)
    enforce(kernel, tmp_path)
    moved = engine_on(kernel, tmp_path).verify()
    assert [kdamond.direction for kdamond in moved.kdamonds] == ["demotion"]
    assert moved.notes == ("kdamond 1 is off though it should run",)


def test_a_kdamond_that_has_ended_is_not_commanded_again(tmp_path: Path) -> None:
    kernel, patience = SimKernel(LINUX_6_17), Patience()
    enforce(kernel, tmp_path)
    meter = Meter(kernel, TreeReader(kernel, patience), FileJournal(tmp_path, boot_id=BOOT_ID), patience)
    kernel.kill_kdamond(1)
    assert not any(meter.ask(1, f"update_{what}") for what in ("schemes_stats", "schemes_effective_quotas"))


def test_one_that_ends_between_look_and_commit_is_not_commanded_either(tmp_path: Path) -> None:
    kernel = SimKernel(LINUX_6_17)
    enforce(kernel, tmp_path)
    engine = engine_on(kernel, tmp_path)
    plan = engine.plan(settings(used="90%", min_age="20s"), guest())
    kernel.kill_kdamond(0)
    kernel.kill_kdamond(1)
    kernel.stored.clear()
    with pytest.raises(KdamondDied):
        engine.apply(plan)
    assert not [path for path, _ in kernel.stored if path.endswith("/state")]


def test_what_moved_before_the_first_look_counts(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    kernel.count(0, sz_applied=4096)
    assert engine_on(kernel, tmp_path).verify().demoted_bytes == 4096


def test_what_moved_before_a_stop_counts(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    kernel.count(1, sz_applied=4096)
    stop(kernel, tmp_path)
    assert engine_on(kernel, tmp_path).verify().promoted_bytes == 4096


def test_a_kdamond_that_refreshes_its_files_itself_is_asked_before_it_is_stopped(
    kernel: SimKernel, tmp_path: Path
) -> None:
    enforce(kernel, tmp_path, settings(demotion=False))
    kernel.count(0, sz_applied=4096)
    assert engine_on(kernel, tmp_path).verify().promoted_bytes == 0
    stop(kernel, tmp_path)
    assert engine_on(kernel, tmp_path).verify().promoted_bytes == 4096


def test_applied_is_believed_where_the_kernel_is_known_to_count_right(tmp_path: Path) -> None:
    kernel = SimKernel(LINUX_7_3)
    enforce(kernel, tmp_path)
    kernel.count(1, sz_applied=100 * 4096)
    kernel.put("/sys/devices/system/node/node0/numastat", "numa_foreign 90")
    assert engine_on(kernel, tmp_path).verify().promoted_bytes == 100 * 4096


@pytest.mark.parametrize(
    ("profile", "counts", "is_said"),
    [(LINUX_7_2, "0", True), (LINUX_7_2, "1", False), (LINUX_7_2, None, False), (LINUX_7_3, "0", False)],
)
def test_where_nobody_counts_what_landed_elsewhere_that_is_said(
    tmp_path: Path, profile: Profile, counts: str | None, is_said: bool
) -> None:
    kernel = SimKernel(profile)
    if counts:
        kernel.put("/proc/sys/vm/numa_stat", counts)
    effective = enforce(kernel, tmp_path).effective
    assert effective
    assert any("vm.numa_stat is 0" in note for note in effective.notes) is is_said


def test_pages_that_landed_elsewhere_did_not_arrive(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    kernel.count(1, sz_applied=100 * 4096)
    kernel.put("/sys/devices/system/node/node0/numastat", "numa_hit 5\nnuma_foreign 90")
    moved = engine_on(kernel, tmp_path).verify()
    assert moved.promoted_bytes == 10 * 4096
    assert [(k.direction, k.applied_bytes, k.arrived_bytes) for k in moved.kdamonds] == [
        ("demotion", 0, 0),
        ("promotion", 100 * 4096, 10 * 4096),
    ]


def test_an_amount_is_opened_with_the_intervals_that_the_kernel_has_tuned(tmp_path: Path) -> None:
    kernel = SimKernel(LINUX_7_0)
    memory = SimMemory(kernel=kernel, nids={0: SimNid(total=1536 * MIB), 1: SimNid(total=512 * MIB)})
    enforce(kernel, tmp_path)
    kernel.running[1].intervals = (80_000, 1_600_000)
    memory.run(1_000)
    assert enforce(kernel, tmp_path).recheck_s == pytest.approx(3.2)
    assert kernel.running[1].commits == 1
    assert kernel.running[1].intervals == (80_000, 1_600_000)


def test_a_middle_nid_is_reported_once_per_direction_and_target(tmp_path: Path) -> None:
    distances = {0: 10, 1: 15, 2: 20}
    where = topology(
        *((nid(number, 16 << 30, start=number << 34, distances=distances),) for number in range(3)),
    )
    kernel = SimKernel(LINUX_7_2, nids=(0, 1, 2))
    enforce(kernel, tmp_path, where=where)
    found = engine_on(kernel, tmp_path).verify().kdamonds
    identities = [(kdamond.index, kdamond.direction, kdamond.target_nid) for kdamond in found]
    assert identities == [(0, "demotion", 1), (1, "promotion", 0), (1, "demotion", 2), (2, "promotion", 1)]
