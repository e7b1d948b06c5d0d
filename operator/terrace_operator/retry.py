"""When a write that failed may be tried again. Pure; the time comes in as an argument."""

from dataclasses import dataclass

from terrace_api.backoff import backoff_s

_FIRST_S, _MOST_S = 1.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A write that failed `times` in a row.

    Attributes:
        wanted: what it was to bring about; a write for the same object that is to bring about something else is not
            held back.
    """

    wanted: object
    times: int
    not_before_s: float


def after_failure(wanted: object, before: Failed | None, now_s: float) -> Failed:
    """Returns the state after one more failure: each wait is twice as long as the one before, up to a minute."""
    times = before.times + 1 if before is not None and before.wanted == wanted else 1
    return Failed(wanted=wanted, times=times, not_before_s=now_s + backoff_s(times, first_s=_FIRST_S, most_s=_MOST_S))


def may_try(wanted: object, before: Failed | None, now_s: float) -> bool:
    """Returns whether a write that is to bring that about may be tried now."""
    return before is None or before.wanted != wanted or before.not_before_s <= now_s
