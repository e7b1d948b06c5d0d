"""What arrived, counted from what the kernel says and what it cannot hide."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import LINUX_7_2, SimKernel
from terrace_agent.damon import verify
from terrace_agent.damon.look import read_oracle
from terrace_agent.damon.read import SchemeStats
from terrace_agent.damon.tree import Action
from terrace_agent.damon.verify import Look, Oracle
from terrace_agent.journal import JournalState, OwnedKdamond

PAGE, HUGE = 4_096, 2 << 20


def promoter(applied: int, *, pid: int = 7, target_nid: int = 0) -> tuple[Look, ...]:
    return (
        Look(
            index=0,
            pid=pid,
            source_nid=2,
            scheme=0,
            action=Action.MIGRATE_HOT,
            target_nid=target_nid,
            stats=SchemeStats(sz_applied=applied),
        ),
    )


def oracle(foreign: int = 0, thp: int = 0) -> Oracle:
    return Oracle(foreign_pages={0: foreign, 1: 0}, thp_migrations=thp)


def started(foreign: int = 0, thp: int = 0) -> JournalState:
    return verify.begin(JournalState(), 0, promoter(0), oracle(foreign, thp))


def test_what_is_applied_arrived_while_nothing_is_foreign() -> None:
    state = verify.advance(started(), promoter(10 * PAGE), oracle())
    assert verify.totals(state) == (10 * PAGE, 0)


def test_foreign_pages_from_before_the_start_do_not_count() -> None:
    state = verify.advance(started(foreign=500), promoter(10 * PAGE), oracle(foreign=500))
    assert verify.totals(state) == (10 * PAGE, 0)


def test_pages_that_were_wanted_there_and_landed_elsewhere_are_taken_off() -> None:
    state = verify.advance(started(), promoter(10 * PAGE), oracle(foreign=4))
    assert verify.totals(state) == (6 * PAGE, 0)


def test_more_foreign_than_applied_is_nothing_arrived() -> None:
    state = verify.advance(started(), promoter(10 * PAGE), oracle(foreign=40))
    assert verify.totals(state) == (0, 0)


def test_what_is_foreign_in_one_interval_is_not_taken_off_the_next() -> None:
    state = verify.advance(started(), promoter(10 * PAGE), oracle(foreign=40))
    state = verify.advance(state, promoter(15 * PAGE), oracle(foreign=40))
    assert verify.totals(state) == (5 * PAGE, 0)


def test_a_foreign_huge_page_is_taken_off_whole() -> None:
    state = verify.advance(started(), promoter(3 * HUGE), oracle(foreign=1, thp=3))
    assert verify.totals(state) == (2 * HUGE, 0)


def test_foreign_pages_are_of_the_kernels_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 65_536}.__getitem__)
    kernel = SimKernel(LINUX_7_2)
    before = read_oracle(kernel, ())
    kernel.put("/sys/devices/system/node/node0/numastat", "numa_foreign 2")
    state = verify.begin(JournalState(), 0, promoter(0), before)
    state = verify.advance(state, promoter(5 * 65_536), read_oracle(kernel, ()))
    assert verify.totals(state) == (3 * 65_536, 0)


def test_a_kdamond_whose_start_was_not_seen_counts_from_now_on() -> None:
    state = verify.advance(JournalState(), promoter(100 * PAGE), oracle())
    assert verify.totals(state) == (0, 0)
    assert verify.totals(verify.advance(state, promoter(101 * PAGE), oracle())) == (PAGE, 0)


def test_what_a_kdamond_moved_stays_when_it_is_gone() -> None:
    state = verify.advance(started(), promoter(10 * PAGE), oracle())
    assert verify.totals(verify.advance(state, (), oracle())) == (10 * PAGE, 0)


def test_a_new_target_starts_a_new_comparison() -> None:
    state = verify.advance(started(), promoter(10 * PAGE), oracle())
    state = verify.advance(state, promoter(20 * PAGE, target_nid=1), oracle())
    assert verify.totals(state) == (10 * PAGE, 0)


def test_a_kdamond_that_was_started_again_adds_to_what_the_one_before_moved() -> None:
    state = verify.advance(started(), promoter(10 * PAGE), oracle())
    state = verify.begin(state, 0, promoter(0, pid=8), oracle())
    assert verify.totals(verify.advance(state, promoter(PAGE, pid=8), oracle())) == (11 * PAGE, 0)


@given(st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)), max_size=20))
def test_arrived_never_exceeds_applied_and_never_shrinks(growth: list[tuple[int, int]]) -> None:
    state, applied, foreign, before = started(), 0, 0, 0
    for pages, elsewhere in growth:
        applied, foreign = applied + pages * PAGE, foreign + elsewhere
        state = verify.advance(state, promoter(applied), oracle(foreign))
        arrived, _ = verify.totals(state)
        assert before <= arrived <= applied
        before = arrived


def promoters(*applied: int, pid: int = 7) -> tuple[Look, ...]:
    """Several schemes of one kdamond, as where single pods have their own."""
    (one,) = promoter(0, pid=pid)
    return tuple(
        replace(one, scheme=number, stats=SchemeStats(sz_tried=2 * size, sz_applied=size))
        for number, size in enumerate(applied)
    )


def test_what_all_schemes_of_a_direction_moved_adds_up() -> None:
    state = verify.begin(JournalState(), 0, promoters(0, 0, 0), oracle())
    looks = promoters(PAGE, 2 * PAGE, 4 * PAGE)
    state = verify.advance(state, looks, oracle())
    assert verify.totals(state) == (7 * PAGE, 0)
    (shown,) = verify.describe(state, looks)
    assert (shown.tried_bytes, shown.applied_bytes, shown.arrived_bytes) == (14 * PAGE, 7 * PAGE, 7 * PAGE)


def test_what_landed_elsewhere_is_taken_off_once_however_many_schemes_go_there() -> None:
    state = verify.begin(JournalState(), 0, promoters(0, 0, 0), oracle())
    state = verify.advance(state, promoters(PAGE, 2 * PAGE, 4 * PAGE), oracle(foreign=2))
    assert verify.totals(state) == (5 * PAGE, 0)


def test_a_scheme_that_is_added_counts_from_zero_and_the_others_go_on() -> None:
    state = verify.begin(JournalState(), 0, promoters(0), oracle())
    state = verify.advance(state, promoters(4 * PAGE), oracle())
    state = verify.advance(state, promoters(5 * PAGE, 3 * PAGE), oracle(foreign=1))
    assert verify.totals(state) == (7 * PAGE, 0)


def test_what_a_scheme_moved_that_is_gone_stays_counted_when_another_one_takes_its_number() -> None:
    state = verify.begin(JournalState(), 0, promoters(0, 0), oracle())
    state = verify.advance(state, promoters(4 * PAGE, 8 * PAGE), oracle())
    state = verify.advance(state, promoters(4 * PAGE), oracle())
    assert verify.totals(state) == (12 * PAGE, 0)
    looks = promoters(4 * PAGE, PAGE)
    state = verify.advance(state, looks, oracle())
    assert verify.totals(state) == (13 * PAGE, 0)
    (shown,) = verify.describe(state, looks)
    assert (shown.applied_bytes, shown.arrived_bytes) == (13 * PAGE, 13 * PAGE)


def test_a_scheme_that_is_staged_no_more_and_runs_on_since_the_commit_was_refused_counts_once() -> None:
    claim = OwnedKdamond(index=0, source_nid=2, files=(), made_from="", pid=7, in_force=False)
    state = replace(verify.begin(JournalState(), 0, promoters(0, 0), oracle()), owned=(claim,))
    for looks in (promoters(PAGE, 8 * PAGE), promoters(PAGE), promoters(PAGE, 9 * PAGE)):
        state = verify.advance(state, looks, oracle(), frozenset({7}))
    assert verify.totals(state) == (10 * PAGE, 0)
