"""Figures come from samples and counters as they were seen."""

import json
from dataclasses import replace

import pytest

from bench.placement.counters import Counters, parse
from bench.placement.figures import Figures, Sample, figures, sample, stood_still
from bench.placement.workloads import WORKLOADS, Aim, Workload

MIB = 1 << 20
STILL = Workload(title="", aim=Aim.SOON, mib=400, hot_mib=100, slow_mib=100, seconds=60)
SWAP = replace(STILL, shift_mib=100, shift_s=20)
STATS = """\
41 (kdamond.0) I 2 0 0 0 -1 2129984 0 0 0 0 10 20 0 0 20 0 1 0 77 0 0
42 (kdamond.1) I 2 0 0 0 -1 2129984 0 0 0 0 0 5 0 0 20 0 1 0 77 0 0
50 (kswapd0) S 2 0 0 0 -1 2129984 0 0 0 0 0 3 0 0 20 0 1 0 77 0 0
900 (python3 (a b)) S 1 900 900 0 -1 4194560 0 0 0 0 100 50 7 3 20 0 3 0 99 0 0
901 (mover) S 900 900 900 0 -1 4194560 0 0 0 0 10 0 0 0 20 0 3 0 99 0 0
902 (python3) S 1 902 902 0 -1 4194560 0 0 0 0 999 0 0 0 20 0 3 0 99 0 0
"""


def at(second: float, hot_fast: int, *, heat: float | None = None) -> Sample:
    share = hot_fast / 100
    return Sample(
        monotonic_s=1000 + second,
        hot_fast_bytes=hot_fast * MIB,
        hot_bytes=100 * MIB,
        heat_fast=share if heat is None else heat,
    )


def counted(second: float, migrated: int = 0, *, kdamond_s: float = 0, agent_s: float = 0) -> Counters:
    return Counters(
        monotonic_s=1000 + second, migrated_bytes=migrated * MIB, kdamond_s=kdamond_s, kswapd_s=0, agent_s=agent_s
    )


def of(workload: Workload, *samples: Sample, rest: Counters | None = None, end: Counters | None = None) -> Figures:
    return figures(
        workload,
        samples,
        since_s=1000,
        clock_s=1000,
        start=counted(-5, 10),
        rest=rest or counted(30, 200),
        end=end or counted(60, 210),
    )


def test_a_line_of_the_workload_is_a_sample() -> None:
    hot = {"0": 30 * MIB, "1": 70 * MIB}
    line = json.dumps({"monotonic_s": 7.5, "hot_bytes_by_nid": hot, "cold_bytes_by_nid": {}, "heat_fast": 0.25})
    assert sample(line) == Sample(monotonic_s=7.5, hot_fast_bytes=30 * MIB, hot_bytes=100 * MIB, heat_fast=0.25)
    assert sample(line).hot_fast_ratio == 0.3


def test_counters_are_those_of_kdamonds_kswapd_and_the_session() -> None:
    text = f"61.25 99.00\n\npgmigrate_success 3\npgdemote_kswapd 2\n\n{STATS}"
    expected = Counters(monotonic_s=61.25, migrated_bytes=3 * 4096, kdamond_s=0.35, kswapd_s=0.03, agent_s=1.7)
    assert parse(text, session=900) == expected
    assert parse(text, session=0) == replace(expected, agent_s=0)


def test_time_counts_from_when_the_contestant_was_in_force() -> None:
    found = of(STILL, at(-3, 95), at(0.5, 0), at(4, 89), at(7, 90), at(8, 100))
    assert found.seconds_to_90_percent == 7
    assert of(STILL, at(1, 0), at(50, 89)).seconds_to_90_percent is None


def test_samples_after_the_end_do_not_count() -> None:
    assert of(STILL, at(1, 0), at(61, 100)).seconds_to_90_percent is None


def test_each_phase_of_a_swap_has_its_own_time_and_gain() -> None:
    found = of(SWAP, at(1, 0), at(5, 95), at(19, 100), at(20.2, 50), at(22.1, 10), at(32, 90), at(40, 95))
    assert (found.seconds_to_90_percent, found.seconds_to_90_percent_after_swap) == (5, 12)
    assert found.useful_bytes == (100 + 85) * MIB, "the sample of the swap itself belongs to neither phase"


def test_a_workload_that_swaps_a_little_late_has_not_arrived_before() -> None:
    found = of(SWAP, at(5, 100), at(20.7, 100), at(21.9, 100), at(25, 20), at(34, 95))
    assert found.seconds_to_90_percent_after_swap == 14


def test_what_came_while_it_was_put_in_force_is_a_gain() -> None:
    assert of(STILL, at(-0.5, 10), at(0.5, 30), at(40, 95)).useful_bytes == 85 * MIB


def test_a_run_during_which_the_guest_stood_still_is_told() -> None:
    assert not stood_still([at(1, 0), at(2, 0), at(9, 0)])
    assert stood_still([at(1, 0), at(2, 0), at(10.5, 0)])


def test_what_left_fast_is_no_gain() -> None:
    assert of(STILL, at(1, 50), at(40, 20)).useful_bytes == 0


def test_the_share_is_told_every_five_seconds_and_its_mean_is_weighted_by_heat() -> None:
    found = of(STILL, at(0.5, 0, heat=0.5), at(4, 20, heat=0.5), at(5.5, 40, heat=1), at(10, 60, heat=1))
    assert list(found.hot_fast_percent) == [0, 40, 60]
    assert found.mean_heat_fast_percent == 75


def test_bytes_and_cpu_time_are_of_the_run_and_of_its_end() -> None:
    rest, end = counted(30, 200, kdamond_s=2, agent_s=3), counted(60, 210, kdamond_s=2.5, agent_s=3.25)
    found = of(STILL, at(1, 0), at(40, 90), rest=rest, end=end)
    assert (found.moved_bytes, found.rest_bytes) == (200 * MIB, 10 * MIB)
    assert (found.kdamond_seconds, found.agent_seconds, found.rest_cpu_percent) == (2.5, 3.25, 2.5)


def test_a_workload_that_never_rests_has_no_figures_of_rest() -> None:
    found = of(replace(SWAP, rests=False), at(1, 0), at(40, 90))
    assert (found.rest_bytes, found.rest_cpu_percent, found.seconds_to_90_percent_after_swap) == (None, None, None)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_fits_the_guest_and_the_program(name: str) -> None:
    one = WORKLOADS[name]
    assert one.mib <= 1536 and one.slow_mib <= 400, "beside the system, and with room for what is demoted"
    assert all(size % 2 == 0 for size in (one.mib, one.hot_mib, one.slow_mib, one.begin_mib, one.shift_mib))
    assert one.hot_mib <= one.mib and one.begin_mib < one.mib
