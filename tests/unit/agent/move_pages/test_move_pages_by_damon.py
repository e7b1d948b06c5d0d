"""The engine where DAMON looks for it: what moves, who else has DAMON, and what is left when the agent has gone."""

from dataclasses import dataclass, field, replace

import pytest

from simkernel import LINUX_7_2, Profile
from simkernel.kernel import ADMIN, DAMON_STAT
from terrace_agent.damon.engine import DamonEngine
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.process_monitor import ProcessMonitor
from terrace_agent.journal import Journal
from terrace_agent.move_pages.engine import MovePagesEngine
from terrace_api.errors import TerraceError
from terrace_api.policy import Settings
from unit.agent.damon.builders import MIB, MemoryJournal, guest, settings
from unit.agent.move_pages.sim_processes import SimProcess, SimRange
from unit.agent.move_pages.test_move_pages_engine import GRANTED, PAGES, POLICY, Machine

NR_KDAMONDS = f"{ADMIN}/nr_kdamonds"
PATIENCE = Patience(tries=2, sleep=lambda _: None)


@dataclass
class ByDamon(Machine):
    """A machine whose kernel has DAMON, which sees what was touched in the last turn."""

    profile: Profile = LINUX_7_2
    watch_journal: Journal = field(default_factory=MemoryJournal)
    damon_journal: Journal = field(default_factory=MemoryJournal)

    def started(self) -> MovePagesEngine:
        monitor = ProcessMonitor(self.kernel, self.watch_journal, PATIENCE)
        self.damon = DamonEngine(self.kernel, self.damon_journal, PATIENCE, lambda: self.now_s, monitor)
        return MovePagesEngine(self.kernel, self.journal, self.tools, monitor=monitor)

    def add(self, pid: int, *ranges: SimRange, cgroup: str = "/pod") -> SimProcess:
        self.kernel.accessed[pid] = ()
        return super().add(pid, *ranges, cgroup=cgroup)

    def run(self, turns: int, wanted: Settings | None = None, touched: tuple[SimRange, ...] = ()) -> None:
        """Takes turns in which these ranges are touched, which no other tracker can see."""
        for pid, process in self.procfs.processes.items():
            hot = [one for one in process.ranges if one in touched]
            self.kernel.accessed[pid] = tuple((one.start, one.start + one.pages * 4096) for one in hot)
        for _ in range(turns):
            self.turn(wanted)

    def stop(self) -> None:
        self.engine.apply(self.engine.plan_stop())

    @property
    def tracker(self) -> str:
        plan = self.engine.plan(POLICY, self.topology, self.movable)
        assert plan.effective
        return plan.effective.notes[0].removeprefix("accesses are tracked by ").partition(":")[0]


def stage_foreign(machine: Machine) -> None:
    machine.kernel.store(NR_KDAMONDS, "1")
    machine.kernel.stored.clear()


def test_what_damon_sees_touched_comes_up_and_what_it_does_not_stays() -> None:
    machine = ByDamon()
    hot, cold = SimRange(PAGES, 1), SimRange(PAGES, 1)
    machine.add(41, hot, cold)
    machine.run(12, touched=(hot,))
    assert (hot.on(0), cold.on(0)) == (PAGES, 0)
    assert machine.engine.verify().promoted_bytes == PAGES * 4096
    assert machine.tracker == "DAMON (vaddr)"
    assert "DAMON (vaddr)" in machine.engine.probe().message


def test_nothing_is_demoted_while_the_fast_nid_has_its_free_target_and_no_more_than_it_lacks_else() -> None:
    roomy, full = ByDamon(fast_free_mib=32), ByDamon(fast_free_mib=2)
    for machine in (roomy, full):
        machine.add(41, SimRange(PAGES, 0))
        machine.run(20)
    assert roomy.pilot.orders == []
    assert abs(full.procfs.free_pages[0] * 4096 - 64 * MIB * 12 // 100) < 4096


def test_memory_that_is_touched_all_the_time_is_not_demoted() -> None:
    machine = ByDamon(fast_free_mib=2)
    hot = SimRange(PAGES, 0)
    machine.add(41, hot)
    machine.run(20, touched=(hot,))
    assert machine.pilot.orders == []


def test_without_idle_and_soft_dirty_bits_damon_is_enough() -> None:
    machine = ByDamon(privilege=replace(GRANTED, tells_pages=False))
    assert machine.engine.probe().available
    stage_foreign(machine)
    assert machine.engine.probe().reason == "NoTracker"


def test_a_stop_leaves_the_kernel_as_it_was_found() -> None:
    machine = ByDamon()
    machine.add(41, SimRange(PAGES, 1))
    machine.run(3)
    assert (len(machine.kernel.running), machine.kernel.read(DAMON_STAT)) == (1, "N")
    machine.stop()
    assert (machine.kernel.running, machine.kernel.read(NR_KDAMONDS)) == ({}, "0")
    assert machine.kernel.read(DAMON_STAT) == "Y"
    assert machine.engine.plan_stop().steps == ()


def test_the_agent_after_one_that_was_killed_goes_on_or_stops_what_it_left() -> None:
    machine = ByDamon()
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    machine.run(3)
    machine.engine = machine.started()
    machine.run(12, touched=(hot,))
    assert hot.on(0) == PAGES
    machine.engine = machine.started()
    machine.stop()
    assert (machine.kernel.running, machine.kernel.read(DAMON_STAT)) == ({}, "Y")


def test_a_stop_that_the_kernel_refuses_is_an_error_and_the_next_one_goes_on() -> None:
    machine = ByDamon()
    machine.add(41, SimRange(PAGES, 1))
    machine.run(3)
    stop = machine.engine.plan_stop()
    machine.kernel.busy_for = 100
    with pytest.raises(TerraceError):
        machine.engine.apply(stop)
    machine.kernel.busy_for = 0
    assert machine.engine.plan_stop().steps
    machine.stop()
    assert machine.kernel.running == {}


def test_somebody_elses_kdamond_is_left_alone_and_another_tracker_takes_over() -> None:
    machine = ByDamon()
    stage_foreign(machine)
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    for _ in range(12):
        machine.turn(touched=(hot,))
    assert hot.on(0) == PAGES
    assert machine.tracker == "soft-dirty and smaps"
    assert [path for path, _ in machine.kernel.stored if path.startswith(ADMIN)] == []
    machine.stop()
    assert machine.kernel.read(NR_KDAMONDS) == "1"


def test_when_somebody_else_has_gone_damon_looks_again() -> None:
    machine = ByDamon()
    stage_foreign(machine)
    hot = SimRange(PAGES, 1)
    machine.add(41, hot)
    machine.run(3)
    machine.kernel.store(NR_KDAMONDS, "0")
    machine.run(12, touched=(hot,))
    assert (machine.tracker, hot.on(0)) == ("DAMON (vaddr)", PAGES)


def test_the_damon_engine_has_nothing_to_stop_while_damon_only_watches() -> None:
    machine = ByDamon()
    machine.damon.probe()
    machine.add(41, SimRange(PAGES, 1))
    machine.run(3)
    pid = machine.kernel.running[0].pid
    assert machine.damon.probe().available
    assert machine.damon.plan_stop().steps == ()
    assert machine.kernel.running[0].pid == pid


def test_damon_stat_that_the_damon_engine_has_still_to_bring_back_waits_for_the_watch_to_end() -> None:
    machine = ByDamon()
    machine.damon.probe()
    machine.damon.apply(machine.damon.plan(settings(), guest()))
    machine.kernel.kill_kdamond(0)
    machine.kernel.kill_kdamond(1)
    machine.kernel.store(NR_KDAMONDS, "0")
    machine.add(41, SimRange(PAGES, 1))
    machine.run(3)
    assert machine.kernel.running
    machine.damon.apply(machine.damon.plan_stop())
    assert machine.kernel.read(DAMON_STAT) == "N"
    machine.stop()
    machine.damon.apply(machine.damon.plan_stop())
    assert machine.kernel.read(DAMON_STAT) == "Y"


def test_the_damon_engine_takes_over_and_back() -> None:
    machine = ByDamon()
    machine.damon.probe()
    machine.add(41, SimRange(PAGES, 1))
    machine.run(3)
    machine.damon.plan(settings(), guest())
    machine.stop()
    machine.damon.apply(machine.damon.plan(settings(), guest()))
    assert len(machine.kernel.running) == 2
    assert machine.tracker == "soft-dirty and smaps"
    machine.stop()
    assert len(machine.kernel.running) == 2
    machine.damon.apply(machine.damon.plan_stop())
    assert machine.kernel.read(DAMON_STAT) == "Y"
    machine.run(3)
    assert machine.tracker == "DAMON (vaddr)"
    assert [kdamond.files["contexts/0/operations"] for kdamond in machine.kernel.running.values()] == ["vaddr"]


def test_looks_that_cost_too_much_do_not_make_the_window_of_damon_longer() -> None:
    machine = ByDamon(cost_s=0.6)
    machine.add(41, SimRange(PAGES, 1))
    machine.run(60)
    attrs = "contexts/0/monitoring_attrs/intervals/aggr_us"
    assert [kdamond.files[attrs] for kdamond in machine.kernel.running.values()] == ["1000000"]
