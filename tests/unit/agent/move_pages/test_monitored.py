"""The tracker on a monitor: whom it has watched, what it takes for known, and what becomes of a monitor that fails."""

import errno
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from terrace_agent.errors import EngineUnavailable, StoreRefused
from terrace_agent.monitor import Touched
from terrace_agent.move_pages.monitored import AGAIN_S, STEADY_S, MonitoredTracker, conclude
from terrace_agent.move_pages.vmas import Vma
from terrace_api.errors import TerraceError
from unit.agent.move_pages.sim_processes import BASE, SimProcess, SimProcfs, SimRange

PAGES = 8
VMA = Vma(start=BASE, end=BASE + PAGES * 4096, resident_bytes=PAGES * 4096)
TOUCHED, NOT = b"\x80", b"\0"
NOTHING_KNOWN = (NOT * PAGES, TOUCHED * PAGES)


@dataclass
class SimMonitor:
    """Watches simulated processes; refuses all where one of them has ended, as the kernel does."""

    procfs: SimProcfs
    most: int = 2
    watched: tuple[int, ...] = ()
    window_s: float = 0.0
    starts: int = 0
    told: Touched = field(default_factory=dict)
    in_the_way: str = ""
    fails: TerraceError | None = None
    stop_fails: TerraceError | None = None
    ends_meanwhile: set[int] = field(default_factory=set)

    @property
    def claims(self) -> bool:
        return bool(self.watched)

    def obstacle(self) -> str:
        return self.in_the_way

    def watch(self, pids: Iterable[int], *, window_s: float) -> None:
        self.watched, self.window_s = tuple(pids), window_s
        if self.fails:
            raise self.fails
        for pid in self.ends_meanwhile:
            self.procfs.processes.pop(pid, None)
        if not set(self.watched) <= set(self.procfs.processes):
            raise StoreRefused(path="state", value="on", errno=errno.EINVAL)
        self.starts += 1

    def runs(self) -> bool:
        return bool(set(self.watched) & set(self.procfs.processes))

    def touched(self) -> Touched:
        return self.told

    def stop(self) -> None:
        if self.stop_fails:
            raise self.stop_fails
        self.watched = ()


class Machine:
    """Processes 41, 42, ... of so many pages each."""

    def __init__(self, *pages: int) -> None:
        self.procfs = SimProcfs({})
        self.now_s = 1_000.0
        self.monitor = SimMonitor(self.procfs)
        self.tracker = MonitoredTracker(self.procfs, self.monitor, lambda: self.now_s)
        for number, size in enumerate(pages):
            self.add(41 + number, size)

    def add(self, pid: int, pages: int, *, started: int = 7) -> None:
        self.procfs.processes[pid] = SimProcess([SimRange(pages, 1)], started=started)

    def keep(self, after_s: float = 0.0, *, every_s: float = 1.0) -> None:
        self.now_s += after_s
        self.tracker.keep({pid: one.started for pid, one in self.procfs.processes.items()}, every_s=every_s)

    def look(self, pid: int = 41) -> tuple[bytes, bytes] | None:
        found = [(look.sure, look.maybe) for _, look in self.tracker.look(pid, (VMA,))]
        return found[0] if found else None


def pages(first: int, last: int) -> range:
    return range(BASE + first * 4096, BASE + last * 4096)


@pytest.mark.parametrize(
    ("regions", "flags"),
    [
        ((), NOT * 8),
        ((pages(-4, 2), pages(6, 9)), TOUCHED * 2 + NOT * 4 + TOUCHED * 2),
        ((pages(-9, 20),), TOUCHED * 8),
        ((pages(-9, -1), pages(3, 4), pages(8, 9)), NOT * 3 + TOUCHED + NOT * 4),
        ((range(BASE + 4095, BASE + 4097),), TOUCHED * 2 + NOT * 6),
    ],
)
def test_what_regions_hold_was_touched_and_all_else_was_not(regions: tuple[range, ...], flags: bytes) -> None:
    look = conclude(VMA, regions)
    assert (look.sure, look.maybe) == (flags, flags)


def test_nothing_is_known_until_it_was_watched_for_some_windows() -> None:
    machine = Machine(PAGES)
    machine.keep()
    machine.monitor.told = {41: (pages(0, 2),)}
    machine.now_s += 2.4
    assert machine.look() == NOTHING_KNOWN
    machine.now_s += 0.2
    assert machine.look() == (TOUCHED * 2 + NOT * 6,) * 2


def test_what_the_monitor_cannot_tell_may_have_been_touched() -> None:
    machine = Machine(PAGES)
    machine.keep()
    machine.now_s += 10
    assert machine.look() == NOTHING_KNOWN


def test_the_monitor_is_asked_once_for_all_processes_of_a_look() -> None:
    machine = Machine(PAGES, PAGES)
    machine.keep()
    machine.keep(10)
    machine.monitor.told = {41: (pages(0, 1),), 42: ()}
    assert machine.look(41) == (TOUCHED + NOT * 7,) * 2
    machine.monitor.told = {}
    assert machine.look(42) == (NOT * 8,) * 2
    machine.keep()
    assert machine.look(42) == NOTHING_KNOWN


def test_the_largest_are_watched_and_the_others_are_counted_and_not_looked_at() -> None:
    machine = Machine(8, 30, 20)
    machine.keep()
    assert machine.monitor.watched == (42, 43)
    assert machine.tracker.left_out == 1
    assert machine.look(41) is None


def test_whoever_ends_is_replaced_but_not_sooner_than_damon_can_learn() -> None:
    machine = Machine(8, 30, 20)
    machine.keep()
    del machine.procfs.processes[43]
    machine.keep(STEADY_S - 1)
    assert (machine.monitor.watched, machine.monitor.starts) == ((42, 43), 1)
    machine.keep(1)
    assert (machine.monitor.watched, machine.monitor.starts) == ((42, 41), 2)


def test_a_much_larger_process_takes_the_place_of_the_smallest_and_one_a_little_larger_does_not() -> None:
    machine = Machine(30, 20)
    machine.keep()
    machine.add(43, 40)
    machine.keep(STEADY_S)
    assert machine.monitor.watched == (41, 42)
    machine.add(44, 41)
    machine.keep()
    assert machine.monitor.watched == (44, 43)


def test_a_pid_that_came_back_as_another_process_is_not_told_what_the_first_one_did() -> None:
    machine = Machine(8, 8)
    machine.keep()
    machine.monitor.told = {41: (pages(0, 8),)}
    machine.add(41, 8, started=9)
    machine.keep(10)
    assert machine.look(41) is None


def test_one_that_ends_while_it_is_about_to_be_watched_keeps_nobody_from_being_watched() -> None:
    machine = Machine(8, 30, 20)
    machine.monitor.ends_meanwhile = {42}
    machine.keep()
    assert machine.monitor.watched == (43, 41)
    assert machine.tracker.works()


def test_where_all_of_them_end_nothing_is_watched_and_nothing_is_wrong() -> None:
    machine = Machine(8)
    machine.monitor.ends_meanwhile = {41}
    machine.keep()
    assert (machine.monitor.watched, machine.tracker.works()) == ((), True)


def test_a_window_is_as_long_as_the_time_between_looks() -> None:
    machine = Machine(8)
    machine.keep(every_s=4)
    machine.keep(STEADY_S, every_s=5)
    assert (machine.monitor.window_s, machine.monitor.starts) == (4, 1)
    machine.keep(every_s=10)
    assert (machine.monitor.window_s, machine.monitor.starts) == (10, 2)
    machine.keep(STEADY_S, every_s=0.1)
    assert (machine.monitor.window_s, machine.monitor.starts) == (1, 3)


def test_after_a_failure_it_lets_go_and_is_tried_again_ever_more_rarely() -> None:
    machine = Machine(8)
    machine.monitor.fails = EngineUnavailable(reason="ForeignKdamonds", message="somebody else")
    machine.keep()
    assert (machine.monitor.watched, machine.tracker.works()) == ((), False)
    machine.now_s += AGAIN_S
    assert machine.tracker.works()
    machine.keep()
    machine.now_s += AGAIN_S
    assert not machine.tracker.works()
    machine.now_s += AGAIN_S
    machine.monitor.fails = None
    machine.keep()
    assert (machine.monitor.watched, machine.tracker.works()) == ((41,), True)


def test_it_does_not_work_while_somebody_is_in_the_way() -> None:
    machine = Machine(8)
    machine.monitor.in_the_way = "somebody else"
    assert not machine.tracker.works()


def test_with_nobody_to_watch_damon_is_left_alone() -> None:
    machine = Machine(8)
    machine.keep()
    machine.procfs.processes.clear()
    machine.keep(1)
    assert machine.monitor.watched == ()


def test_what_cannot_be_brought_back_is_no_error_of_a_look_but_one_of_the_release() -> None:
    machine = Machine(8)
    machine.keep()
    machine.monitor.stop_fails = StoreRefused(path="state", value="off", errno=errno.EBUSY)
    machine.procfs.processes.clear()
    machine.keep(1)
    assert machine.tracker.holds
    with pytest.raises(StoreRefused):
        machine.tracker.release()
