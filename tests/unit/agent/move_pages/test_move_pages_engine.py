"""What is hot comes up, what is cold makes room only where room is lacking, and nobody is moved who must not be."""

import errno
import gc
import itertools
import types
from dataclasses import dataclass, field, replace

import pytest

from simkernel import NO_DAMON, Profile, SimKernel
from terrace_agent.engine import Plan
from terrace_agent.errors import StateUnusable
from terrace_agent.journal import Cooldown, Journal, JournalState
from terrace_agent.move_pages import choose
from terrace_agent.move_pages.batches import Outcome
from terrace_agent.move_pages.choose import first_looks
from terrace_agent.move_pages.engine import MovePagesEngine, Tools
from terrace_agent.move_pages.privilege import Privilege
from terrace_agent.steps import Move, Watch
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import Cgroup, Limited, Movable
from terrace_api.node_tiering import EngineName
from terrace_api.policy import AddressRange, Settings, Watermarks
from terrace_api.units import Duration, Percent, Size
from unit.agent.damon.builders import MIB, MemoryJournal, nid, settings, topology, with_free
from unit.agent.move_pages.sim_processes import BASE, SimPilot, SimProcess, SimProcfs, SimRange

POD, OTHER = "/pod", "/other"
DEMOTION = "/sys/kernel/mm/numa/demotion_enabled"
PAGES = 4096
"""Of each range: 16 MiB, so that a process of one is worth a look."""
GRANTED = Privilege(namespace="pid:[4026531836]", query_errno=0, pagemap_errno=0, tells_pages=True)


@dataclass
class Machine:
    """64 MiB fast of which so much is free, and 128 MiB slow."""

    fast_free_mib: int = 32
    privilege: Privilege = GRANTED
    journal: Journal = field(default_factory=MemoryJournal)
    movable: Movable = field(default_factory=lambda: Movable(allowed=(Cgroup(path=POD),)))
    now_s: float = 100.0
    cost_s: float = 0.0
    profile: Profile = NO_DAMON
    page_bytes: int = 4096
    most_pages: int | None = None
    cache_mib: int = 0

    def __post_init__(self) -> None:
        self.kernel = SimKernel(self.profile)
        self.kernel.make_cgroup(POD)
        self.kernel.make_cgroup(OTHER)
        self.kernel.put("/proc/1/stat", "1 (systemd) S 0")
        self.procfs = SimProcfs(
            {nid: mib * MIB // self.page_bytes for nid, mib in ((0, self.fast_free_mib), (1, 60))}, self.page_bytes
        )
        self.pilot = SimPilot(self.procfs)
        self.cpu_s = 0.0
        self.engine = self.started()

    def started(self) -> MovePagesEngine:
        return MovePagesEngine(self.kernel, self.journal, self.tools)

    @property
    def tools(self) -> Tools:
        return Tools(
            procfs=self.procfs,
            pilot=self.pilot,
            privilege=lambda *_: self.privilege,
            clock=lambda: self.now_s,
            most_pages=self.most_pages,
            cpu_clock=self._cpu_clock,
        )

    def add(self, pid: int, *ranges: SimRange, cgroup: str = POD) -> SimProcess:
        for number, one in enumerate(ranges):
            one.start = BASE + number * (1 << 32)
        process = self.procfs.processes[pid] = SimProcess(list(ranges), started=pid)
        path = f"/sys/fs/cgroup{cgroup}/cgroup.procs"
        self.kernel.put(path, f"{self.kernel.read(path)}\n{pid}".strip())
        return process

    @property
    def topology(self) -> Topology:
        fast = nid(0, 64 * MIB, floor_bytes=4 * MIB, distances={0: 10, 1: 20}, cpus=(0,))
        fast = replace(fast, low_bytes=2 * MIB, droppable_bytes=self.cache_mib * MIB)
        where = topology((fast,), (nid(1, 128 * MIB, distances={0: 20, 1: 10}),))
        return with_free(where, {number: pages * self.page_bytes for number, pages in self.procfs.free_pages.items()})

    def turn(self, wanted: Settings | None = None, touched: tuple[SimRange, ...] = (), *, write: bool = True) -> Plan:
        for one in touched:
            one.touch(range(one.pages), write=write)
        self.now_s += 1.5
        plan = self.engine.plan(wanted or POLICY, self.topology, self.movable)
        self.engine.apply(plan)
        return plan

    def run(self, turns: int, wanted: Settings | None = None, touched: tuple[SimRange, ...] = ()) -> None:
        for _ in range(turns):
            self.turn(wanted, touched)

    def _cpu_clock(self) -> float:
        self.cpu_s += self.cost_s
        return self.cpu_s


POLICY = settings(quota="2Gi", used="90%", free="12%", min_age="4s")


def test_what_is_written_comes_up_and_what_is_not_stays_down() -> None:
    machine = Machine()
    hot, cold = SimRange(PAGES, 1), SimRange(PAGES, 1)
    machine.add(41, hot, cold)
    machine.run(12, touched=(hot,))
    assert (hot.on(0), cold.on(0)) == (PAGES, 0)
    assert machine.engine.verify().promoted_bytes == PAGES * 4096


def test_pages_of_64_kib_are_ordered_and_counted_as_such() -> None:
    machine = Machine(page_bytes=1 << 16)
    hot, cold = SimRange(PAGES // 16, 1), SimRange(PAGES // 16, 1)
    machine.add(41, hot, cold)
    machine.run(12, touched=(hot,))
    assert (hot.on(0), cold.on(0)) == (PAGES // 16, 0)
    assert {len(run) for run in machine.pilot.orders[0].runs} == {PAGES // 16}
    assert machine.engine.verify().promoted_bytes == 16 * MIB


def test_what_is_only_read_comes_up_with_its_whole_range() -> None:
    machine = Machine()
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    for _ in range(12):
        machine.turn(touched=(hot,), write=False)
    assert hot.on(0) == PAGES


def test_nothing_is_demoted_while_the_fast_nid_has_its_free_target() -> None:
    machine = Machine(fast_free_mib=32)
    cold = SimRange(PAGES, 0)
    machine.add(41, cold)
    machine.run(15)
    assert (cold.on(1), machine.pilot.orders) == (0, [])


def test_no_more_is_demoted_than_the_fast_nid_lacks() -> None:
    machine = Machine(fast_free_mib=2)
    cold = SimRange(PAGES, 0)
    machine.add(41, cold)
    machine.run(15)
    free_target = 64 * MIB * 12 // 100
    assert abs(machine.procfs.free_pages[0] * 4096 - free_target) < 4096
    assert machine.engine.verify().demoted_bytes == cold.on(1) * 4096


def test_cold_makes_room_for_hot_and_then_nothing_moves_any_more() -> None:
    machine = Machine(fast_free_mib=8)
    hot, cold = SimRange(PAGES, 1), SimRange(2 * PAGES, 0)
    machine.add(41, hot, cold)
    machine.run(40, touched=(hot,))
    assert hot.on(0) == PAGES
    orders = len(machine.pilot.orders)
    machine.run(20, touched=(hot,))
    assert len(machine.pilot.orders) == orders


def test_promotion_leaves_what_must_stay_free() -> None:
    machine = Machine(fast_free_mib=10)
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    machine.run(20, touched=(hot,))
    assert machine.procfs.free_pages[0] * 4096 >= 64 * MIB // 10
    assert 0 < hot.on(0) < PAGES


def test_what_is_hot_and_goes_beyond_the_quota_of_one_turn_goes_on_in_the_next_without_another_look() -> None:
    machine = Machine()
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    slow = settings(quota="2Mi", used="90%", free="12%", min_age="4s")
    machine.run(4, slow, (hot,))
    machine.cost_s = 1_000.0
    machine.turn(slow, (hot,))
    moved = [hot.on(0)]
    for _ in range(4):
        plan = machine.turn(slow)
        assert not any(isinstance(step, Watch) for step in plan.steps)
        moved.append(hot.on(0))
    a_turn = 3 * MIB // 2 // 4096
    assert [after - before for before, after in itertools.pairwise(moved)] == [pytest.approx(a_turn, abs=2)] * 4


class LatePilot(SimPilot):
    """One whose mover never answers in time."""

    def carry_out(self, order: Move) -> Outcome:
        self.orders.append(order)
        self.was_late = True
        return Outcome()


def test_a_mover_that_is_late_holds_up_a_turn_once_however_many_processes_wait() -> None:
    machine = Machine(fast_free_mib=60)
    machine.pilot = LatePilot(machine.procfs)
    machine.engine = machine.started()
    hot = tuple(SimRange(PAGES, 1) for _ in range(3))
    for number, one in enumerate(hot):
        machine.add(7 + number, one)
    ordered = []
    for _ in range(6):
        before = len(machine.pilot.orders)
        for one in hot:
            one.touch(range(100), write=True)
        plan = machine.turn()
        due = sum(isinstance(step, Move) for step in plan.steps)
        ordered.append((due, len(machine.pilot.orders) - before))
    assert (3, 1) in ordered
    assert all(made == min(due, 1) for due, made in ordered)


def test_the_quota_bounds_what_moves_in_a_second() -> None:
    machine = Machine()
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    slow = settings(quota="2Mi", used="90%", free="12%", min_age="4s")
    moved = []
    for _ in range(12):
        machine.turn(slow, (hot,))
        moved.append(hot.on(0))
    steps = [after - before for before, after in itertools.pairwise(moved)]
    assert 0 < max(steps) <= 5 * 256


def test_excluded_pods_and_pods_that_a_cpuset_confines_are_never_moved() -> None:
    machine = Machine()
    machine.kernel.make_cgroup("/confined", mems="1")
    excluded, confined, free = SimRange(PAGES, 1), SimRange(PAGES, 1), SimRange(PAGES, 1)
    machine.add(41, excluded, cgroup=OTHER)
    machine.add(42, confined, cgroup="/confined")
    machine.add(43, free)
    confined_group = Cgroup(path="/confined", mems=frozenset({1}))
    machine.movable = Movable(listed=True, allowed=(Cgroup(path=POD), confined_group), barred=(Cgroup(path=OTHER),))
    machine.run(12, touched=(excluded, confined, free))
    assert (excluded.on(0), confined.on(0), free.on(0)) == (0, 0, PAGES)
    assert {order.pid for order in machine.pilot.orders} == {43}


def test_a_pod_that_opts_out_is_not_moved_from_the_next_turn_on() -> None:
    machine = Machine()
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    machine.run(2, touched=(hot,))
    machine.movable = Movable(listed=True, allowed=(), barred=(Cgroup(path=POD),))
    machine.run(10, touched=(hot,))
    assert hot.on(0) == 0


def test_memory_that_somebody_placed_or_a_file_backs_is_left_alone() -> None:
    machine = Machine()
    bound, backed = SimRange(PAGES, 1, policy="bind:1"), SimRange(PAGES, 1, backed=True)
    machine.add(41, bound, backed)
    machine.run(12, touched=(bound, backed))
    assert (bound.on(0), backed.on(0)) == (0, 0)


def test_pages_that_cannot_move_are_data_and_not_counted() -> None:
    machine = Machine()
    hot = SimRange(PAGES, 1)
    machine.add(41, hot).shared = {BASE + page * 4096 for page in range(100)}
    machine.run(12, touched=(hot,))
    plan = machine.turn()
    assert hot.on(0) == PAGES - 100
    assert plan.effective
    assert any(note.endswith(" shared with other processes") for note in plan.effective.notes)
    assert machine.engine.verify().promoted_bytes == (PAGES - 100) * 4096


def test_pages_that_were_ordered_are_not_ordered_again_before_they_were_hot_for_as_long_as_any() -> None:
    machine = Machine()
    hot = SimRange(PAGES, 1)
    machine.add(41, hot).shared = {BASE + page * 4096 for page in range(PAGES)}
    due = []
    for _ in range(12):
        before = len(machine.pilot.orders)
        machine.turn(touched=(hot,))
        due.append(len(machine.pilot.orders) - before)
    assert due[3:] == [1, 0, 1, 0, 1, 0, 1, 0, 1]


def test_cold_pages_that_have_gone_already_keep_nobody_elses_from_making_room() -> None:
    machine = Machine(fast_free_mib=2)
    gone, cold = SimRange(3 * PAGES, 1), SimRange(PAGES, 0)
    machine.add(41, gone).shared = {BASE}
    gone.nids[0] = 0
    machine.add(42, cold)
    machine.run(20)
    assert cold.on(1) > 0
    free_target = 64 * MIB * 12 // 100
    assert abs(machine.procfs.free_pages[0] * 4096 - free_target) < 4096


def unmovable(machine: Machine, pid: int, pages: int, nid: int) -> SimRange:
    """Adds a process of which no page can move."""
    one = SimRange(pages, nid)
    machine.add(pid, one).shared = {BASE + page * 4096 for page in range(pages)}
    return one


def test_hot_pages_that_cannot_move_keep_nobody_elses_from_coming_up() -> None:
    machine = Machine()
    stuck = tuple(unmovable(machine, pid, 2 * PAGES, 1) for pid in (50, 51))
    hot = SimRange(PAGES, 1)
    machine.add(52, hot)
    machine.run(60, settings(quota="2Mi", used="90%", free="12%", min_age="4s"), (*stuck, hot))
    assert hot.on(0) == PAGES


def test_cold_pages_that_cannot_move_keep_nobody_elses_from_making_room() -> None:
    machine = Machine(fast_free_mib=2)
    for pid in range(50, 58):
        unmovable(machine, pid, 2 * PAGES, 0)
    cold = SimRange(PAGES, 0)
    machine.add(58, cold)
    machine.run(60, settings(quota="2Gi", used="90%", free="12%", min_age="10s"))
    assert cold.on(1) > 0


def test_a_process_that_was_stuck_is_tried_now_and_then_however_much_others_have_to_move() -> None:
    machine = Machine(fast_free_mib=60)
    stuck = unmovable(machine, 50, 3 * PAGES, 1)
    others = tuple(SimRange(2 * PAGES, 1) for _ in range(2))
    for number, one in enumerate(others):
        machine.add(51 + number, one)
    policy = settings(quota="2Mi", used="90%", free="12%", min_age="4s")
    machine.run(8, policy, (stuck, *others))
    machine.procfs.processes[50].shared.clear()
    machine.run(20, policy, (stuck, *others))
    assert any(one.on(1) for one in others), "they still have something to move"
    assert stuck.on(0) > PAGES // 16


def test_what_is_tried_of_a_stuck_process_leaves_runs_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "MOST_RUNS", 64)
    machine = Machine(fast_free_mib=60)
    stuck = unmovable(machine, 50, 3 * PAGES, 1)
    hot = SimRange(PAGES, 1)
    machine.add(51, hot)
    policy = settings(quota="2Mi", used="90%", free="12%", min_age="4s")
    for _ in range(30):
        stuck.touch(range(0, 3 * PAGES, 2), write=True)
        machine.turn(policy, (hot,))
    assert hot.on(0) > PAGES // 2


def test_a_process_that_was_stuck_is_ordered_again_once_nobody_else_needs_the_room() -> None:
    machine = Machine()
    stuck = unmovable(machine, 50, PAGES, 1)
    machine.run(6, touched=(stuck,))
    machine.procfs.processes[50].shared.clear()
    machine.run(6, touched=(stuck,))
    assert stuck.on(0) == PAGES


def test_nothing_moves_that_could_not_be_counted() -> None:
    machine = Machine()
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    machine.run(3, touched=(hot,))
    machine.engine = MovePagesEngine(machine.kernel, machine.journal, machine.tools)
    machine.run(3, touched=(hot,))
    plan = machine.engine.plan(POLICY, machine.topology, machine.movable)
    assert any(isinstance(step, Move) for step in plan.steps)
    before = hot.on(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine.journal, "save", full)
        with pytest.raises(StateUnusable):
            machine.engine.apply(plan)
    assert hot.on(0) == before


def full(state: JournalState) -> None:
    del state
    raise StateUnusable(path="/run/terrace/journal.json", errno=errno.ENOSPC)


@pytest.mark.parametrize(("bits", "note"), [("0", ""), ("1", "unmetered"), ("2", "the kernel promotes too")])
def test_what_the_kernel_moves_besides_is_said(bits: str, note: str) -> None:
    machine = Machine()
    machine.kernel.put("/proc/sys/kernel/numa_balancing", bits)
    plan = machine.turn()
    assert plan.effective
    said = [one for one in plan.effective.notes if one.startswith("kernel.numa_balancing")]
    assert len(said) == bool(note)
    assert all(note in one for one in said)


def test_processes_may_end_at_any_time_and_a_pid_may_come_back_as_another() -> None:
    machine = Machine()
    hot, fresh = SimRange(PAGES, 1), SimRange(PAGES, 1)
    machine.add(41, hot)
    machine.run(3, touched=(hot,))
    machine.procfs.processes[41] = SimProcess([fresh], started=99)
    assert any(isinstance(step, Move) for step in machine.turn().steps)
    assert not any(isinstance(step, Move) for step in machine.turn().steps)
    assert fresh.on(0) == 0
    del machine.procfs.processes[41]
    machine.run(3)
    assert machine.engine.verify().promoted_bytes < PAGES * 4096


def test_bounds_that_this_engine_cannot_keep_are_said() -> None:
    machine = Machine()
    machine.movable = replace(machine.movable, limited=(Limited(path="/a", cgroups=(), max_bytes=MIB),))
    plan = machine.turn()
    assert plan.effective
    assert any("1 pods are tiered without limits, which move_pages" in note for note in plan.effective.notes)


def test_a_process_that_may_not_be_looked_at_is_counted_and_the_others_go_on() -> None:
    machine = Machine()
    closed, hot = SimRange(PAGES, 1), SimRange(PAGES, 1)
    machine.add(41, closed)
    machine.add(42, hot)
    machine.procfs.refused = {41}
    machine.run(12, touched=(closed, hot))
    plan = machine.turn()
    assert (closed.on(0), hot.on(0)) == (0, PAGES)
    assert plan.effective
    assert any("1 processes may not be looked at" in note for note in plan.effective.notes)


def test_small_processes_are_not_looked_at() -> None:
    machine = Machine()
    small = SimRange(100, 1)
    machine.add(41, small)
    machine.run(12, touched=(small,))
    assert small.on(0) == 0


def test_looking_costs_half_of_its_share_of_a_cpu_once_there_is_nothing_to_move() -> None:
    machine = Machine(cost_s=0.3)
    machine.add(41, SimRange(PAGES, 1))
    machine.run(15)
    looks = [any(isinstance(step, Watch) for step in machine.turn().steps) for _ in range(40)]
    assert looks.count(True) == 60 // 20
    later = machine.turn()
    assert later.effective
    assert later.effective.sample_interval == "20s"
    assert later.recheck_s == 5.0
    assert any("monitoring.cpuPercent 3" in note for note in later.effective.notes)


def test_what_a_look_finds_is_moved_at_once_and_the_next_look_comes_when_it_is_due() -> None:
    machine = Machine()
    machine.add(41, SimRange(PAGES, 1))
    asked = settings(quota="2Gi", used="90%", free="12%", min_age="20s")
    first = machine.turn(asked)
    machine.now_s -= 1.4
    second = machine.turn(asked)
    assert (first.recheck_s, second.recheck_s) == (0.1, 1.0)
    assert machine.turn(asked).recheck_s == pytest.approx(0.9)


def test_what_becomes_hot_right_at_the_start_comes_up_however_much_a_look_costs() -> None:
    machine = Machine(cost_s=1.0)
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    machine.run(6, touched=(hot,))
    assert hot.on(0) == PAGES


def test_the_safety_net_is_switched_on_and_brought_back() -> None:
    machine = Machine()
    machine.turn()
    assert machine.kernel.read(DEMOTION) == "true"
    machine.engine = machine.started()
    machine.engine.apply(machine.engine.plan_stop())
    assert machine.kernel.read(DEMOTION) == "false"


@pytest.mark.parametrize(("cache_mib", "comes_up"), [(0, False), (40, True)])
def test_on_a_fast_nid_full_of_page_cache_hot_pages_take_its_place(cache_mib: int, comes_up: bool) -> None:
    machine = Machine(fast_free_mib=4, cache_mib=cache_mib)
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    machine.run(12, touched=(hot,))
    assert (hot.on(0) > 0) is comes_up
    assert machine.kernel.read(DEMOTION) == ("false" if comes_up else "true")
    plan = machine.turn(touched=(hot,))
    assert plan.effective
    assert any("it counts as room" in note for note in plan.effective.notes) is comes_up


def test_a_node_at_rest_is_watched_closely_while_page_cache_is_the_safety_net() -> None:
    machine = Machine(fast_free_mib=4, cache_mib=40, cost_s=0.3)
    machine.add(41, SimRange(PAGES, 1))
    machine.run(16)
    assert {machine.turn().recheck_s for _ in range(5)} <= {0.1, 2.0}


def test_to_plan_the_stop_forgets_nothing_and_to_apply_it_does() -> None:
    machine = Machine()
    machine.add(41, SimRange(PAGES, 1))
    machine.turn()
    stop = machine.engine.plan_stop()
    assert machine.engine.verify().runs is EngineName.MOVE_PAGES
    machine.engine.apply(stop)
    assert machine.engine.verify().runs is None
    assert machine.engine.plan_stop().steps == ()


@pytest.mark.parametrize("observe", [True, False])
def test_a_cooldown_ends_when_everything_is_stopped(*, observe: bool) -> None:
    machine = Machine()
    cooldown = Cooldown(reason="Churn", message="up and down", until_s=200.0)
    machine.journal.save(replace(machine.journal.load(), cooldown=cooldown))
    engine = machine.engine
    engine.apply(engine.plan_observe(POLICY, machine.topology, machine.movable) if observe else engine.plan_stop())
    assert machine.journal.load().cooldown is None


def test_where_it_would_move_a_pinned_pod_the_net_stays_off() -> None:
    machine = Machine()
    machine.movable = Movable(allowed=(Cgroup(path=POD, mems=frozenset({0})),))
    machine.turn()
    assert machine.kernel.read(DEMOTION) == "false"


def test_observe_moves_nothing_and_tells_how_much_is_on_the_wrong_tier() -> None:
    machine = Machine()
    hot, cold = SimRange(PAGES, 1), SimRange(PAGES, 0)
    machine.add(41, hot, cold)
    for _ in range(8):
        hot.touch(range(PAGES), write=True)
        machine.now_s += 1.5
        machine.engine.apply(machine.engine.plan_observe(POLICY, machine.topology, machine.movable))
    plan = machine.engine.plan_observe(POLICY, machine.topology, machine.movable)
    assert machine.pilot.orders == []
    assert plan.levels
    assert (plan.levels.hot_on_slow_bytes, plan.levels.cold_on_fast_bytes) == (16 * MIB, 16 * MIB)
    assert machine.kernel.read(DEMOTION) == "false"


def test_levels_wait_until_enough_looks_can_tell_hot_from_cold_and_again_after_everything_was_forgotten() -> None:
    machine = Machine()
    machine.add(41, SimRange(PAGES, 0))
    for _ in range(2):
        for _ in range(5):
            machine.now_s += 1.5
            plan = machine.engine.plan_observe(POLICY, machine.topology, machine.movable)
            assert plan.levels is None
            assert plan.no_levels == "Levels are known once this node has been watched for about 4s."
            machine.engine.apply(plan)
        plan = machine.engine.plan_observe(POLICY, machine.topology, machine.movable)
        assert plan.levels
        assert (plan.levels.cold_on_fast_bytes, plan.no_levels) == (16 * MIB, "")
        machine.engine.apply(machine.engine.plan_stop())


def test_levels_wait_for_the_longest_age_that_is_enabled_and_for_a_tracker_that_is_blind_at_first() -> None:
    hot = replace(POLICY, promotion=replace(POLICY.promotion, min_age=Duration.parse("20s")))
    one_way = replace(hot, promotion=replace(hot.promotion, enabled=False))
    assert [first_looks(chosen, 0) for chosen in (POLICY, hot, one_way)] == [5, 21, 5]
    assert first_looks(POLICY, 2) == 7


def test_under_memory_pressure_nothing_moves() -> None:
    machine = Machine()
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    machine.kernel.put("/proc/pressure/memory", "some avg10=40.00 avg60=30.00 avg300=1.00 total=1")
    machine.run(12, touched=(hot,))
    assert machine.pilot.orders == []


def test_a_guardrail_that_cannot_be_watched_is_named() -> None:
    plan = Machine().turn()
    assert plan.effective
    assert any("memoryPressureMax" in note for note in plan.effective.notes)


@pytest.mark.parametrize("lacking", [replace(GRANTED, query_errno=1), replace(GRANTED, pagemap_errno=13)])
def test_without_privilege_the_engine_is_not_available(lacking: Privilege) -> None:
    capability = Machine(privilege=lacking).engine.probe()
    assert not capability.available
    assert "movePages.enabled" in capability.message


def test_without_the_hosts_processes_nothing_is_tried() -> None:
    machine = Machine()
    machine.engine = MovePagesEngine(SimKernel(NO_DAMON), machine.journal)
    assert machine.engine.probe().reason == "NoHostProc"


def test_to_probe_again_and_again_leaves_nothing_behind() -> None:
    engine = MovePagesEngine(SimKernel(NO_DAMON), MemoryJournal())
    held = []
    for _ in range(6):
        engine.probe()
        gc.collect()
        held.append(sum(type(one) is types.TracebackType for one in gc.get_objects()))
    assert held[-1] == held[1]


def test_bounds_that_only_damon_keeps_are_said_where_a_policy_has_them() -> None:
    plain = POLICY
    marks = Watermarks(
        high=Percent.parse("90%"), mid=Percent.parse("50%"), low=Percent.parse("10%"), interval=Duration.parse("1s")
    )
    ranges = (AddressRange(start=Size.parse("0"), end=Size.parse("1Gi")),)
    bounded = replace(plain, watermarks=marks, monitoring=replace(plain.monitoring, ranges=ranges))
    for wanted, fields in ((plain, set[str]()), (bounded, {"watermarks", "monitoring.ranges"})):
        effective = Machine().turn(wanted).effective
        assert effective
        said = {note.partition(":")[0] for note in effective.notes}
        assert said & {"watermarks", "monitoring.ranges"} == fields
