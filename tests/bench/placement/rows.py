"""Runs as rows of a file, and what several rounds of the same came to. Pure.

Before: `__main__`, which makes them. After: `verdict` and `page`.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from bench.placement.figures import Figures

_NUMBERS = tuple(one.name for one in fields(Figures) if one.name != "hot_fast_percent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run.

    Attributes:
        run: names the invocation that it is from, by when that was started.
        kernel: the release.
        unavailable: why the contestant cannot run on this kernel; then there are no figures.
    """

    run: str
    machine: str
    kernel: str
    workload: str
    contestant: str
    round: int
    figures: Figures | None = None
    unavailable: str = ""

    @property
    def of(self) -> tuple[str, str, str]:
        """Returns what it is a round of."""
        return (self.kernel, self.workload, self.contestant)


def encode(row: Row) -> dict[str, Any]:
    """Returns a row as JSON."""
    return asdict(row)


def decode(told: Mapping[str, Any]) -> Row:
    """Returns the row that `encode` made this of."""
    seen = told["figures"]
    made = Figures(**(seen | {"hot_fast_percent": tuple(seen["hot_fast_percent"])})) if seen else None
    return Row(**(dict(told) | {"figures": made}))


def merge(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Returns all rows in a lasting order, but of what was run anew the new ones only: all that was run so far."""
    anew = {row.of for row in new}
    kept = [row for row in old if row.of not in anew]
    return _in_order([*kept, *new])


def add(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Returns all rows in a lasting order; what was run anew counts on from the rounds that are recorded."""
    runs = {row.run for row in new}
    kept = [row for row in old if row.run not in runs]
    before = Counter(row.of for row in kept)
    return _in_order([*kept, *(replace(row, round=before[row.of] + row.round) for row in new)])


def medians(rows: Iterable[Row]) -> dict[str, dict[str, float | None]]:
    """Returns each contestant's median of each number, None if more than half of the rounds had none."""
    by_contestant: dict[str, list[Figures]] = {}
    for row in rows:
        if row.figures:
            by_contestant.setdefault(row.contestant, []).append(row.figures)
    return {name: {number: _median(of, number) for number in _NUMBERS} for name, of in by_contestant.items()}


def flat(rows: Sequence[Row]) -> dict[str, Any]:
    """Returns the medians as one flat object: WORKLOAD_CONTESTANT_FIGURE."""
    told: dict[str, Any] = {
        "kernel": ",".join(sorted({row.kernel for row in rows})),
        "rounds": max((row.round for row in rows), default=0),
    }
    for workload in dict.fromkeys(row.workload for row in rows):
        for contestant, numbers in medians(row for row in rows if row.workload == workload).items():
            named = {f"{workload}_{contestant}_{number}".replace("-", "_"): value for number, value in numbers.items()}
            told |= named
    return told


def _in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.of, row.round))


def _median(of: Sequence[Figures], number: str) -> float | None:
    values = [getattr(one, number) for one in of]
    ordered = sorted(float("inf") if value is None else float(value) for value in values)
    middle = statistics.median_low(ordered)
    return None if middle == float("inf") else middle
