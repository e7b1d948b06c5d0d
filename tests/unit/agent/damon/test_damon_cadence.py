"""Intervals that do not starve schemes, and ages that stay durations."""

from hypothesis import given
from hypothesis import strategies as st

from terrace_agent.damon import cadence
from terrace_agent.damon.cadence import CurrentIntervals
from unit.agent.damon.builders import settings


def test_schemes_are_applied_more_often_than_intervals_are_tuned() -> None:
    assert cadence.safe_apply_interval_us(settings(), can_tune=True) == (100_000, False)


def test_an_apply_interval_of_a_second_would_starve_and_is_cut() -> None:
    assert cadence.safe_apply_interval_us(settings(apply_interval="1s"), can_tune=True) == (100_000, True)


def test_an_apply_interval_of_just_the_tuning_step_is_cut_too() -> None:
    assert cadence.safe_apply_interval_us(settings(apply_interval="200ms"), can_tune=True) == (100_000, True)
    assert cadence.safe_apply_interval_us(settings(apply_interval="199ms"), can_tune=True) == (199_000, False)


def test_an_apply_interval_of_a_second_is_taken_while_nothing_is_tuned() -> None:
    chosen = settings(apply_interval="1s", auto_tune=False)
    assert cadence.safe_apply_interval_us(chosen, can_tune=True) == (1_000_000, False)


def test_more_aggregations_per_step_allow_a_longer_apply_interval() -> None:
    chosen = settings(apply_interval="1s", aggregations=20)
    assert cadence.safe_apply_interval_us(chosen, can_tune=True) == (1_000_000, False)


@given(st.integers(2, 100), st.one_of(st.none(), st.integers(10, 600_000).map(lambda ms: f"{ms}ms")))
def test_whatever_the_wish_it_is_below_the_tuning_step(aggregations: int, wish: str | None) -> None:
    chosen = settings(apply_interval=wish, aggregations=aggregations)
    apply_us, _ = cadence.safe_apply_interval_us(chosen, can_tune=True)
    assert 0 < apply_us < (aggregations - 1) * 100_000


def test_an_age_is_a_count_of_aggregations() -> None:
    assert cadence.age_count(10_000_000, 100_000) == 100
    assert cadence.age_count(10_000_000, 3_200_000) == 3
    assert cadence.age_count(0, 100_000) == 0


def test_an_age_shorter_than_an_aggregation_is_one() -> None:
    assert cadence.age_count(100_000, 4_000_000) == 1


def test_a_fast_region_is_not_cold_before_the_slow_nid_has_looked_twice() -> None:
    slow = CurrentIntervals(sample_us=200_000, aggr_us=4_000_000)
    assert cadence.demotion_age_us(settings(min_age="0s"), slow) == 8_000_000
    assert cadence.demotion_age_us(settings(min_age="10s"), slow) == 10_000_000


def test_tuning_is_left_out_where_the_kernel_cannot() -> None:
    assert cadence.intervals(settings().monitoring, can_tune=False).intervals_goal is None


def test_tuning_that_is_not_wanted_is_switched_off() -> None:
    goal = cadence.intervals(settings(auto_tune=False).monitoring, can_tune=True).intervals_goal
    assert goal
    assert goal.aggrs == 0
