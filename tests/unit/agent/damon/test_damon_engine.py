"""The engine on a simulated kernel: starts, adopts, changes, refuses, stops."""

import dataclasses
import errno
from pathlib import Path

import pytest

from simkernel import LINUX_6_12, LINUX_7_0, LINUX_7_2, LINUX_7_3, NO_DAMON, PROFILES, Profile, SimKernel
from terrace_agent.damon.engine import DamonEngine
from terrace_agent.engine import Plan, stores
from terrace_agent.errors import EngineUnavailable, KdamondDied, SettingsRejected, StoreRefused
from terrace_agent.journal import FileJournal
from terrace_agent.topology.values import PhysicalRange, Topology
from terrace_api.codec import encode
from terrace_api.node_tiering import QuotaControl
from terrace_api.policy import Settings
from terrace_api.schema import part
from unit.agent.damon.builders import BOOT_ID, engine_on, guest, nid, settings, three_tiers, topology

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


def test_a_direction_less_on_a_middle_nid_keeps_what_monitoring_learnt(kernel: SimKernel, tmp_path: Path) -> None:
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
    assert pids


def test_a_floor_that_breathes_is_no_reason_to_commit(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    assert enforce(kernel, tmp_path, where=guest(fast_floor_bytes=78 << 20)).steps == ()


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
    assert [engine.plan(settings(), guest()).recheck_s for _ in range(6)] == [1, 2, 3, 4, 5, 5]
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


def test_stop_leaves_the_node_as_it_was_found(kernel: SimKernel, tmp_path: Path) -> None:
    found = {path: kernel.read(path) for path in (NR_KDAMONDS, DAMON_STAT, DEMOTION_ENABLED)}
    enforce(kernel, tmp_path)
    assert (kernel.read(DAMON_STAT), kernel.read(DEMOTION_ENABLED)) == ("N", "true")
    stop(kernel, tmp_path)
    assert {path: kernel.read(path) for path in found} == found
    assert stop(kernel, tmp_path).steps == ()


def test_promotion_stops_before_the_demotion_that_makes_its_room(kernel: SimKernel, tmp_path: Path) -> None:
    enforce(kernel, tmp_path)
    plan = stop(kernel, tmp_path)
    assert [s.path for s in stores(plan) if s.value == "off"] == [f"{ADMIN}/1/state", f"{ADMIN}/0/state"]


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
    with pytest.raises(KdamondDied, match="kdamond 0 is off after 'commit'"):
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


@pytest.mark.parametrize("profile", [LINUX_6_12, LINUX_7_0], ids=lambda profile: profile.name)
def test_what_moves_right_after_an_allowance_was_renewed_counts(profile: Profile, tmp_path: Path) -> None:
    kernel = SimKernel(profile)
    enforce(kernel, tmp_path)
    spent = int(kernel.running[1].files["contexts/0/schemes/0/quotas/bytes"])
    kernel.count(1, sz_tried=spent, sz_applied=spent)
    enforce(kernel, tmp_path)
    kernel.count(1, sz_tried=4096, sz_applied=4096)
    assert engine_on(kernel, tmp_path).verify().promoted_bytes == spent + 4096


def test_a_renewed_allowance_keeps_the_intervals_that_the_kernel_has_tuned(tmp_path: Path) -> None:
    kernel = SimKernel(LINUX_7_0)
    enforce(kernel, tmp_path)
    kernel.running[1].intervals = (80_000, 1_600_000)
    spent = int(kernel.running[1].files["contexts/0/schemes/0/quotas/bytes"])
    kernel.count(1, sz_tried=spent, sz_applied=spent)
    assert enforce(kernel, tmp_path).recheck_s == pytest.approx(3.2)
    assert kernel.running[1].commits == 2
    assert kernel.running[1].intervals == (80_000, 1_600_000)


def test_a_middle_nid_is_reported_once_per_direction_and_target_as_the_list_of_the_crd_wants_it(tmp_path: Path) -> None:
    distances = {0: 10, 1: 15, 2: 20}
    where = topology(
        *((nid(number, 16 << 30, start=number << 34, distances=distances),) for number in range(3)),
    )
    kernel = SimKernel(LINUX_7_2, nids=(0, 1, 2))
    enforce(kernel, tmp_path, where=where)
    found = [encode(kdamond) for kdamond in engine_on(kernel, tmp_path).verify().kdamonds]
    keys = part("nodetierings", "status", "kdamonds")["x-kubernetes-list-map-keys"]
    identities = [tuple(kdamond[key] for key in keys) for kdamond in found]
    assert identities == [(0, "demotion", 1), (1, "promotion", 0), (1, "demotion", 2), (2, "promotion", 1)]


def test_a_way_of_steering_quotas_that_is_not_released_is_refused(tmp_path: Path) -> None:
    kernel = SimKernel(LINUX_7_0)
    engine = DamonEngine(
        kernel, FileJournal(tmp_path, boot_id=BOOT_ID), quota_controls=frozenset({QuotaControl.TEMPORAL})
    )
    capability = engine.probe()
    assert (capability.available, capability.reason) == (False, "NoTemporalTuner")
    with pytest.raises(EngineUnavailable):
        engine.plan(settings(), guest())
    assert kernel.read(NR_KDAMONDS) == "0"
