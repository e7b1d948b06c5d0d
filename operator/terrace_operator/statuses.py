"""The status that every policy should have. Pure; the time comes in as an argument.

Before: `decide`. After: `reconcile` writes those that differ and are due.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from terrace_api.policy import TieringPolicyStatus
from terrace_operator.compile import revision, settings_of
from terrace_operator.decide import Decision
from terrace_operator.fleet import Policies, Tiering
from terrace_operator.rollup import roll_up
from terrace_operator.tally import tally


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWrite:
    """One policy's status as it should be, beside what is there."""

    name: str
    uid: str
    before: TieringPolicyStatus | None
    after: TieringPolicyStatus


def policy_statuses(
    policies: Policies, decisions: Iterable[Decision], tierings: Mapping[str, Tiering], now: str
) -> tuple[StatusWrite, ...]:
    """Returns each policy's status; those that say nothing new are among them."""
    tallies = tally((policy.name for policy in policies.all), decisions, tierings)
    revisions = {policy.uid: revision(settings_of(policy.spec)) for policy in policies.valid}
    problems = {policy.uid: policy.problems for policy in policies.invalid}
    return tuple(
        StatusWrite(
            name=policy.name,
            uid=policy.uid,
            before=(before := policies.statuses.get(policy.uid)),
            after=roll_up(
                tallies[policy.name],
                generation=policy.generation,
                revision=revisions.get(policy.uid, ""),
                problems=problems.get(policy.uid, ()),
                before=before,
                now=now,
            ),
        )
        for policy in policies.all
    )
