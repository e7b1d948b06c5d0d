"""The status that every policy should have. Pure; the time comes in as an argument.

Before: `decide`. After: `reconcile` writes those that differ and are due.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from terrace_api.policy import TieringPolicy
from terrace_api.policy_status import LastGood, Stopped, TieringPolicyStatus, Wave
from terrace_operator.compile import revision, settings_of
from terrace_operator.fleet import InvalidPolicy, Policies
from terrace_operator.phase import Rollout
from terrace_operator.rollup import Outcome, roll_up
from terrace_operator.tally import Tally
from terrace_operator.trial import ends_at
from terrace_operator.verdict import NotInForce, invalid, trial_ended


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWrite:
    """One policy's status as it should be, beside what is there."""

    name: str
    uid: str
    before: TieringPolicyStatus | None
    after: TieringPolicyStatus

    @property
    def wanted(self) -> tuple[object, ...]:
        """What may not wait: the answer to an edit, and what is to be remembered. Counts and times change all along."""
        return self.uid, self.after.observed_generation, remembers(self.after)


def remembers(status: TieringPolicyStatus | None) -> tuple[LastGood | None, Wave | None, Stopped | None]:
    """Returns what the next decisions are made from."""
    return (status.last_good, status.wave, status.stopped) if status else (None, None, None)


def policy_statuses(
    policies: Policies, rollouts: Mapping[str, Rollout], tallies: Mapping[str, Tally], now: datetime
) -> tuple[StatusWrite, ...]:
    """Returns each policy's status; those that say nothing new are among them."""
    said = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return tuple(
        StatusWrite(
            name=policy.name,
            uid=policy.uid,
            before=(before := policies.statuses.get(policy.uid)),
            after=roll_up(
                _outcome(policy, tallies[policy.name], rollouts.get(policy.name), before),
                before=before,
                now=said,
            ),
        )
        for policy in policies.all
    )


def _outcome(
    policy: TieringPolicy | InvalidPolicy, counted: Tally, rollout: Rollout | None, before: TieringPolicyStatus | None
) -> Outcome:
    current = "" if isinstance(policy, InvalidPolicy) else revision(settings_of(policy.spec))
    return Outcome(
        generation=policy.generation,
        revision=current,
        tally=counted,
        rollout=rollout,
        not_in_force=_not_in_force(policy) if rollout is None else None,
        good=_good(policy, current, rollout, before),
        wave=rollout.wave if rollout and not rollout.good else None,
        stopped=_stopped(current, rollout, before),
    )


def _not_in_force(policy: TieringPolicy | InvalidPolicy) -> NotInForce:
    if isinstance(policy, InvalidPolicy):
        return invalid(policy.problems)
    end = ends_at(policy)
    return trial_ended(f"{end:%Y-%m-%dT%H:%M:%SZ}" if end else "")


def _good(
    policy: TieringPolicy | InvalidPolicy, current: str, rollout: Rollout | None, before: TieringPolicyStatus | None
) -> LastGood | None:
    if isinstance(policy, TieringPolicy) and rollout is not None and rollout.good:
        return LastGood(revision=current, settings=settings_of(policy.spec))
    return before.last_good if before else None


def _stopped(current: str, rollout: Rollout | None, before: TieringPolicyStatus | None) -> Stopped | None:
    """What failed is remembered until another revision is wanted, or this one has proved itself after all."""
    if rollout is not None and rollout.failed is not None:
        return rollout.failed
    known = before.stopped if before else None
    if rollout is None or known is None:
        return known
    return None if rollout.good or rollout.recovered or known.revision != current else known
