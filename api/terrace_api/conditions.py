"""`metav1.Condition` as a value. Pure: the time of a transition comes in as an argument."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class ConditionStatus(StrEnum):
    """The three answers of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of an object.

    Attributes:
        reason: CamelCase, for programs.
        message: what a person can act on.
        last_transition_time: RFC 3339 in UTC; when `status` last changed.
        observed_generation: the `metadata.generation` that was looked at.
    """

    type: str
    status: ConditionStatus
    reason: str
    message: str
    last_transition_time: str
    observed_generation: int


def carry_transitions(before: Iterable[Condition], now: Iterable[Condition]) -> tuple[Condition, ...]:
    """Returns `now` with the transition times of `before` wherever the status did not change."""
    known = {condition.type: condition for condition in before}
    return tuple(
        replace(condition, last_transition_time=old.last_transition_time)
        if (old := known.get(condition.type)) and old.status == condition.status
        else condition
        for condition in now
    )
