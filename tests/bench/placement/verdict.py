"""Who is first in a workload, and whether Terrace is. Pure.

Before: `rows`. After: `page`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bench.placement.workloads import Aim

TERRACE = "terrace"
LEVEL = 0.1
"""Within a tenth of the best is level with it, and so is within one sample:"""
ONE_SAMPLE: Mapping[Aim, float] = {
    Aim.SOON: 1.0,
    Aim.SOON_AGAIN: 1.0,
    Aim.SHARE: 0.0,
    Aim.STILL: 1 << 20,
}
Numbers = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How Terrace stands.

    Attributes:
        best: who of the others is best; empty if none of them ever came there.
    """

    good: bool
    word: str
    best: str


def verdict(aim: Aim, numbers: Numbers, rivals: frozenset[str]) -> Verdict:
    """Returns how Terrace stands by the medians of a workload.

    Args:
        aim: of the workload.
        numbers: each contestant's medians, by name.
        rivals: the names of those that it is measured against.
    """
    costs = {name: cost(aim, one) for name, one in numbers.items() if name in rivals}
    best = min(costs, key=lambda name: costs[name], default="")
    others = costs.get(best, math.inf)
    own = cost(aim, numbers[TERRACE])
    if own == math.inf:
        return Verdict(good=False, word="never came there", best="" if others == math.inf else best)
    if own <= others:
        return Verdict(good=True, word="first", best="" if others == math.inf else best)
    level = own <= others + max(LEVEL * abs(others), ONE_SAMPLE[aim])
    return Verdict(good=level, word="level" if level else "behind", best=best)


def cost(aim: Aim, numbers: Mapping[str, float | None]) -> float:
    """Returns what counts in a workload, less being better; infinite for what was never reached."""
    match aim:
        case Aim.SOON:
            value = numbers["seconds_to_90_percent"]
        case Aim.SOON_AGAIN:
            before, after = numbers["seconds_to_90_percent"], numbers["seconds_to_90_percent_after_swap"]
            value = None if before is None or after is None else before + after
        case Aim.STILL:
            value = (numbers["moved_bytes"] or 0) - (numbers["useful_bytes"] or 0)
        case Aim.SHARE:
            share = numbers["mean_heat_fast_percent"]
            value = None if share is None else -share
    return math.inf if value is None else value
