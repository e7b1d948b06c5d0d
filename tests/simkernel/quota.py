"""A scheme's quota as the kernel keeps it (`struct damos_quota`, Linux mm/damon/core.c): windows, goals, tuners."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_BP = 10_000
_MOST = 2**64 - 1
_PAGE_BYTES = 4_096
_UNMEASURED_BYTES_PER_MS = 1024 * _PAGE_BYTES
_LEAST = 1
"""What `temporal` comes to at its goal: less than a page."""

Score = Callable[[str, int, str], int]
"""The current value of a metric at a nid, in bp, and for a cgroup where it is a memcg's."""


@dataclass
class Quota:
    """One scheme's.

    Attributes:
        charged_from_ms: when the window began; None before the first.
        effective: bytes of this window; 0 is no limit.
        tuned_bp: what `consist` has come to, in 1/10,000 of a byte.
        first_unbound: see `Profile.first_window_unbound`.
    """

    charged_from_ms: int | None = None
    charged: int = 0
    effective: int = 0
    tuned_bp: int = 0
    first_unbound: bool = False

    def left(self, files: Mapping[str, str], now_ms: int, score: Score) -> int:
        """Returns how much the scheme may try now; a new window begins where it is time (`damos_adjust_quota()`)."""
        is_first = self.charged_from_ms is None
        begun = now_ms if self.charged_from_ms is None else self.charged_from_ms
        self.charged_from_ms = begun
        ends = now_ms >= begun + int(files["quotas/reset_interval_ms"])
        if ends or (is_first and not self.first_unbound):
            self.charged_from_ms, self.charged = now_ms, 0
            self.effective = _in_time(files, self._effective(files, score))
        return max(0, self.effective - self.charged) if self.effective else _MOST

    def _effective(self, files: Mapping[str, str], score: Score) -> int:
        size, found = int(files["quotas/bytes"]), _highest(files, score)
        if found is None:
            return size
        if files.get("quotas/goal_tuner") == "temporal":
            return _LEAST if found >= _BP else size or _MOST
        self.tuned_bp = _next_input(max(self.tuned_bp, _BP), found)
        return min(self.tuned_bp // _BP, size or _MOST)


def _in_time(files: Mapping[str, str], size: int) -> int:
    """Returns what a time quota leaves of `size`, before any throughput was measured (`damos_set_effective_quota()`).

    It is never less than the smallest region, whatever goals say.
    """
    ms = int(files["quotas/ms"])
    return max(_PAGE_BYTES, min(size or _MOST, ms * _UNMEASURED_BYTES_PER_MS)) if ms else size


def _highest(files: Mapping[str, str], score: Score) -> int | None:
    goals = range(int(files["quotas/goals/nr_goals"]))
    found = [
        score(
            files[f"quotas/goals/{goal}/target_metric"],
            int(files[f"quotas/goals/{goal}/nid"]),
            files.get(f"quotas/goals/{goal}/path", ""),
        )
        * _BP
        // int(files[f"quotas/goals/{goal}/target_value"])
        for goal in goals
    ]
    return max(found, default=None)


def _next_input(last: int, score: int) -> int:
    """Returns what `damon_feed_loop_next_input()` does."""
    if score >= 2 * _BP:
        return _BP
    return max(_BP, min(last + last * (_BP - score) // _BP, _MOST))
