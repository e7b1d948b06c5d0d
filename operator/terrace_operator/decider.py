"""Decides of the whole state, time and again.

It keeps two things from one time to the next: what was assigned, because that is costly and seldom changes, and since
when things have been so, because that is in no object.

Before: `cluster` has the state. After: `reconcile` carries out what was decided.
"""

import time
from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from terrace_api.node_tiering import NodeTieringSpec
from terrace_api.policy import TieringPolicy
from terrace_operator.assign import Assignment, assign, held_specs
from terrace_operator.decide import Decided, decide
from terrace_operator.fleet import Agents, Node, Policies, Tiering
from terrace_operator.phase import Lasting, Since
from terrace_operator.progress import Goal
from terrace_operator.trial import is_over, next_end


class Seen(Protocol):
    """What is decided of, but for the policies and what is known of agents."""

    @property
    def nodes_version(self) -> int:
        """Changes when `nodes` does."""
        ...

    @property
    def nodes(self) -> Mapping[str, Node]:
        """All nodes by name."""
        ...

    @property
    def tierings(self) -> Mapping[str, Tiering]:
        """All NodeTierings by name."""
        ...


class Decider:
    """Decides, and says when to decide again although nothing changed.

    Attributes:
        due_s: monotonic times at which something that was decided may come out otherwise.
    """

    def __init__(self, seen: Seen) -> None:
        self.due_s: tuple[float, ...] = ()
        self._seen = seen
        self._assigned: tuple[object, tuple[Assignment, ...]] | None = None
        self._since_s: dict[tuple[str, str, Lasting], float] = {}

    def decide(self, policies: Policies, agents: Agents, unsure: Container[str], now: datetime) -> Decided:
        """Returns what every node shall have now; see `Member.unsure`."""
        now_s = time.monotonic()
        running = tuple(policy for policy in policies.valid if not is_over(policy, now))
        present = _distinct(tiering.spec for tiering in self._seen.tierings.values())
        goals = tuple(Goal.of(policy, policies.statuses.get(policy.uid)).shared(present) for policy in running)
        decided = decide(
            self._assign(policies, running),
            goals,
            self._seen.tierings,
            agents,
            Since(now_s=now_s, at_s=self._since_s),
            unsure=unsure,
        )
        self._since_s = decided.lasting(goals)
        end = next_end(running, now)
        ends_s = now_s + (end - now).total_seconds() if end else None
        due_s = (ends_s, *(rollout.due_s for rollout in decided.rollouts.values()))
        self.due_s = tuple(at_s for at_s in due_s if at_s is not None)
        return decided

    def forget(self) -> None:
        """Forgets since when things have been so: nobody looked meanwhile."""
        self._since_s = {}

    def _assign(self, policies: Policies, running: tuple[TieringPolicy, ...]) -> tuple[Assignment, ...]:
        """Assigns anew only if something that this depends on changed: statuses change far more often."""
        held = held_specs(policies.invalid, self._seen.tierings.values())
        basis = (running, held, self._seen.nodes_version)
        if self._assigned is None or self._assigned[0] != basis:
            self._assigned = (basis, assign(running, self._seen.nodes.values(), held))
        return self._assigned[1]


def _distinct(specs: Iterable[NodeTieringSpec | None]) -> tuple[NodeTieringSpec, ...]:
    """Returns each object once; `cluster.objects` makes one of all that say the same."""
    return tuple({id(spec): spec for spec in specs if spec is not None}.values())
