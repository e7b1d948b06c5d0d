"""How much cheaper monitoring has to be than the policy asks, so that it keeps to its share of a CPU. Pure.

Before: `cputime` measures what kdamonds use. After: `desired`. A kdamond looks at one page per region and sample, by an
rmap walk of about a microsecond: 10,000 regions every 5 ms are a core. So each step halves the cost, odd steps by half
the regions, even ones by twice the sampling interval: coarser first, later second.
"""

from dataclasses import dataclass, replace

from terrace_api.policy import Monitoring, Settings
from terrace_api.units import Duration

_MOST_STEPS = 8
_WINDOW_S = 30.0
_ROOM_TO_RETURN = 0.4
"""A step back doubles the cost: below this part of the bound it stays below the bound."""

CANNOT_MEASURE = (
    "monitoring.cpuPercent holds nothing: the kdamonds are not in the /proc that the agent sees (chart value "
    "agent.hostProc)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTimes:
    """One look at the CPU time of kdamonds.

    Attributes:
        uptime_s: when; seconds since boot.
        used_s: since their start, by pid.
    """

    uptime_s: float
    used_s: dict[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the CPU bound says now.

    Attributes:
        easing: steps that monitoring is to be cheaper.
        since: the look that is counted from.
        note: what a person should know about it; empty if nothing.
    """

    easing: int
    since: CpuTimes
    note: str = ""


def judge(
    easing: int, monitoring: Monitoring, since: CpuTimes | None, now: CpuTimes, *, running: bool, can_tune: bool
) -> Load:
    """Returns the steps from now on: one more above the bound, one less when there is ample room, once a window.

    Args:
        easing: steps in force.
        monitoring: as the policy asks; `cpu_percent` of one CPU is the bound for each kdamond.
        since: the look that began this window.
        now: this look.
        running: whether kdamonds of ours run: then not to see them means that they cannot be measured.
        can_tune: whether this kernel tunes intervals.
    """
    if not now.used_s:
        return Load(easing=easing, since=now, note=CANNOT_MEASURE if running else "")
    if since is None or now.used_s.keys() != since.used_s.keys():
        return Load(easing=easing, since=now, note=_note(easing, monitoring, can_tune=can_tune))
    elapsed_s = now.uptime_s - since.uptime_s
    if elapsed_s < _WINDOW_S:
        return Load(easing=easing, since=since, note=_note(easing, monitoring, can_tune=can_tune))
    busiest = 100 * max(now.used_s[pid] - since.used_s[pid] for pid in now.used_s) / elapsed_s
    step = _step(easing, busiest, monitoring.cpu_percent)
    return Load(easing=step, since=now, note=_note(step, monitoring, can_tune=can_tune))


def eased(settings: Settings, easing: int, *, can_tune: bool) -> Settings:
    """Returns `settings` with the sampling interval of these steps; `region_halvings` are for whoever knows the nid."""
    return replace(settings, monitoring=_slower(settings.monitoring, easing, can_tune=can_tune))


def region_halvings(easing: int) -> int:
    """Returns how often the number of regions is halved at these steps."""
    return (easing + 1) // 2


def _step(easing: int, percent: float, most_percent: int) -> int:
    if percent > most_percent:
        return min(easing + 1, _MOST_STEPS)
    return max(0, easing - 1) if percent < _ROOM_TO_RETURN * most_percent else easing


def _slower(monitoring: Monitoring, easing: int, *, can_tune: bool) -> Monitoring:
    """Returns intervals of the same ratio, so that access counts keep their meaning; tuning keeps its upper bound."""
    factor, tune = 1 << (easing // 2), monitoring.auto_tune
    if factor == 1:
        return monitoring
    if not (tune.enabled and can_tune):
        return _sampling(monitoring, Duration(monitoring.sample_interval.us * factor))
    least = min(Duration(tune.min_sample.us * factor), tune.max_sample)
    slower = replace(monitoring, auto_tune=replace(tune, min_sample=least))
    return _sampling(slower, max(least, monitoring.sample_interval))


def _sampling(monitoring: Monitoring, sample: Duration) -> Monitoring:
    aggregation_us = monitoring.aggregation_interval.us * sample.us // monitoring.sample_interval.us
    return replace(monitoring, sample_interval=sample, aggregation_interval=Duration(aggregation_us))


def _note(easing: int, monitoring: Monitoring, *, can_tune: bool) -> str:
    if not easing:
        return ""
    slower = _slower(monitoring, easing, can_tune=can_tune)
    if slower == monitoring:
        sampled = ""
    elif monitoring.auto_tune.enabled and can_tune:
        sampled = f", and memory is sampled no more often than every {slower.auto_tune.min_sample}"
    else:
        sampled = f", and memory is sampled every {slower.sample_interval}"
    return (
        f"monitoring.cpuPercent {monitoring.cpu_percent}: to keep to it, regions are divided by up to "
        f"{1 << region_halvings(easing)}{sampled}"
    )
