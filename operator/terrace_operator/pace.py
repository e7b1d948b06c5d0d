"""When a policy's status may be written: what decisions wait for at once, totals once a minute. Pure.

Before: `rollup`. After: `status_writer` writes what is due, and `reconcile` sleeps until the rest is.
"""

from dataclasses import replace

from terrace_api.policy_status import TieringPolicyStatus
from terrace_operator.statuses import remembers

CHANGES_S = 1.0
"""Least time between two writes of one status. A rollout over thousands of nodes changes counts continuously."""
TOTALS_S = 60.0
"""Least time between two writes if nothing but moved bytes changed; metrics carry those in between."""


def due_at(before: TieringPolicyStatus | None, after: TieringPolicyStatus, last_write_s: float | None) -> float | None:
    """Returns from which time on `after` may be written, or None if it says nothing new.

    Args:
        before: what is written there now.
        after: what should be.
        last_write_s: monotonic time of the last write of this policy's status by this process.
    """
    if before is not None and _ordered(before) == _ordered(after):
        return None
    if last_write_s is None or remembers(before) != remembers(after):
        return 0.0
    only_totals = before is not None and _without_totals(before) == _without_totals(after)
    return last_write_s + (TOTALS_S if only_totals else CHANGES_S)


def _ordered(status: TieringPolicyStatus) -> TieringPolicyStatus:
    """The API server keeps conditions as a map: their order means nothing."""
    return replace(status, conditions=tuple(sorted(status.conditions, key=lambda condition: condition.type)))


def _without_totals(status: TieringPolicyStatus) -> TieringPolicyStatus:
    return replace(_ordered(status), promoted_bytes=0, promoted="", demoted_bytes=0, demoted="")
