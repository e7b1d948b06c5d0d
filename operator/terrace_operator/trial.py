"""When a policy that is only a trial ends. Pure; the time comes in as an argument.

Before: `fleet`. After: `assign` leaves out the policies whose trial is over; `reconcile` wakes when the next one is.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from terrace_api.policy import TieringPolicy


def ends_at(policy: TieringPolicy) -> datetime | None:
    """Returns when the policy stops selecting nodes; None for one that is no trial."""
    if policy.spec.trial is None:
        return None
    return datetime.fromisoformat(policy.created) + timedelta(microseconds=policy.spec.trial.duration.us)


def is_over(policy: TieringPolicy, now: datetime) -> bool:
    """Returns whether the policy was a trial and has ended."""
    end = ends_at(policy)
    return end is not None and end <= now


def next_end(policies: Iterable[TieringPolicy], now: datetime) -> datetime | None:
    """Returns when the next of the trials that still run ends."""
    return min((end for policy in policies if (end := ends_at(policy)) is not None and end > now), default=None)
