"""SIGKILL at every store: the kernel runs whole configurations only, and the next agent brings it home."""

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Iterator
from functools import partial

import pytest

from simkernel import LINUX_7_2, Killed, Profile, SimKernel
from terrace_agent.errors import SchemesRefused
from terrace_agent.journal import Journal
from terrace_agent.workloads.values import EVERYTHING, Cgroup, Limited, Movable
from terrace_api.policy import Settings
from terrace_api.units import Duration
from unit.agent.damon.builders import MIB, MemoryJournal, engine_on, guest, settings

LISTED = Movable(listed=True, allowed=tuple(Cgroup(path=path) for path in ("/", "/a", "/b")))
LISTED_ANEW = Movable(listed=True, allowed=tuple(Cgroup(path=path) for path in ("/", "/b", "/c", "/d")))
LISTED_SHORTER = Movable(listed=True, allowed=tuple(Cgroup(path=path) for path in ("/", "/b", "/c")))
LIMITED, LIMITED_ANEW = (
    Movable(
        allowed=tuple(Cgroup(path=path) for path in ("/", "/a", "/b", "/c", "/d")),
        limited=tuple(Limited(path=path, cgroups=(Cgroup(path=path),), max_bytes=256 * MIB) for path in paths),
    )
    for paths in (("/a",), ("/b", "/c"))
)
OLD, NEW = settings(), settings(used="85%", free="16%", young_filter=False)
ADMIN = "/sys/kernel/mm/damon/admin/kdamonds"
FOUND = {
    f"{ADMIN}/nr_kdamonds": "0",
    "/sys/module/damon_stat/parameters/enabled": "Y",
    "/sys/kernel/mm/numa/demotion_enabled": "false",
}


Wanted = Settings | tuple[Settings, Movable]


def turn(kernel: SimKernel, state: Journal, wanted: Wanted | None) -> None:
    engine = engine_on(kernel, state)
    engine.probe()
    chosen, movable = wanted if isinstance(wanted, tuple) else (wanted, EVERYTHING)
    engine.apply(engine.plan(chosen, guest(), movable) if chosen else engine.plan_stop())


def booted(profile: Profile = LINUX_7_2) -> SimKernel:
    kernel = SimKernel(profile)
    for path in ("/", "/a", "/b", "/c", "/d"):
        kernel.make_cgroup(path)
    return kernel


def configuration(kernel: SimKernel) -> dict[int, dict[str, str]]:
    noise = ("state", "pid", "stats/", "/sample_us", "/aggr_us")
    return {
        index: {path: text for path, text in kdamond.files.items() if not any(word in path for word in noise)}
        for index, kdamond in kernel.running.items()
    }


@functools.cache
def whole(chosen: Wanted) -> dict[int, dict[str, str]]:
    kernel = booted()
    turn(kernel, MemoryJournal(), chosen)
    return configuration(kernel)


def crashes(
    first: Wanted | None,
    then: Wanted | None,
    profile: Profile = LINUX_7_2,
    tuned: tuple[int, int] | None = None,
) -> Iterator[tuple[SimKernel, Journal, int]]:
    """Yields kernel and journal after 1, 2, ... stores of the change from `first` to `then`, until it needs no more.

    Until then the kernel has `tuned` the sampling and aggregation interval of the slow nid to these.
    """
    for store in itertools.count(1):
        kernel, state = booted(profile), MemoryJournal()
        if first:
            turn(kernel, state, first)
        if tuned:
            kernel.running[1].intervals = tuned
        kernel.kill_after = store
        try:
            turn(kernel, state, then)
        except Killed:
            kernel.kill_after = None
            yield kernel, state, store
        else:
            return


CHANGES = [
    pytest.param(None, OLD, id="start"),
    pytest.param(OLD, NEW, id="commit"),
    pytest.param(OLD, settings(promotion=False), id="rebuild"),
    pytest.param(OLD, None, id="stop"),
    pytest.param((OLD, LISTED), (OLD, LISTED_ANEW), id="lists"),
    pytest.param(OLD, (OLD, LISTED), id="first-list"),
    pytest.param((OLD, LISTED), OLD, id="no-list-any-more"),
    pytest.param((OLD, LISTED), (NEW, Movable(listed=True)), id="nothing-movable"),
    pytest.param((OLD, LISTED), None, id="stop-with-lists"),
    pytest.param((OLD, LIMITED), (OLD, LIMITED_ANEW), id="limits"),
    pytest.param((OLD, LIMITED), OLD, id="no-limits-any-more"),
]


@pytest.mark.parametrize(("first", "then"), CHANGES)
def test_every_running_kdamond_is_whole_old_or_new(first: Wanted | None, then: Wanted | None) -> None:
    trees = [tree for chosen in (first, then) if chosen for tree in whole(chosen).values()]
    last = 0
    for kernel, _, store in crashes(first, then):
        assert all(tree in trees for tree in configuration(kernel).values()), store
        last = store
    assert last > 3


@pytest.mark.parametrize(("first", "then"), CHANGES)
def test_the_next_agent_completes_the_change(first: Wanted | None, then: Wanted | None) -> None:
    for kernel, state, store in crashes(first, then):
        turn(kernel, state, then)
        assert configuration(kernel) == (whole(then) if then else {}), store


@pytest.mark.parametrize(("first", "then"), CHANGES)
def test_the_next_agent_can_undo_everything_instead(first: Wanted | None, then: Wanted | None) -> None:
    for kernel, state, store in crashes(first, then):
        turn(kernel, state, None)
        assert not kernel.running
        assert {path: kernel.read(path) for path in FOUND} == FOUND, store


@pytest.mark.parametrize("second", [1, 2, 3, 5, 8, 40, 60, 63])
def test_a_second_crash_while_undoing_the_first_is_no_worse(second: int) -> None:
    for kernel, state, store in crashes(OLD, NEW):
        kernel.kill_after = second
        with contextlib.suppress(Killed):
            turn(kernel, state, None)
        kernel.kill_after = None
        turn(kernel, state, OLD)
        assert configuration(kernel) == whole(OLD), store


def test_two_commits_that_were_cut_off_leave_what_can_be_undone() -> None:
    for kernel, state, store in crashes(OLD, NEW):
        kernel.kill_after = 6
        with contextlib.suppress(Killed):
            turn(kernel, state, settings(used="70%", free="31%"))
        kernel.kill_after = None
        for index in tuple(kernel.running):
            kernel.kill_kdamond(index)
        turn(kernel, state, None)
        assert {path: kernel.read(path) for path in FOUND} == FOUND, store


def test_a_goal_that_is_committed_while_lists_wait_can_be_undone_wherever_it_was_cut_off() -> None:
    for store in itertools.count(1):
        kernel, state = booted(), MemoryJournal()
        engine = engine_on(kernel, state, clock=lambda: 0.0)
        engine.apply(engine.plan(OLD, guest(), LISTED))
        kernel.kill_after = store
        try:
            engine.apply(engine.plan(OLD, guest(fast_floor_bytes=90 * MIB), LISTED_ANEW))
        except Killed:
            kernel.kill_after = None
        else:
            break
        for index in tuple(kernel.running):
            kernel.kill_kdamond(index)
        turn(kernel, state, None)
        assert {path: kernel.read(path) for path in FOUND} == FOUND, store
    assert store > 3
    assert [(running.commits, running.goal_commits) for running in kernel.running.values()] == [(0, 1), (0, 1)]


@pytest.mark.parametrize("then", [(OLD, LISTED_SHORTER), None], ids=["list", "stop"])
@pytest.mark.parametrize("first", [None, (OLD, LISTED)], ids=["on", "commit"])
def test_what_stands_in_for_a_cgroup_that_has_gone_is_known_as_ours_wherever_it_was_cut_off(
    first: Wanted | None, then: Wanted | None
) -> None:
    stood_in = 0
    for kernel, state, store in crashes_while_one_goes(first, (OLD, LISTED_ANEW), gone="/d"):
        stood_in += any(("/d" in old and "/d" not in new) for old, new in staged_and_claimed(state))
        turn(kernel, state, then)
        assert configuration(kernel) == (whole(then) if then else {}), store
        assert then or {path: kernel.read(path) for path in FOUND} == FOUND, store
    assert stood_in > 1


def crashes_while_one_goes(
    first: Wanted | None, then: Wanted, *, gone: str
) -> Iterator[tuple[SimKernel, Journal, int]]:
    """Yields as `crashes`; a cgroup goes right before the kernel looks it up."""
    for store in itertools.count(1):
        kernel, state = booted(), MemoryJournal()
        if first:
            turn(kernel, state, first)
        kernel.meanwhile = partial(_go, kernel, gone)
        kernel.kill_after = store
        try:
            turn(kernel, state, then)
        except Killed:
            kernel.kill_after = None
            kernel.meanwhile = None
            kernel.remove_cgroup(gone)
            yield kernel, state, store
        else:
            return


def _go(kernel: SimKernel, gone: str, word: str) -> None:
    if word in {"on", "commit"}:
        kernel.remove_cgroup(gone)


def staged_and_claimed(state: Journal) -> list[tuple[set[str], set[str]]]:
    return [({value for _, value in one.staged}, {value for _, value in one.files}) for one in state.load().owned]


def test_however_often_commits_of_other_lists_fail_the_journal_stays_small() -> None:
    kernel, state = booted(), MemoryJournal()
    turn(kernel, state, (OLD, LISTED))
    sizes = []
    for number in range(20):
        gone = Movable(listed=True, allowed=tuple(Cgroup(path=f"/gone{number + n}") for n in range(9)))
        with pytest.raises(SchemesRefused):
            turn(kernel, state, (OLD, gone))
        sizes.append(sum(len(one.files) + len(one.former) + len(one.staged) for one in state.load().owned))
    assert sizes[-1] <= 2 * sizes[0]
    turn(kernel, state, (OLD, LISTED))
    assert configuration(kernel) == whole((OLD, LISTED))


@pytest.mark.parametrize("change", [settings(min_age="30s"), settings(auto_tune=False)], ids=["ages", "intervals"])
def test_twice_cut_off_a_changed_start_interval_still_comes_into_force(change: Settings) -> None:
    new = dataclasses.replace(
        change, monitoring=dataclasses.replace(change.monitoring, aggregation_interval=Duration.parse("200ms"))
    )
    for kernel, state, store in crashes(OLD, new):
        kernel.kill_after = 2
        with contextlib.suppress(Killed):
            turn(kernel, state, new)
        kernel.kill_after = None
        turn(kernel, state, new)
        assert {running.intervals for running in kernel.running.values()} == {(5_000, 200_000)}, store


def tuning(least: str, most: str) -> Settings:
    tune = dataclasses.replace(
        OLD.monitoring.auto_tune, min_sample=Duration.parse(least), max_sample=Duration.parse(most)
    )
    monitoring = dataclasses.replace(
        OLD.monitoring,
        sample_interval=Duration.parse("30ms"),
        aggregation_interval=Duration.parse("600ms"),
        auto_tune=tune,
    )
    return dataclasses.replace(OLD, monitoring=monitoring)


SLOWEST, FASTEST = (200_000, 4_000_000), (5_000, 100_000)
WIDE = tuning("5ms", "200ms")
NARROWED = [
    pytest.param(tuning("5ms", "50ms"), SLOWEST, id="max-below-what-was-tuned"),
    pytest.param(tuning("20ms", "200ms"), FASTEST, id="min-above-what-was-tuned"),
]


@pytest.mark.parametrize(("narrow", "tuned"), NARROWED)
def test_bounds_of_tuning_come_into_force_wherever_their_commit_was_cut_off(
    narrow: Settings, tuned: tuple[int, int]
) -> None:
    for kernel, state, store in crashes(WIDE, narrow, tuned=tuned):
        turn(kernel, state, narrow)
        assert configuration(kernel) == whole(narrow), store


@pytest.mark.parametrize(("narrow", "tuned"), NARROWED)
def test_bounds_of_tuning_can_be_taken_back_wherever_their_commit_was_cut_off(
    narrow: Settings, tuned: tuple[int, int]
) -> None:
    for kernel, state, store in crashes(narrow, WIDE):
        if configuration(kernel)[1] == whole(WIDE)[1]:
            kernel.running[1].intervals = tuned
        turn(kernel, state, narrow)
        assert configuration(kernel) == whole(narrow), store


def test_kdamonds_that_a_crash_left_running_keep_their_pid() -> None:
    for kernel, state, store in crashes(OLD, NEW):
        pids = {index: kdamond.pid for index, kdamond in kernel.running.items()}
        turn(kernel, state, NEW)
        assert {index: kdamond.pid for index, kdamond in kernel.running.items()} == pids, store
