"""A condition without the bookkeeping of times and generations. Pure.

Before: `conditions` and `alarms` judge. After: `conditions` makes conditions of all verdicts.
"""

from dataclasses import dataclass

from terrace_api.conditions import ConditionStatus


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer, with its reason."""

    status: ConditionStatus
    reason: str
    message: str


def true(reason: str, message: str) -> Verdict:
    """Returns that it holds."""
    return Verdict(ConditionStatus.TRUE, reason, message)


def false(reason: str, message: str) -> Verdict:
    """Returns that it does not."""
    return Verdict(ConditionStatus.FALSE, reason, message)


def unknown(reason: str, message: str) -> Verdict:
    """Returns that it cannot be said."""
    return Verdict(ConditionStatus.UNKNOWN, reason, message)
