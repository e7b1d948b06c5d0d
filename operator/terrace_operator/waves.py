"""How many nodes may take a revision, and which. Pure.

    canary | wave | wave | ...      each is filled up, settles and bakes before the next one begins

Which wave a rollout is in follows from how many nodes were told the revision; nothing else has to be remembered.

Before: `progress` counts who was told. After: `rollout` gives the revision to those that are taken here.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Self

from terrace_api.policy import Rollout
from terrace_operator.member import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A policy's limits in nodes.

    Attributes:
        wave: nodes that may be updating at the same time, and the size of each wave after the canary.
    """

    canary: int
    wave: int
    _rollout: Rollout

    @classmethod
    def of(cls, rollout: Rollout, nodes: int) -> Self:
        """Returns the limits for a policy with so many nodes."""
        return cls(
            canary=min(rollout.canary.of(nodes), max(nodes, 1)), wave=rollout.max_updating.of(nodes), _rollout=rollout
        )

    def failures(self, told: int) -> int:
        """Returns how many of the nodes that were told a revision stop its rollout: at the latest all of them."""
        base = max(told, self.canary)
        return min(base, self._rollout.failure_threshold.of(base))

    def room(self, told: int) -> int:
        """Returns how many nodes are missing in the current wave when so many were told in all; 0 if it is full."""
        if told <= self.canary:
            return self.canary - told
        return -(told - self.canary) % self.wave


def take(candidates: Iterable[Member], *, room: int, slots: int, of: Container[str]) -> tuple[tuple[Member, ...], int]:
    """Returns the first candidates that may go, and the slots that are left.

    Args:
        candidates: the best first.
        room: how many may go at most.
        slots: how many more nodes may begin to update.
        of: names of nodes that have a slot already: to tell them something else makes no more nodes update.
    """
    taken: list[Member] = []
    for member in candidates:
        if len(taken) >= room:
            break
        if member.name not in of:
            if slots <= 0:
                continue
            slots -= 1
        taken.append(member)
    return tuple(taken), slots
