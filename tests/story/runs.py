"""What several runs of the story came to together: one of them says little on a machine that others use, too. Pure."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from story.figures import Figures, Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The figures of some runs.

    Attributes:
        median_seconds_to_99_percent: None if that run never came so far; the worst likewise.
        within_aim: how many met the aim.
    """

    runs: int
    median_seconds_to_99_percent: float | None
    worst_seconds_to_99_percent: float | None
    within_aim: int
    all_good: bool

    def json_line(self) -> str:
        """Returns the figures as one line of JSON."""
        return json.dumps(asdict(self))


def summary(runs: Sequence[Figures | Unsupported]) -> Runs:
    """Returns what one run or more came to."""
    seconds = [_seconds(run) for run in runs]
    return Runs(
        runs=len(runs),
        median_seconds_to_99_percent=_finite(statistics.median(seconds)),
        worst_seconds_to_99_percent=_finite(max(seconds)),
        within_aim=sum(isinstance(run, Figures) and run.placement.within_aim for run in runs),
        all_good=not any(True for run in runs for _ in run.problems()),
    )


def _seconds(run: Figures | Unsupported) -> float:
    """Returns when the hot set had arrived; infinity if it never did."""
    arrived_s = run.placement.seconds_to_99_percent if isinstance(run, Figures) else None
    return math.inf if arrived_s is None else arrived_s


def _finite(seconds: float) -> float | None:
    return round(seconds, 1) if math.isfinite(seconds) else None
