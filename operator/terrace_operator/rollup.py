"""The status of a policy: where it stands over all its nodes. Pure; the time comes in as an argument.

Before: `tally`, `verdict`. After: `pace` says when the status is written.
"""

from collections import Counter
from collections.abc import Iterable

from terrace_api.conditions import Condition, carry_transitions
from terrace_api.errors import Problem
from terrace_api.node_tiering import EngineName
from terrace_api.policy import TieringPolicyStatus
from terrace_api.units import display_bytes
from terrace_operator.standing import Standing, State
from terrace_operator.tally import Tally
from terrace_operator.verdict import verdicts


def roll_up(
    tally: Tally,
    *,
    generation: int,
    revision: str,
    problems: tuple[Problem, ...] = (),
    before: TieringPolicyStatus | None,
    now: str,
) -> TieringPolicyStatus:
    """Returns the status of the policy of `generation`, with transition times carried over from `before`.

    Columns such as `3/5` are out of the nodes that can run an engine or need none: a policy is ready when both
    numbers are equal, and the nodes that were left out are in `unsupported_nodes`.
    """
    followers = tally.followers
    unsupported = len(tally.among(State.UNSUPPORTED))
    counted = len(followers) - unsupported
    updated = sum(standing.updated for standing in followers)
    ready = len(tally.among(State.READY))
    promoted = sum(standing.report.promoted_bytes for standing in followers if standing.report)
    demoted = sum(standing.report.demoted_bytes for standing in followers if standing.report)
    return TieringPolicyStatus(
        observed_generation=generation,
        revision=revision,
        nodes=len(followers),
        updated_nodes=updated,
        updated=f"{updated}/{counted}",
        ready_nodes=ready,
        ready=f"{ready}/{counted}",
        unsupported_nodes=unsupported,
        degraded_nodes=len(tally.among(State.DEGRADED)),
        conflicted_nodes=tally.lost_nodes,
        promoted_bytes=promoted,
        promoted=display_bytes(promoted),
        demoted_bytes=demoted,
        demoted=display_bytes(demoted),
        engines=_engines(followers),
        conditions=_conditions(tally, generation, problems, before, now),
    )


def _engines(followers: Iterable[Standing]) -> str:
    """Returns how many nodes run which engine, such as `damon=3`; nodes without one are not listed."""
    count = Counter(standing.report.engine for standing in followers if standing.report and standing.updated)
    return ",".join(f"{engine.value}={count[engine]}" for engine in sorted(count) if engine is not EngineName.NONE)


def _conditions(
    tally: Tally, generation: int, problems: tuple[Problem, ...], before: TieringPolicyStatus | None, now: str
) -> tuple[Condition, ...]:
    found = tuple(
        Condition(
            type=verdict.type,
            status=verdict.status,
            reason=verdict.reason,
            message=verdict.message,
            last_transition_time=now,
            observed_generation=generation,
        )
        for verdict in verdicts(tally, problems)
    )
    return carry_transitions(before.conditions if before else (), found)
