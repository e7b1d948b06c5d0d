"""How often: intervals, their tuning, the apply interval, and ages as counts of aggregations. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from terrace_agent.damon.tree import Intervals, IntervalsGoal
from terrace_agent.flows.limits import WINDOW_MS
from terrace_api.policy import Monitoring, Settings

_RECOMMENDED_APPLY_US = 100_000
_STEP_RATIO = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentIntervals:
    """What the kernel has tuned one context to, as last read."""

    sample_us: int
    aggr_us: int


def intervals(monitoring: Monitoring, *, can_tune: bool) -> Intervals:
    """Returns the intervals to start from, with tuning off or left out (None) where it cannot be."""
    return Intervals(
        sample_us=monitoring.sample_interval.us,
        aggr_us=monitoring.aggregation_interval.us,
        intervals_goal=_goal(monitoring) if can_tune else None,
    )


def start(monitoring: Monitoring) -> CurrentIntervals:
    """Returns what a kdamond begins with."""
    return CurrentIntervals(sample_us=monitoring.sample_interval.us, aggr_us=monitoring.aggregation_interval.us)


def safe_apply_interval_us(settings: Settings, *, can_tune: bool) -> tuple[int, bool]:
    """Returns the apply interval, and whether the policy's own had to be cut.

    Every tuning step puts off the next application to now + apply interval, even when it changes nothing, and a step
    comes every `aggrs` aggregations. So it must be shorter than (aggrs - 1) x the shortest aggregation that tuning may
    choose, or the schemes never run while accesses are plentiful (kernel fact 17; `kdamond_tune_intervals()`,
    `damos_set_next_apply_sis()` in Linux mm/damon/core.c, 7.2).
    """
    monitoring = settings.monitoring
    wish_us = settings.apply_interval.us if settings.apply_interval else None
    if not (can_tune and monitoring.auto_tune.enabled):
        return wish_us or min(_RECOMMENDED_APPLY_US, monitoring.aggregation_interval.us), False
    samples = max(1, monitoring.aggregation_interval.us // max(1, monitoring.sample_interval.us))
    shortest_us = samples * monitoring.auto_tune.min_sample.us
    bound_us = (monitoring.auto_tune.aggregations - 1) * shortest_us
    safe_us = max(1, min(_RECOMMENDED_APPLY_US, bound_us // 2))
    if wish_us is None:
        return safe_us, False
    return (wish_us, False) if wish_us < bound_us else (safe_us, True)


def longest_sample_ms(settings: Settings, *, can_tune: bool) -> int:
    """Returns how long a sample may get while the quota's rate is to hold: a window opens at most once per sample.

    Tuning to more than the quota's interval, or than windows are anyway, is for a nid on which hardly anything happens.
    """
    monitoring = settings.monitoring
    if not (can_tune and monitoring.auto_tune.enabled):
        return monitoring.sample_interval.ms
    return min(monitoring.auto_tune.max_sample.ms, max(settings.quota.interval.ms, WINDOW_MS))


def is_tuning(before: Mapping[int, CurrentIntervals], now: Mapping[int, CurrentIntervals]) -> bool:
    """Returns whether any nid's aggregation interval is on its way: it changed a lot between two looks.

    A tuning step changes it by 2 x at most, and around its goal by little.
    """
    return any(
        nid not in before or not 1 / _STEP_RATIO < intervals.aggr_us / before[nid].aggr_us < _STEP_RATIO
        for nid, intervals in now.items()
    )


def age_count(age_us: int, aggr_us: int) -> int:
    """Returns how many aggregations `age_us` are, to the nearest and at least one, 0 for no age.

    A scheme's age is a count that tuning does not rescale (kernel fact 18), so it holds for `aggr_us` only. Rounded
    up it would ask for half as much again once tuning has made an aggregation as long as the age.
    """
    return max(1, (2 * age_us + aggr_us) // (2 * aggr_us)) if age_us else 0


def demotion_age_us(settings: Settings, slow: CurrentIntervals) -> int:
    """Returns the age from which a fast region counts as cold.

    Each context tunes itself: what one aggregation of an idle slow nid calls hot must not be cold on a busy fast nid
    (kernel fact 19).
    """
    return max(settings.demotion.min_age.us, 2 * slow.aggr_us)


def _goal(monitoring: Monitoring) -> IntervalsGoal:
    tune = monitoring.auto_tune
    if not tune.enabled:
        return IntervalsGoal()
    return IntervalsGoal(
        access_bp=tune.access_ratio.bp,
        aggrs=tune.aggregations,
        min_sample_us=tune.min_sample.us,
        max_sample_us=tune.max_sample.us,
    )
