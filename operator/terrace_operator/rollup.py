"""The status of a policy: where it stands over all its nodes. Pure; the time comes in as an argument.

Before: `tally`, `verdict`, `problems`. After: `pace` says when the status is written.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from terrace_api.conditions import Condition, carry_transitions
from terrace_api.node_tiering import EngineName
from terrace_api.policy_status import LastGood, Stopped, TieringPolicyStatus, Wave
from terrace_api.units import display_bytes
from terrace_operator.phase import Rollout
from terrace_operator.problems import node_problems
from terrace_operator.standing import Standing, State
from terrace_operator.tally import Tally
from terrace_operator.verdict import NotInForce, verdicts

_MESSAGE_CHARS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one look came to for one policy.

    Attributes:
        generation: of the policy.
        revision: the current one; empty if the policy cannot be read.
        rollout: None for a policy that is not in force.
        good: what is to be recorded as the last good revision.
        wave: what is to be recorded as the wave that the rollout is in.
        stopped: what is to be recorded as the rollout that failed last.
    """

    generation: int
    revision: str
    tally: Tally
    rollout: Rollout | None
    not_in_force: NotInForce | None
    good: LastGood | None
    wave: Wave | None
    stopped: Stopped | None


def roll_up(outcome: Outcome, *, before: TieringPolicyStatus | None, now: str) -> TieringPolicyStatus:
    """Returns the status of a policy, with transition times carried over from `before`.

    Columns such as `3/5` are out of the nodes that speak and can run an engine or need none: a policy is ready when
    both numbers are equal, and the nodes that were left out are in `unsupported_nodes` and `silent_nodes`. What
    moved is what the nodes say of their whole boot, whichever policy they followed at the time.
    """
    tally = outcome.tally
    followers = tally.followers
    unsupported, silent = len(tally.among(State.UNSUPPORTED)), len(tally.among(State.SILENT))
    counted = len(followers) - unsupported - silent
    updated = sum(standing.updated for standing in followers)
    ready = len(tally.among(State.READY))
    promoted = sum(standing.report.promoted_bytes for standing in followers if standing.report)
    demoted = sum(standing.report.demoted_bytes for standing in followers if standing.report)
    return TieringPolicyStatus(
        observed_generation=outcome.generation,
        revision=outcome.revision,
        nodes=len(followers),
        updated_nodes=updated,
        updated=f"{updated}/{counted}",
        ready_nodes=ready,
        ready=f"{ready}/{counted}",
        unsupported_nodes=unsupported,
        degraded_nodes=len(tally.among(State.DEGRADED)),
        conflicted_nodes=tally.lost_nodes,
        silent_nodes=silent,
        promoted_bytes=promoted,
        promoted=display_bytes(promoted),
        demoted_bytes=demoted,
        demoted=display_bytes(demoted),
        engines=_engines(followers),
        problems=node_problems(followers),
        conditions=_conditions(outcome, before, now),
        last_good=outcome.good,
        wave=outcome.wave,
        stopped=outcome.stopped,
    )


def _engines(followers: Iterable[Standing]) -> str:
    """Returns how many nodes run which engine, such as `damon=3`; nodes without one are not listed."""
    count = Counter(standing.report.engine for standing in followers if standing.report and standing.updated)
    return ",".join(f"{engine.value}={count[engine]}" for engine in sorted(count) if engine is not EngineName.NONE)


def _conditions(outcome: Outcome, before: TieringPolicyStatus | None, now: str) -> tuple[Condition, ...]:
    found = tuple(
        Condition(
            type=verdict.type,
            status=verdict.status,
            reason=verdict.reason,
            message=verdict.message[:_MESSAGE_CHARS],
            last_transition_time=now,
            observed_generation=outcome.generation,
        )
        for verdict in verdicts(outcome.tally, outcome.rollout, outcome.not_in_force)
    )
    return carry_transitions(before.conditions if before else (), found)
