"""How many nodes may take a revision, and which. Pure.

    canary | wave | wave | ...      each is filled up, settles and bakes before the next one begins

Which wave a rollout is in is recorded in the policy's status, before the first node of that wave is told: it does not
follow from how many were told, for where limits are shares, nodes that come and go change them. The canary is what it
is by the nodes that there are.

Before: `progress` counts who was told. After: `rollout` gives the revision to those that are taken here.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Self

from terrace_api.policy import Rollout
from terrace_api.policy_status import Wave
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

    def room(self, told: int, wave: Wave | None) -> int:
        """Returns how many more may be told before a bake when so many were: to fill up that wave, or the canary."""
        return max((wave.nodes if wave else self.canary) - told, 0)


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
