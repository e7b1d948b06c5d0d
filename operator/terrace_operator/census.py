"""What there is to count about a fleet, for metrics. Pure.

Before: `reconcile` has the whole state. After: `metrics` gives it names. Everything is counted by something of which
there are few, never by node.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.policy_status import TieringPolicyStatus
from terrace_operator.assign import Cause
from terrace_operator.compile import RESTORE
from terrace_operator.decide import Decision
from terrace_operator.fleet import Policies, Tiering
from terrace_operator.restoration import restoration

Counts = Mapping[tuple[str, ...], int]
"""By the values of labels."""

_STATES = tuple(field.name for field in fields(TieringPolicyStatus) if field.name.endswith("_nodes"))
"""Counts of a policy's status, such as `ready_nodes`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Counts.

    Attributes:
        nodes: by why they get their spec.
        conditions: nodes by type and status of each condition.
        restoring: nodes that no policy follows and that have not said yet that they are as they were found.
        policies: by whether they can be read.
        policy_nodes: by policy and state.
        policy_conditions: 1 for the status that a condition has, else 0, by policy, type and status.
    """

    nodes: Counts
    conditions: Counts
    restoring: int
    policies: Counts
    policy_nodes: Counts
    policy_conditions: Counts


def census(policies: Policies, decisions: Iterable[Decision], tierings: Iterable[Tiering]) -> Census:
    """Returns the counts of one moment."""
    all_tierings = tuple(tierings)
    causes = Counter(decision.cause for decision in decisions)
    restoring = restoration((tiering for tiering in all_tierings if tiering.spec == RESTORE), {})
    statuses = [
        (policy.name, policies.statuses[policy.uid]) for policy in policies.all if policy.uid in policies.statuses
    ]
    return Census(
        nodes={(cause.value,): causes[cause] for cause in Cause},
        conditions=Counter(
            (condition.type, condition.status.value) for tiering in all_tierings for condition in _conditions(tiering)
        ),
        restoring=len(restoring.waiting),
        policies={("true",): len(policies.valid), ("false",): len(policies.invalid)},
        policy_nodes={
            (name, state.removesuffix("_nodes")): getattr(status, state)
            for name, status in statuses
            for state in _STATES
        },
        policy_conditions={
            (name, condition.type, possible.value): int(condition.status is possible)
            for name, status in statuses
            for condition in status.conditions
            for possible in ConditionStatus
        },
    )


def _conditions(tiering: Tiering) -> tuple[Condition, ...]:
    if tiering.report is not None:
        return tiering.report.conditions
    return (tiering.alive,) if tiering.alive else ()
