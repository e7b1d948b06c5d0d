"""What kdamonds may use of a CPU: measured, judged, and brought down by cheaper monitoring."""

import dataclasses
import os

import pytest

from simkernel import LINUX_6_12, LINUX_7_2, Profile, SimKernel
from terrace_agent.damon.cputime import read_cpu_times, read_start_s
from terrace_agent.damon.easing import CpuTimes, Load, judge
from terrace_agent.engine import Plan
from terrace_api.policy import Monitoring, Settings
from terrace_api.units import Duration
from unit.agent.damon.builders import MemoryJournal, engine_on, guest, settings

CHOSEN = settings().monitoring
SAMPLE = "contexts/0/monitoring_attrs/intervals/sample_us"
REGIONS = "contexts/0/monitoring_attrs/nr_regions/max"


def at(uptime_s: float, *used_s: float) -> CpuTimes:
    return CpuTimes(uptime_s=uptime_s, used_s=dict(enumerate(used_s, start=101)))


def judged(
    easing: int, now: CpuTimes, since: CpuTimes | None, monitoring: Monitoring = CHOSEN, *, can_tune: bool = True
) -> Load:
    return judge(easing, monitoring, since, now, running=True, can_tune=can_tune)


def stat(name: str, user: int, system: int) -> str:
    fields = " ".join(["S", "2", *["0"] * 9, str(user), str(system), *["0"] * 30])
    return f"101 ({name}) {fields}"


@pytest.mark.parametrize(
    ("before", "percent", "after"),
    [(0, 3.1, 1), (0, 2.9, 0), (3, 50, 4), (8, 50, 8), (3, 1.5, 3), (3, 1.1, 2), (0, 0, 0)],
)
def test_a_step_is_taken_at_the_end_of_a_window(before: int, percent: float, after: int) -> None:
    since, now = at(100, 5, 5), at(140, 5, 5 + 0.4 * percent)
    assert (judged(before, now, since).easing, judged(before, now, since).since) == (after, now)


def test_a_window_is_not_judged_before_it_ends() -> None:
    found = judged(2, at(129, 1_000), at(100, 0))
    assert (found.easing, found.since) == (2, at(100, 0))


def test_the_busiest_kdamond_counts() -> None:
    assert judged(0, at(200, 1, 4), at(100, 0, 0)).easing == 1


def test_kdamonds_that_were_started_anew_begin_a_window() -> None:
    now = at(200, 1, 400)
    assert judged(1, now, at(100, 1)) == judged(1, now, None)
    assert judged(1, now, None).since == now


def test_what_cannot_be_measured_is_said_and_changes_nothing() -> None:
    found = judge(2, CHOSEN, at(100, 1), at(200), running=True, can_tune=True)
    assert (found.easing, "agent.hostProc" in found.note) == (2, True)
    assert judge(0, CHOSEN, None, at(200), running=False, can_tune=True).note == ""


@pytest.mark.parametrize(
    ("easing", "monitoring", "can_tune", "says"),
    [
        (1, CHOSEN, True, ""),
        (3, CHOSEN, True, ", and memory is sampled no more often than every 10ms"),
        (3, settings(auto_tune=False).monitoring, True, ", and memory is sampled every 10ms"),
        (3, CHOSEN, False, ", and memory is sampled every 10ms"),
    ],
)
def test_steps_in_force_are_said_as_they_are_committed(
    easing: int, monitoring: Monitoring, says: str, *, can_tune: bool
) -> None:
    note = judged(easing, at(100, 1), None, monitoring, can_tune=can_tune).note
    halved = "monitoring.cpuPercent 3: to keep to it, regions are divided by up to"
    assert note == f"{halved} {2 if easing == 1 else 4}{says}"


def test_without_steps_nothing_is_said() -> None:
    assert judged(0, at(100, 1), None).note == ""


def test_only_kdamonds_are_measured() -> None:
    kernel = SimKernel(LINUX_7_2)
    kernel.put("/proc/101/stat", stat("kdamond.0", 150, 50))
    kernel.put("/proc/102/stat", stat("bash", 150, 50))
    assert read_cpu_times(kernel, (101, 102, 103), uptime_s=7) == CpuTimes(uptime_s=7, used_s={101: 2.0})


def test_a_kdamond_was_started_at_field_22_in_ticks() -> None:
    kernel = SimKernel(LINUX_7_2)
    numbered = " ".join(str(number * os.sysconf("SC_CLK_TCK")) for number in range(4, 53))
    kernel.put("/proc/101/stat", f"101 (kdamond.0) S {numbered}")
    kernel.put("/proc/102/stat", f"102 (bash) S {numbered}")
    assert [read_start_s(kernel, pid) for pid in (101, 102, 103)] == [22.0, None, None]


class Node:
    """A node on which one kdamond uses what the test says."""

    def __init__(self, profile: Profile = LINUX_7_2, chosen: Settings | None = None) -> None:
        self.kernel = SimKernel(profile)
        self.chosen = chosen or settings()
        self.journal = MemoryJournal()
        self.engine = engine_on(self.kernel, self.journal)
        self.ticks = 0

    def turn(self, uptime_s: int, *, ticks: int, restarted: bool = False) -> Plan:
        self.ticks += ticks
        self.kernel.put("/proc/uptime", f"{uptime_s}.00 1.00")
        for kdamond in self.kernel.running.values():
            self.kernel.put(f"/proc/{kdamond.pid}/stat", stat("kdamond.0", 0, self.ticks))
        if restarted:
            self.engine = engine_on(self.kernel, self.journal)
        plan = self.engine.plan(self.chosen, guest())
        self.engine.apply(plan)
        return plan

    def regions(self) -> int:
        return int(self.kernel.running[0].files[REGIONS])


def test_a_busy_kdamond_is_eased_by_commits_stays_so_for_the_next_agent_and_comes_back() -> None:
    node = Node()
    node.turn(100, ticks=0)
    full, pids = node.regions(), [one.pid for one in node.kernel.running.values()]
    node.turn(105, ticks=0)
    eased = node.turn(140, ticks=500)
    assert eased.effective
    assert any("cpuPercent 3" in note for note in eased.effective.notes)
    assert node.regions() < full
    assert node.turn(145, ticks=5, restarted=True).steps == ()
    node.turn(180, ticks=1)
    assert node.regions() == full
    assert [one.pid for one in node.kernel.running.values()] == pids


def test_where_the_kernel_cannot_tune_intervals_each_second_step_commits_twice_the_interval_and_says_so() -> None:
    slow = dataclasses.replace(
        CHOSEN, sample_interval=Duration.parse("100ms"), aggregation_interval=Duration.parse("2s")
    )
    node = Node(LINUX_6_12, dataclasses.replace(settings(), monitoring=slow))
    node.turn(100, ticks=0)
    node.turn(105, ticks=0)
    sampled, said = [], []
    for look in range(8):
        plan = node.turn(140 + 35 * look, ticks=500)
        assert plan.effective
        sampled.append(int(node.kernel.running[0].files[SAMPLE]) // 1_000)
        said += [note.partition("sampled ")[2] for note in plan.effective.notes if "cpuPercent" in note]
    assert sampled == [100, 200, 200, 400, 400, 800, 800, 1_600]
    assert said == ["", *(f"every {Duration(sample * 1_000)}" for sample in sampled[1:])]
