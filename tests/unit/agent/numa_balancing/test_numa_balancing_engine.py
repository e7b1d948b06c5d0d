"""The kernel's own tiering is set, bounded, counted, and brought back after whatever happened."""

import contextlib
import dataclasses
import errno
import os

import pytest

from simkernel import LINUX_6_16, Killed, SimTiering
from terrace_agent.engine import Plan, stores
from terrace_agent.errors import EngineMustStop, PrivilegeLost, StoreRefused
from terrace_agent.journal import Cooldown
from terrace_agent.steps import Reclaim
from terrace_agent.workloads.values import Cgroup, Limited, Movable
from terrace_api.policy import AddressRange, PageCache, Watermarks
from terrace_api.units import Duration, Percent, Size
from unit.agent.damon.builders import MIB, settings
from unit.agent.numa_balancing.machine import FOUND, SWITCHES, Machine

POD = "/kubepods.slice/kubepods-pod1.slice/cri-containerd-a.scope"


def test_the_switch_is_stored_last_and_keeps_the_bits_that_were_found() -> None:
    machine = Machine()
    plan = machine.turn()
    assert [store.path for store in stores(plan)] == [SWITCHES[1], SWITCHES[2], SWITCHES[0]]
    assert machine.switches() == ("3", "100", "true")
    assert not machine.turn().steps


def test_the_hot_set_arrives_at_no_more_than_the_quota_and_is_counted() -> None:
    machine = Machine()
    first = machine.run(1, settings(quota="100Mi"))
    assert first.promoted_bytes <= 50 * MIB
    moved = machine.run(10, settings(quota="100Mi"))
    assert machine.host.nids[1].hot == 0
    assert moved.promoted_bytes == machine.host.promoted == 200 * MIB
    assert moved.demoted_bytes == machine.host.demoted > 0
    assert moved.runs


def test_what_was_found_is_brought_back_the_switch_first() -> None:
    machine = Machine()
    machine.run(2)
    plan = machine.engine.plan_stop()
    assert [store.path for store in stores(plan)] == list(SWITCHES)
    machine.engine.apply(plan)
    assert machine.switches() == FOUND
    assert not machine.engine.plan_stop().steps
    assert not machine.engine.verify().runs


class RelayGone(SimTiering):
    """A machine of whose settings only those can be stored that need no capability, or those of `open`."""

    open: frozenset[str] = frozenset()

    def store(self, path: str, value: str) -> None:
        if path in SWITCHES[:2] and path not in self.open:
            raise StoreRefused(path=path, value=value, errno=errno.EROFS)
        super().store(path, value)


def without_relay(*, opened: frozenset[str] = frozenset()) -> Machine:
    """Returns a machine that was tiered when its sidecar was switched off."""
    machine = Machine()
    machine.run(2)
    machine.host.__class__ = RelayGone
    machine.host.open = opened  # type: ignore[attr-defined]
    machine.engine = machine.started()
    return machine


def test_what_can_be_brought_back_is_although_the_switch_cannot_and_what_is_owed_comes_back_later() -> None:
    machine = without_relay()
    with pytest.raises(PrivilegeLost, match="numa_balancing: EROFS"):
        machine.stop()
    assert machine.switches() == ("3", "100", "false")
    assert machine.engine.verify().runs
    assert [store.path for store in stores(machine.engine.plan_stop())] == list(SWITCHES[:2])
    machine.host.__class__ = SimTiering
    machine.stop()
    assert (machine.switches(), machine.engine.plan_stop().steps) == (FOUND, ())


def test_while_the_switch_cannot_be_brought_back_its_limit_stays() -> None:
    machine = without_relay(opened=frozenset(SWITCHES[1:]))
    with pytest.raises(PrivilegeLost):
        machine.stop()
    assert machine.switches() == ("3", "100", "false")


def test_what_moved_stays_counted_after_the_end_and_nothing_is_added() -> None:
    machine = Machine()
    before = machine.run(10)
    machine.stop()
    machine.host.promoted += 50 * MIB
    machine.host.run(1)
    after = machine.engine.verify()
    assert (after.promoted_bytes, after.demoted_bytes) == (before.promoted_bytes, before.demoted_bytes)


def test_what_moved_is_counted_in_pages_of_this_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 65_536}[name])
    machine = Machine(cold_on_fast=0)
    moved = machine.run(2)
    assert moved.promoted_bytes == machine.host.promoted * 16 > 0


@pytest.mark.parametrize("after_stores", range(1, 5))
def test_after_sigkill_anywhere_the_next_agent_brings_back_what_was_found(after_stores: int) -> None:
    machine = Machine()
    machine.host.kernel.kill_after = after_stores
    with pytest.raises(Killed):
        machine.run(2)
        machine.stop()
    machine.host.kernel.kill_after = None
    machine.engine = machine.started()
    machine.stop()
    assert machine.switches() == FOUND


@pytest.mark.parametrize("after_stores", range(1, 4))
def test_after_sigkill_anywhere_the_next_agent_completes_the_start(after_stores: int) -> None:
    machine = Machine()
    machine.host.kernel.kill_after = after_stores
    with pytest.raises(Killed):
        machine.run(2)
    machine.host.kernel.kill_after = None
    machine.engine = machine.started()
    machine.run(10)
    assert machine.switches() == ("3", "100", "true")
    machine.stop()
    assert machine.switches() == FOUND


def test_settings_that_an_administrator_made_already_are_left_and_not_restored() -> None:
    machine = Machine()
    for path, value in zip(SWITCHES, ("2", "100", "true"), strict=True):
        machine.host.kernel.put(path, value)
    machine.run(1)
    assert machine.switches() == ("2", "100", "true")
    machine.stop()
    assert machine.switches() == ("2", "100", "true")


def test_observe_moves_nothing_brings_everything_back_and_says_what_enforce_would_do() -> None:
    machine = Machine()
    machine.run(2)
    plan = machine.engine.plan_observe(settings(), machine.topology)
    machine.engine.apply(plan)
    assert machine.switches() == FOUND
    assert "NUMA balancing promotes what is touched on nid 1" in plan.words[1]
    assert plan.levels is None
    assert plan.no_levels == "NUMA balancing sees no hotness, so there are no levels."


def test_without_promotion_only_demotion_is_switched_on() -> None:
    machine = Machine()
    machine.run(1, settings(promotion=False))
    assert machine.switches() == ("0", "65536", "true")


def test_without_demotion_only_promotion_is_switched_on_and_what_was_on_goes_back() -> None:
    machine = Machine()
    machine.run(1)
    machine.run(1, settings(demotion=False))
    assert machine.switches() == ("3", "100", "false")


def test_a_nid_is_asked_for_what_its_free_target_lacks_and_no_more() -> None:
    machine = Machine(profile=LINUX_6_16, node_reclaim=True, hot_on_slow=0)
    machine.run(20, settings(free="20%"))
    assert {path for path, _ in machine.host.asked} == {"/sys/devices/system/node/node0/reclaim"}
    assert all(value.endswith(" swappiness=max") for _, value in machine.host.asked)
    assert abs(machine.host.nids[0].free - 1536 * MIB // 5) < 4096
    assert machine.turn(settings(free="20%")).steps == ()


def test_nothing_is_asked_for_while_the_free_target_is_there() -> None:
    machine = Machine(profile=LINUX_6_16, node_reclaim=True, cold_on_fast=500 * MIB)
    machine.run(10)
    assert machine.host.asked == []
    assert machine.host.demoted == 0


def test_page_cache_is_asked_for_only_where_the_policy_includes_it() -> None:
    machine = Machine(profile=LINUX_6_16, node_reclaim=True)
    machine.run(1, settings(free="20%", page_cache=PageCache.INCLUDE))
    assert machine.host.asked
    assert not any("swappiness" in value for _, value in machine.host.asked)


def test_where_nids_take_no_orders_leaf_cgroups_of_anonymous_memory_do() -> None:
    machine = Machine(hot_on_slow=0)
    machine.host.make_cgroup(POD, anon=400 * MIB)
    machine.host.make_cgroup("/system.slice/cache.service", anon=300 * MIB, file=200 * MIB)
    pods = tuple(Cgroup(path=path) for path in ("/kubepods.slice", POD, "/system.slice/cache.service"))
    machine.run(3, settings(free="20%"), Movable(allowed=pods))
    assert {path for path, _ in machine.host.asked} == {f"/sys/fs/cgroup{POD}/memory.reclaim"}
    assert machine.host.demoted > 0


def test_on_a_node_with_swap_no_cgroup_is_asked_for_it_would_swap_out_slow_memory() -> None:
    machine = Machine(hot_on_slow=0)
    machine.host.make_cgroup(POD, anon=400 * MIB)
    swapping = dataclasses.replace(machine.topology, swaps=True)
    plan = machine.engine.plan(settings(free="20%"), swapping, Movable(allowed=(Cgroup(path=POD),)))
    assert not any(isinstance(step, Reclaim) for step in plan.steps)
    assert plan.effective
    assert any("with swap" in note for note in plan.effective.notes)
    assert not any("cgroups" in word for word in plan.words)


def test_where_a_cpuset_confines_a_cgroup_none_is_asked_for_reclaim_would_not_spare_it() -> None:
    machine = Machine(hot_on_slow=0)
    machine.host.make_cgroup("/system.slice/db.service", anon=600 * MIB)
    machine.host.make_cgroup(POD, anon=400 * MIB)
    confined = Cgroup(path="/system.slice/db.service", mems=frozenset({0}))
    plan = machine.turn(settings(free="20%"), Movable(allowed=(confined, Cgroup(path=POD))))
    assert machine.host.asked == []
    assert not any("cgroups" in word for word in plan.words)
    assert plan.effective
    assert any("nobody is asked to reclaim" in note for note in plan.effective.notes)


def test_the_rate_that_is_said_is_the_one_that_is_set() -> None:
    small = dataclasses.replace(settings().quota, size=Size.parse("1Mi"), interval=Duration.parse("1m"))
    machine = Machine()
    plan = machine.turn(dataclasses.replace(settings(), quota=small))
    assert machine.switches()[1] == "1"
    assert any(word.endswith("up to 1Mi/s") for word in plan.words)
    assert plan.effective
    assert any("in MiB a second" in note for note in plan.effective.notes)


def test_an_order_that_is_not_taken_now_is_given_again_and_no_failure() -> None:
    machine = Machine(profile=LINUX_6_16, node_reclaim=True, hot_on_slow=0)
    machine.host.busy = True
    for _ in range(2):
        plan = machine.turn(settings(free="20%"))
        assert any(isinstance(step, Reclaim) for step in plan.steps)
    machine.host.busy = False
    machine.run(1, settings(free="20%"))
    assert machine.host.demoted > 0


def test_promotion_that_is_off_is_off_in_the_kernels_normal_mode_too() -> None:
    machine = Machine()
    machine.run(3, settings(promotion=False))
    assert (machine.host.promoted, machine.switches()[0]) == (0, "0")
    observed = machine.engine.plan_observe(settings(promotion=False), machine.topology)
    assert observed.effective
    assert not any("numa_balancing is 0" in note for note in observed.effective.notes)
    machine.stop()
    assert machine.switches() == FOUND


def test_less_than_was_asked_for_is_no_failure() -> None:
    machine = Machine(profile=LINUX_6_16, node_reclaim=True, hot_on_slow=0)
    machine.host.nids[0].other, machine.host.nids[0].cold = 1400 * MIB, 1 * MIB
    machine.run(2, settings(free="20%"))
    assert machine.host.demoted == 1 * MIB


def test_pods_that_are_not_to_be_moved_end_the_engine() -> None:
    machine = Machine()
    machine.run(1)
    with pytest.raises(EngineMustStop, match="DAMON and move_pages can leave pods alone") as raised:
        machine.turn(movable=Movable(listed=True))
    assert raised.value.reason == "CannotExclude"


def test_pods_whose_cpuset_excludes_the_slow_nid_keep_demotion_off_before_6_16() -> None:
    pinned = Movable(allowed=(Cgroup(path=POD, mems=frozenset({0})),))
    before, after = Machine(), Machine(profile=LINUX_6_16)
    plan = before.turn(movable=pinned)
    after.turn(movable=pinned)
    assert (before.switches()[2], after.switches()[2]) == ("false", "true")
    assert plan.effective
    assert any("cpusets keep 1 cgroups off a slow nid" in note for note in plan.effective.notes)


def test_bounds_that_this_engine_cannot_keep_are_said() -> None:
    limited = Limited(path=POD, cgroups=(Cgroup(path=POD),), max_bytes=MIB)
    plan = Machine().turn(movable=Movable(limited=(limited,)))
    assert plan.effective
    assert any("1 pods are tiered without limits, which NUMA balancing" in note for note in plan.effective.notes)


def test_under_memory_pressure_nothing_is_promoted_and_nothing_asked_for() -> None:
    machine = Machine(profile=LINUX_6_16, node_reclaim=True)
    machine.run(1)
    machine.host.kernel.put("/proc/pressure/memory", "some avg10=40.00 avg60=30.00 avg300=1.00 total=1")
    asked = len(machine.host.asked)
    plan = machine.turn(settings(free="20%"))
    assert [one.reason for one in plan.tripped] == ["MemoryPressure"]
    assert machine.switches()[0] == "0"
    assert len(machine.host.asked) == asked
    promoted = machine.host.promoted
    machine.host.run(5)
    assert machine.host.promoted == promoted
    assert plan.effective
    assert any(
        "kernel.numa_balancing is 0 while nothing is to be promoted, 1 before" in one for one in plan.effective.notes
    )
    machine.host.kernel.put("/proc/pressure/memory", "some avg10=0.00 avg60=1.00 avg300=1.00 total=1")
    machine.turn()
    assert machine.switches()[0] == "3"


def test_free_memory_of_the_fast_nid_is_no_guardrail_of_an_engine_that_does_not_stop_there() -> None:
    machine = Machine()
    machine.host.nids[0].other += machine.host.nids[0].free - MIB
    plan = machine.turn()
    assert [one.reason for one in plan.tripped] == []
    assert plan.effective
    assert any("guardrails.fastFreeMin" in note for note in plan.effective.notes)
    assert any(note.startswith("guardrails.slowFreeMin: kswapd") for note in plan.effective.notes)


def test_a_full_slow_nid_is_told() -> None:
    machine = Machine(hot_on_slow=511 * MIB)
    assert [one.reason for one in machine.turn().tripped] == ["SlowFreeMin"]


PRESSED, RELAXED = "some avg10=40.00 avg60=30.00 avg300=1.00 total=1", "some avg10=0.00 avg60=1.00 avg300=1.00 total=1"


def is_unbounded(machine: Machine) -> bool:
    """Whether the kernel promotes at the rate that was found."""
    switch, rate, _ = machine.switches()
    return switch == "3" and rate == FOUND[1]


@pytest.mark.parametrize("after_stores", [1, 2])
def test_killed_while_promotion_is_switched_off_the_agent_leaves_none_without_its_limit(after_stores: int) -> None:
    machine = Machine()
    machine.run(1)
    machine.host.kernel.put("/proc/pressure/memory", PRESSED)
    machine.host.kernel.kill_after = after_stores
    with contextlib.suppress(Killed):
        machine.turn()
    machine.host.kernel.kill_after = None
    assert not is_unbounded(machine)


@pytest.mark.parametrize("after_stores", [1, 2])
def test_killed_while_it_stops_after_a_pause_the_agent_leaves_none_without_its_limit(after_stores: int) -> None:
    machine = Machine()
    machine.run(1)
    for pressure in (PRESSED, RELAXED):
        machine.host.kernel.put("/proc/pressure/memory", pressure)
        machine.turn()
    machine.host.kernel.kill_after = after_stores
    with contextlib.suppress(Killed):
        machine.stop()
    machine.host.kernel.kill_after = None
    assert not is_unbounded(machine)


def test_a_cooldown_outlives_the_agent() -> None:
    machine = Machine()
    machine.host.kernel.put("/proc/uptime", "100.0 1.0")
    cooldown = Cooldown(reason="Churn", message="up and down", until_s=200.0)
    machine.journal.save(dataclasses.replace(machine.journal.load(), cooldown=cooldown))
    machine.engine = machine.started()
    assert [one.reason for one in machine.turn().tripped] == ["Churn"]
    assert machine.switches()[0] == "0"
    machine.host.kernel.put("/proc/uptime", "201.0 1.0")
    assert machine.turn().tripped == ()
    assert machine.switches()[0] == "3"


@pytest.mark.parametrize("observe", [True, False])
def test_a_cooldown_ends_when_everything_is_stopped(*, observe: bool) -> None:
    machine = Machine()
    machine.turn()
    cooldown = Cooldown(reason="Churn", message="up and down", until_s=200.0)
    machine.journal.save(dataclasses.replace(machine.journal.load(), cooldown=cooldown))
    engine = machine.engine
    engine.apply(engine.plan_observe(settings(), machine.topology) if observe else engine.plan_stop())
    assert machine.journal.load().cooldown is None
    assert engine.plan_stop().steps == ()


@pytest.mark.parametrize(
    ("machine", "reason", "cure"),
    [
        (Machine(capable=False), "NoSysAdmin", "numaBalancing.enabled"),
        (Machine(tiering=False), "NoTieringMode", "Linux 6.1 or later"),
        (Machine(one_tier=True), "OneMemoryTier", "HMAT from Linux 6.7"),
    ],
)
def test_a_machine_that_cannot_is_told_what_would_help_and_left_alone(machine: Machine, reason: str, cure: str) -> None:
    before = machine.switches()
    capability = machine.engine.probe()
    assert (capability.available, capability.reason) == (False, reason)
    assert cure in capability.message
    assert machine.switches() == before


def test_probing_leaves_all_as_it_was() -> None:
    machine = Machine()
    assert machine.engine.probe().available
    assert machine.switches() == FOUND


def test_a_refused_store_is_told_and_permission_is_asked_for_again() -> None:
    machine = Machine()
    assert machine.engine.probe().available
    machine.host.capable = False
    with pytest.raises(StoreRefused):
        machine.run(1)
    assert machine.engine.probe().reason == "NoSysAdmin"


def test_by_hand_an_order_is_printed_like_a_store() -> None:
    order = Reclaim(path="/sys/devices/system/node/node0/reclaim", bytes=4096, only_anon=True)
    [store] = stores(Plan(steps=(order,), reason=""))
    assert str(store) == f"{order.path} <- 4096 swappiness=max"


def test_bounds_that_only_damon_keeps_are_said_where_a_policy_has_them() -> None:
    plain = settings()
    marks = Watermarks(
        high=Percent.parse("90%"), mid=Percent.parse("50%"), low=Percent.parse("10%"), interval=Duration.parse("1s")
    )
    ranges = (AddressRange(start=Size.parse("0"), end=Size.parse("1Gi")),)
    bounded = dataclasses.replace(
        plain, watermarks=marks, monitoring=dataclasses.replace(plain.monitoring, ranges=ranges)
    )
    for wanted, fields in ((plain, set[str]()), (bounded, {"watermarks", "monitoring.ranges"})):
        effective = Machine().turn(wanted).effective
        assert effective
        said = {note.partition(":")[0] for note in effective.notes}
        assert said & {"watermarks", "monitoring.ranges"} == fields
