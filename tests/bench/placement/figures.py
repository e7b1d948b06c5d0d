"""From where the pages were and what the kernel counted to the figures of one run. Pure.

Before: `rig`. After: `verdict` and `page`.
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.placement.counters import Counters
from bench.placement.workloads import Workload

REACHED = 0.9
EVERY_S = 5
STILL_S = 8.0
"""The workload writes a line a second, on a machine with much to do every few."""
SWAPS_S = 2.0
"""The workload looks at its clock between two passes over its memory, so it may swap as much later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One line of `heat`.

    Attributes:
        heat_fast: the share of accesses that the fast node gets.
    """

    monotonic_s: float
    hot_fast_bytes: int
    hot_bytes: int
    heat_fast: float

    @property
    def hot_fast_ratio(self) -> float:
        """The share of the hot bytes that is on the fast node."""
        return self.hot_fast_bytes / self.hot_bytes if self.hot_bytes else 1.0


def sample(line: str) -> Sample:
    """Returns what a line of `heat` says."""
    told = json.loads(line)
    hot = told["hot_bytes_by_nid"]
    return Sample(
        monotonic_s=float(told["monotonic_s"]),
        hot_fast_bytes=hot["0"],
        hot_bytes=sum(hot.values()),
        heat_fast=float(told["heat_fast"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run came to; None for what was never reached, or does not apply.

    Attributes:
        hot_fast_percent: share of the hot bytes on fast, every `EVERY_S` seconds since the contestant was in force.
        seconds_to_90_percent: since it was in force.
        seconds_to_90_percent_after_swap: since the heat last moved.
        useful_bytes: what was gained: hot bytes more on fast at the end of each phase than at its begin.
        rest_bytes: moved within the last `REST_S`.
        kdamond_seconds: CPU time within the run, likewise of the agent (from its start) and of kswapd.
        rest_cpu_percent: kdamonds and agent together within the last `REST_S`, of one core.
    """

    hot_fast_percent: tuple[float, ...]
    mean_heat_fast_percent: float
    seconds_to_90_percent: float | None
    seconds_to_90_percent_after_swap: float | None
    moved_bytes: int
    useful_bytes: int
    rest_bytes: int | None
    kdamond_seconds: float
    agent_seconds: float
    kswapd_seconds: float
    rest_cpu_percent: float | None


def figures(
    workload: Workload,
    samples: Sequence[Sample],
    *,
    since_s: float,
    clock_s: float,
    start: Counters,
    rest: Counters,
    end: Counters,
) -> Figures:
    """Returns the figures of a run.

    Args:
        workload: what was run.
        samples: all of the workload's lines.
        since_s: when the contestant was in force.
        clock_s: when the workload's clock started, right after that.
        start: before the contestant was started.
        rest: when `REST_S` were left.
        end: at the end.
    """
    run = [one for one in samples if since_s <= one.monotonic_s <= end.monotonic_s]
    before = [one for one in samples if one.monotonic_s < since_s][-1:]
    swap_s = clock_s + workload.shift_s
    swaps = workload.shift_s and workload.rests
    first, second = _phases(run, swap_s) if swaps else (run, [])
    rested = workload.rests
    rest_s = end.monotonic_s - rest.monotonic_s
    rest_cpu_s = end.kdamond_s - rest.kdamond_s + end.agent_s - rest.agent_s
    return Figures(
        hot_fast_percent=_series(run, since_s),
        mean_heat_fast_percent=round(100 * statistics.fmean(one.heat_fast for one in run), 2),
        seconds_to_90_percent=_seconds_to(first, since_s),
        seconds_to_90_percent_after_swap=_seconds_to(second, swap_s),
        moved_bytes=end.migrated_bytes - start.migrated_bytes,
        useful_bytes=_gained([*before, *first]) + _gained(second),
        rest_bytes=end.migrated_bytes - rest.migrated_bytes if rested else None,
        kdamond_seconds=round(end.kdamond_s - start.kdamond_s, 2),
        agent_seconds=round(end.agent_s - start.agent_s, 2),
        kswapd_seconds=round(end.kswapd_s - start.kswapd_s, 2),
        rest_cpu_percent=round(100 * rest_cpu_s / rest_s, 1) if rested else None,
    )


def stood_still(samples: Sequence[Sample]) -> bool:
    """Returns whether the guest did not run for a while: its clock jumps, and nothing that is measured is true."""
    return any(after.monotonic_s - before.monotonic_s > STILL_S for before, after in itertools.pairwise(samples))


def _phases(run: Sequence[Sample], swap_s: float) -> tuple[list[Sample], list[Sample]]:
    """Returns what was before and after the swap; what was around its very moment belongs to neither."""
    return [one for one in run if one.monotonic_s < swap_s], [one for one in run if one.monotonic_s > swap_s + SWAPS_S]


def _seconds_to(samples: Sequence[Sample], since_s: float) -> float | None:
    reached = (one.monotonic_s - since_s for one in samples if one.hot_fast_ratio >= REACHED)
    return next((round(seconds, 1) for seconds in reached), None)


def _gained(samples: Sequence[Sample]) -> int:
    return max(0, samples[-1].hot_fast_bytes - samples[0].hot_fast_bytes) if samples else 0


def _series(run: Sequence[Sample], since_s: float) -> tuple[float, ...]:
    """Returns the share at 0, 5, 10 ... seconds: of the first sample not before it."""
    shown: list[float] = []
    for one in run:
        if one.monotonic_s - since_s >= len(shown) * EVERY_S:
            shown.append(round(100 * one.hot_fast_ratio, 1))
    return tuple(shown)
