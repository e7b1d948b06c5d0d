"""Kdamonds that watch processes and move nothing: what they tell, whom they leave alone, and what SIGKILL leaves."""

import errno
import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from simkernel import LINUX_6_12, LINUX_6_17, LINUX_7_2, PROFILES, Killed, Profile, SimKernel
from simkernel.kernel import ADMIN, DAMON_STAT
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.process_monitor import ProcessMonitor
from terrace_agent.damon.processes import MOST_TARGETS
from terrace_agent.errors import EngineUnavailable, HostFileMissing, KdamondDied, StoreRefused
from terrace_agent.journal import Journal, JournalState
from unit.agent.damon.builders import MemoryJournal

FIRST, SECOND = 41, 42
ACCESSED = {FIRST: ((4096, 8192), (16384, 20480)), SECOND: ((4096, 12288),)}
NR_KDAMONDS = f"{ADMIN}/nr_kdamonds"
RECLAIM = "/sys/module/damon_reclaim/parameters/enabled"


def booted(profile: Profile = LINUX_7_2) -> SimKernel:
    kernel = SimKernel(profile)
    kernel.accessed = dict(ACCESSED)
    return kernel


def monitor_on(kernel: SimKernel, journal: Journal) -> ProcessMonitor:
    return ProcessMonitor(kernel, journal, Patience(sleep=lambda _: None))


def watching(kernel: SimKernel, journal: Journal, *pids: int, window_s: float = 1) -> ProcessMonitor:
    monitor = monitor_on(kernel, journal)
    monitor.watch(pids or (FIRST, SECOND), window_s=window_s)
    return monitor


def stage_foreign(kernel: SimKernel, *, on: bool) -> None:
    """Somebody with a shell and `echo`, who watches a process, too."""
    if kernel.exists(DAMON_STAT):
        kernel.store(DAMON_STAT, "N")
    for path, value in (
        ("nr_kdamonds", "1"),
        ("0/contexts/nr_contexts", "1"),
        ("0/contexts/0/targets/nr_targets", "1"),
        ("0/contexts/0/targets/0/pid_target", str(SECOND)),
        *((("0/state", "on"),) if on else ()),
    ):
        kernel.store(f"{ADMIN}/{path}", value)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.name)
def test_each_process_is_told_what_it_touched_and_nothing_is_left(profile: Profile) -> None:
    kernel, journal = booted(profile), MemoryJournal()
    monitor = watching(kernel, journal)
    assert monitor.touched() == {
        FIRST: (range(4096, 8192), range(16384, 20480)),
        SECOND: (range(4096, 12288),),
    }
    assert (monitor.runs(), monitor.obstacle()) == (True, "")
    found = SimKernel(profile)
    monitor.stop()
    assert (kernel.read(NR_KDAMONDS), kernel.running) == ("0", {})
    assert kernel.exists(DAMON_STAT) == found.exists(DAMON_STAT)
    assert not found.exists(DAMON_STAT) or kernel.read(DAMON_STAT) == "Y"
    assert not monitor.claims


def test_its_schemes_do_nothing_to_what_they_match() -> None:
    kernel = booted()
    watching(kernel, MemoryJournal())
    files = kernel.running[0].files
    assert {text for path, text in files.items() if path.endswith("/action")} == {"stat"}
    assert {text for path, text in files.items() if path.endswith("/target_nid")} == {"-1"}
    assert files["contexts/0/operations"] == "vaddr"


def test_accesses_are_aggregated_over_the_window() -> None:
    kernel = booted()
    watching(kernel, MemoryJournal(), window_s=7.5)
    assert kernel.running[0].files["contexts/0/monitoring_attrs/intervals/aggr_us"] == "7500000"


def test_no_more_are_watched_than_a_pass_can_tell_apart() -> None:
    kernel = booted()
    kernel.accessed = dict.fromkeys(range(1, 100), ())
    monitor = watching(kernel, MemoryJournal(), *range(1, 100))
    assert set(monitor.touched()) == set(range(1, MOST_TARGETS + 1))


def test_other_processes_are_watched_by_another_kdamond_and_damon_stat_is_remembered_once() -> None:
    kernel, journal = booted(), MemoryJournal()
    monitor = watching(kernel, journal, FIRST)
    before = kernel.running[0].pid
    monitor.watch((SECOND,), window_s=1)
    assert kernel.running[0].pid != before
    assert monitor.touched() == {SECOND: (range(4096, 12288),)}
    monitor.stop()
    assert kernel.read(DAMON_STAT) == "Y"


def test_damon_stat_that_was_off_stays_off() -> None:
    kernel = booted()
    kernel.store(DAMON_STAT, "N")
    watching(kernel, MemoryJournal()).stop()
    assert kernel.read(DAMON_STAT) == "N"


def test_a_process_that_is_gone_is_refused_and_what_was_staged_is_taken_away() -> None:
    kernel, journal = booted(), MemoryJournal()
    with pytest.raises(StoreRefused) as refused:
        watching(kernel, journal, FIRST, 77)
    assert refused.value.errno == errno.EINVAL
    monitor = monitor_on(kernel, journal)
    assert (monitor.claims, monitor.obstacle()) == (True, "")
    monitor.stop()
    assert (kernel.read(NR_KDAMONDS), kernel.read(DAMON_STAT), monitor.claims) == ("0", "Y", False)


def test_when_all_its_processes_have_ended_it_is_seen_and_started_anew() -> None:
    kernel, journal = booted(), MemoryJournal()
    monitor = watching(kernel, journal, FIRST)
    kernel.kill_kdamond(0)
    assert (monitor.runs(), monitor.obstacle(), monitor.claims) == (False, "", True)
    monitor.watch((SECOND,), window_s=1)
    assert monitor.runs()


def test_one_that_has_ended_is_not_asked() -> None:
    kernel = booted(LINUX_6_17)
    monitor = watching(kernel, MemoryJournal(), FIRST)
    kernel.kill_kdamond(0)
    for _ in range(2):
        with pytest.raises(KdamondDied):
            monitor.touched()


@pytest.mark.parametrize("on", [True, False])
def test_somebody_elses_kdamond_is_in_the_way_and_left_alone(on: bool) -> None:
    kernel = booted()
    stage_foreign(kernel, on=on)
    kernel.stored.clear()
    monitor = monitor_on(kernel, MemoryJournal())
    assert "somebody else" in monitor.obstacle()
    with pytest.raises(EngineUnavailable):
        monitor.watch((FIRST,), window_s=1)
    monitor.stop()
    assert kernel.stored == []


def test_a_kdamond_that_took_the_place_of_ours_is_somebody_elses_and_damon_stat_waits_for_its_end() -> None:
    kernel, journal = booted(), MemoryJournal()
    monitor = watching(kernel, journal)
    kernel.kill_kdamond(0)
    stage_foreign(kernel, on=True)
    kernel.stored.clear()
    assert monitor.obstacle()
    with pytest.raises(EngineUnavailable):
        monitor.watch((FIRST,), window_s=1)
    monitor.stop()
    assert (kernel.stored, monitor.claims) == ([], False)
    kernel.store(f"{ADMIN}/0/state", "off")
    kernel.store(NR_KDAMONDS, "0")
    assert monitor.claims
    monitor.stop()
    assert (kernel.read(DAMON_STAT), monitor.claims) == ("Y", False)


def test_an_administrators_module_is_in_the_way() -> None:
    kernel = booted()
    kernel.store(DAMON_STAT, "N")
    kernel.put(RECLAIM, "Y")
    assert "damon_reclaim" in monitor_on(kernel, MemoryJournal()).obstacle()


def test_without_damon_that_is_said() -> None:
    kernel = SimKernel(replace(LINUX_6_12, has=frozenset()))
    assert "no DAMON sysfs interface" in monitor_on(kernel, MemoryJournal()).obstacle()


class Lacking(SimKernel):
    """A kernel without files of this name, whose trees somebody may take away as soon as one is missed."""

    def __init__(self, name: str, *, taken_away: bool = False) -> None:
        super().__init__(LINUX_7_2)
        self.accessed = dict(ACCESSED)
        self._name, self._taken_away = name, taken_away

    def store(self, path: str, value: str) -> None:
        if path.endswith(self._name):
            if self._taken_away:
                super().store(NR_KDAMONDS, "0")
            raise HostFileMissing(path=path, errno=errno.ENOENT)
        super().store(path, value)


def test_what_this_kernel_lacks_is_in_the_way_for_good_and_named() -> None:
    monitor = monitor_on(Lacking("apply_interval_us"), MemoryJournal())
    with pytest.raises(HostFileMissing):
        monitor.watch((FIRST,), window_s=1)
    monitor.stop()
    assert "cannot tell processes apart" in monitor.obstacle()
    assert "apply_interval_us" in monitor.obstacle()


def test_a_tree_that_somebody_takes_away_is_no_lack_of_the_kernel() -> None:
    monitor = monitor_on(Lacking("apply_interval_us", taken_away=True), MemoryJournal())
    with pytest.raises(HostFileMissing):
        monitor.watch((FIRST,), window_s=1)
    assert monitor.obstacle() == ""


def crashes(profile: Profile, *, first: bool) -> Iterator[tuple[SimKernel, Journal]]:
    """Yields kernel and journal after 1, 2, ... stores of a start, of the first or of one that replaces another."""
    for store in itertools.count(1):
        kernel, journal = booted(profile), MemoryJournal()
        if not first:
            watching(kernel, journal, FIRST)
        kernel.kill_after = store
        try:
            watching(kernel, journal, SECOND, FIRST)
        except Killed:
            kernel.kill_after = None
            yield kernel, journal
        else:
            return


@pytest.mark.parametrize("profile", [LINUX_6_12, LINUX_7_2], ids=lambda one: one.name)
@pytest.mark.parametrize("first", [True, False])
def test_after_sigkill_at_any_store_the_next_agent_watches(profile: Profile, *, first: bool) -> None:
    seen = 0
    for kernel, journal in crashes(profile, first=first):
        seen += 1
        monitor = monitor_on(kernel, journal)
        assert monitor.obstacle() == ""
        monitor.watch((FIRST,), window_s=1)
        assert set(monitor.touched()) == {FIRST}
    assert seen > 20


@pytest.mark.parametrize("profile", [LINUX_6_12, LINUX_7_2], ids=lambda one: one.name)
@pytest.mark.parametrize("first", [True, False])
def test_after_sigkill_at_any_store_the_next_agent_leaves_the_kernel_as_it_was(
    profile: Profile, *, first: bool
) -> None:
    for kernel, journal in crashes(profile, first=first):
        monitor_on(kernel, journal).stop()
        assert (kernel.read(NR_KDAMONDS), kernel.running) == ("0", {})
        assert not kernel.exists(DAMON_STAT) or kernel.read(DAMON_STAT) == "Y"


class DyingJournal(MemoryJournal):
    """A journal whose agent gets SIGKILL as soon as it has saved."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        super().save(journal.load())

    def save(self, state: JournalState) -> None:
        super().save(state)
        raise Killed


def test_what_a_failed_start_has_staged_is_ours_when_the_next_start_is_killed_before_its_first_store() -> None:
    kernel, journal = booted(LINUX_6_12), MemoryJournal()
    with pytest.raises(StoreRefused):
        watching(kernel, journal, FIRST, 77)
    dying = DyingJournal(journal)
    with pytest.raises(Killed):
        watching(kernel, dying, SECOND)
    monitor = monitor_on(kernel, dying)
    assert monitor.obstacle() == ""
    monitor_on(kernel, journal).stop()
    assert kernel.read(NR_KDAMONDS) == "0"
