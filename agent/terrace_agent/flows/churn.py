"""Whether promotion and demotion only undo each other. Pure.

A page that is promoted should stay hot. When the hot set is larger than the fast tier, or thresholds sit between two
halves of it, every promotion makes demotion push out what was promoted a while ago, at the full quota and for ever:
then moving less is better. The kernel does not say which page came back, but over a while totals do: promotion that is
of use runs out of things to move, churn does not.

Before: totals of what arrived. After: a cooldown, and the condition `GuardrailTripped`.
"""

from dataclasses import dataclass
from itertools import pairwise

from terrace_agent.flows.limits import BP
from terrace_api.units import display_bytes

WINDOW_S = 300.0
"""As long as a window is: a changed hot set of a usual node has been moved by then."""

_STEP_S = 10.0
_SETTLING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look.

    Attributes:
        at_s: seconds since boot.
        promoted_bytes: arrived so far.
        demoted_bytes: likewise.
        fast_bytes: memory of the fast tier.
        keeps_floor: whether all of the fast tier's floor is free: then demotion only makes up for promotion, else
            somebody who allocates needs the room.
    """

    at_s: float
    promoted_bytes: int
    demoted_bytes: int
    fast_bytes: int
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
    """Returns the history with `sample`: at most one each ten seconds, the oldest of them a window old or older.

    Totals that shrank begin a new one.
    """
    if history and sample.moved_bytes < history[-1].moved_bytes:
        return (sample,)
    if history and sample.at_s - history[-1].at_s < _STEP_S:
        return history
    older = tuple(one for one in history if sample.at_s - one.at_s >= WINDOW_S)
    return (*older[-1:], *history[len(older) :], sample)


def judge(history: tuple[Sample, ...], *, churn_max_bp: int, cooldown_us: int) -> Churn | None:
    """Returns that promotion and demotion undo each other; None if they do not, or if that cannot be told yet.

    Exchanged is what moved both ways while the fast tier kept its floor. It is churn when a whole window of it is
    more than `churn_max_bp` of the fast tier and the second half moved at least half as much as the first: a placement
    that is getting somewhere slows down.
    """
    if not history or history[-1].at_s - history[0].at_s < WINDOW_S:
        return None
    middle_s = (history[0].at_s + history[-1].at_s) / 2
    first = _exchanged(tuple(one for one in history if one.at_s <= middle_s))
    second = _exchanged(tuple(one for one in history if one.at_s >= middle_s))
    exchanged, fast = first + second, history[-1].fast_bytes
    if exchanged * BP <= churn_max_bp * fast or second * _SETTLING < first:
        return None
    return Churn(
        exchanged_bytes=exchanged,
        message=(
            f"{display_bytes(exchanged)} went up and as much came down in {WINDOW_S / 60:.0f} minutes, on a fast tier "
            f"of {display_bytes(fast)}: promotion and demotion undo each other. A longer demotion.minAge, more "
            "promotion.minAccesses, or a fast tier that holds the hot set ends that."
        ),
        until_s=history[-1].at_s + cooldown_us / 1e6,
    )


def _exchanged(samples: tuple[Sample, ...]) -> int:
    steps = [(one, two) for one, two in pairwise(samples) if one.keeps_floor]
    up = sum(two.promoted_bytes - one.promoted_bytes for one, two in steps)
    down = sum(two.demoted_bytes - one.demoted_bytes for one, two in steps)
    return min(up, down)
