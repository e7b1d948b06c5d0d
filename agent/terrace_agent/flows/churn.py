"""Whether promotion and demotion only undo each other. Pure.

A page that is promoted should stay hot. When the hot set is larger than the fast tier, or thresholds sit between two
halves of it, every promotion makes demotion push out what was promoted a while ago, at the full quota and for ever:
then moving less is better. The kernel does not say which page came back, but over a while totals do: promotion that is
of use runs out of things to move, churn does not.

Before: totals of what arrived. After: a cooldown, and the condition `GuardrailTripped`.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise

from terrace_agent.flows.limits import BP
from terrace_api.units import display_bytes

WINDOW_S = 300.0
"""As long as a window is at least: what changed on a small node has been moved by then."""
LONGEST_S = 3_600.0
"""At most. By the default quota it takes 2,000 s to exchange a fast nid of 200 GiB to 2 TiB (`limits`)."""

_STEP_S = 10.0
_SETTLING = 2
_NEARLY = 1.5
"""How much longer than by the quota it may take: what moves at a fraction of it is a load that changes now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look.

    Attributes:
        at_s: seconds since boot.
        promoted_bytes: arrived so far.
        demoted_bytes: likewise.
        fast_bytes: memory of the fast tier.
        bytes_per_second: what the quota lets each direction move.
        keeps_floor: whether all of the fast tier's floor is free: then demotion only makes up for promotion, else
            somebody who allocates needs the room.
    """

    at_s: float
    promoted_bytes: int
    demoted_bytes: int
    fast_bytes: int
    bytes_per_second: int
    keeps_floor: bool

    @property
    def moved_bytes(self) -> int:
        """Both ways."""
        return self.promoted_bytes + self.demoted_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Churn:
    """Too much was exchanged.

    Attributes:
        until_s: seconds since boot; nothing should move until then.
    """

    exchanged_bytes: int
    message: str
    until_s: float


def remember(history: tuple[Sample, ...], sample: Sample) -> tuple[Sample, ...]:
    """Returns the history with `sample`: at most one each ten seconds, of `LONGEST_S`, the oldest that old or older.

    Totals that shrank begin a new one.
    """
    if history and sample.moved_bytes < history[-1].moved_bytes:
        return (sample,)
    if history and sample.at_s - history[-1].at_s < _STEP_S:
        return history
    older = tuple(one for one in history if sample.at_s - one.at_s >= LONGEST_S)
    return (*older[-1:], *history[len(older) :], sample)


def judge(history: tuple[Sample, ...], *, churn_max_bp: int, cooldown_us: int) -> Churn | None:
    """Returns that promotion and demotion undo each other; None if they do not, or if that cannot be told yet.

    Exchanged is what moved both ways while the fast tier kept its floor. It is churn when more than `churn_max_bp` of
    the fast tier was, at nearly the rate of the quota or within `WINDOW_S`, and the second half of the time moved at
    least half as much as the first: a placement that is getting somewhere slows down.
    """
    if not history:
        return None
    exchanged, fast, now_s = _Exchanged(history), history[-1].fast_bytes, history[-1].at_s
    oldest = max(0, bisect_right(exchanged.at_s, now_s - _longest_s(history[-1], churn_max_bp)) - 1)
    if exchanged.between(oldest, len(history) - 1) * BP <= churn_max_bp * fast:
        return None
    for begin in reversed(range(oldest, bisect_right(exchanged.at_s, now_s - WINDOW_S))):
        first, second = exchanged.halves(begin)
        if (first + second) * BP > churn_max_bp * fast:
            if second * _SETTLING < first:
                return None
            return _churn(first + second, fast, now_s - history[begin].at_s, until_s=now_s + cooldown_us / 1e6)
    return None


def _longest_s(now: Sample, churn_max_bp: int) -> float:
    by_quota_s = now.fast_bytes * churn_max_bp / BP / max(1, now.bytes_per_second)
    return min(LONGEST_S, max(WINDOW_S, _NEARLY * by_quota_s))


def _churn(exchanged: int, fast: int, seconds: float, *, until_s: float) -> Churn:
    return Churn(
        exchanged_bytes=exchanged,
        message=(
            f"{display_bytes(exchanged)} went up and as much came down in {seconds / 60:.0f} minutes, on a fast tier "
            f"of {display_bytes(fast)}: promotion and demotion undo each other. A longer demotion.minAge, more "
            "promotion.minAccesses, or a fast tier that holds the hot set ends that."
        ),
        until_s=until_s,
    )


class _Exchanged:
    """Sums over a history.

    Attributes:
        at_s: when each look was.
    """

    def __init__(self, history: tuple[Sample, ...]) -> None:
        self.at_s = [one.at_s for one in history]
        steps = [(one, two) if one.keeps_floor else (one, one) for one, two in pairwise(history)]
        self._up = [*accumulate((two.promoted_bytes - one.promoted_bytes for one, two in steps), initial=0)]
        self._down = [*accumulate((two.demoted_bytes - one.demoted_bytes for one, two in steps), initial=0)]

    def between(self, begin: int, end: int) -> int:
        """Returns what moved both ways from one look to another, by their numbers."""
        return min(self._up[end] - self._up[begin], self._down[end] - self._down[begin])

    def halves(self, begin: int) -> tuple[int, int]:
        """Returns what moved both ways in the first half of the time since a look, and in the second."""
        middle_s = (self.at_s[begin] + self.at_s[-1]) / 2
        first = self.between(begin, bisect_right(self.at_s, middle_s) - 1)
        return first, self.between(bisect_left(self.at_s, middle_s), len(self.at_s) - 1)
