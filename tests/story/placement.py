"""Where a workload's pages are over time, and when that counts as arrived. Pure.

Before: `workload`, which reads the pod's lines. After: `demo` and the end-to-end tests, which show and judge them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ARRIVED = 0.99
"""The share of the hot set on the fast nid that counts as all of it."""
COLD_AT_MOST = 0.01
"""The share of the cold set that may move up."""
WITHIN_S = 30.0
"""The aim: from `state=on` until the hot set has arrived, on the newest kernel and a machine that does nothing else."""
BROKEN_AFTER_S = 90.0
"""What a run may take: a guest is emulated, so other load on the machine costs it multiples. More is no noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One line of the workload.

    Attributes:
        monotonic_s: the guest's CLOCK_MONOTONIC.
    """

    monotonic_s: float
    hot_fast_bytes: int
    hot_bytes: int
    cold_fast_bytes: int
    cold_bytes: int

    @property
    def hot_fast_ratio(self) -> float:
        """The share of the hot set that is on the fast nid."""
        return self.hot_fast_bytes / self.hot_bytes if self.hot_bytes else 1.0


def sample(line: str, *, fast_nid: int = 0) -> Sample:
    """Returns the sample that one line of the workload's JSON tells."""
    told: dict[str, Any] = json.loads(line)
    hot, cold = told["hot_bytes_by_nid"], told["cold_bytes_by_nid"]
    return Sample(
        monotonic_s=float(told["monotonic_s"]),
        hot_fast_bytes=hot.get(str(fast_nid), 0),
        hot_bytes=sum(hot.values()),
        cold_fast_bytes=cold.get(str(fast_nid), 0),
        cold_bytes=sum(cold.values()),
    )


def seconds_to(samples: Sequence[Sample], share: float, *, since_s: float) -> float | None:
    """Returns how long after `since_s` the hot set was first on the fast nid to `share`; None if it never was."""
    for taken in samples:
        if taken.monotonic_s >= since_s and taken.hot_fast_ratio >= share:
            return taken.monotonic_s - since_s
    return None


def cold_promoted_ratio(samples: Sequence[Sample]) -> float:
    """Returns the share of the cold set that moved up: every rise between two samples, added up."""
    if not samples or not samples[-1].cold_bytes:
        return 0.0
    pairs = itertools.pairwise(samples)
    risen = sum(max(0, after.cold_fast_bytes - before.cold_fast_bytes) for before, after in pairs)
    return risen / samples[-1].cold_bytes


def at_rest(samples: Sequence[Sample], *, for_s: float, within_bytes: int = 4 << 20) -> bool:
    """Returns whether the hot set has arrived and nothing moved any more for the last `for_s` seconds."""
    if not samples or samples[-1].hot_fast_ratio < ARRIVED:
        return False
    recent = [taken for taken in samples if taken.monotonic_s >= samples[-1].monotonic_s - for_s]
    covered = samples[-1].monotonic_s - samples[0].monotonic_s >= for_s
    cold = [taken.cold_fast_bytes for taken in recent]
    hot = [taken.hot_fast_bytes for taken in recent]
    return covered and max(cold) - min(cold) <= within_bytes and max(hot) - min(hot) <= within_bytes
