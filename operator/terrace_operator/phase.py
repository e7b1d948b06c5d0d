"""Where a policy's rollout is and what follows from it, as values. Pure.

Before: `rollout` decides them. After: `decide` gives each node its spec, `verdict` says the phase, `statuses` has
recorded what is to be remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from terrace_api.node_tiering import NodeTieringSpec
from terrace_api.policy_status import Stopped, Wave
from terrace_operator.progress import Goal

Specs = dict[str, NodeTieringSpec]
"""What each member is to have now, by the node's name."""


class Phase(StrEnum):
    """Where a rollout is; the values are reasons of conditions."""

    SETTLED = "Settled"
    CANARY = "Canary"
    UPDATING = "NodesUpdating"
    BAKING = "Baking"
    JOINING = "NodesJoining"
    """The revision is good, and nodes that do not have it get it."""
    PAUSED = "Paused"
    STOPPED = "RolloutStopped"
    """It failed, and nodes keep what they have."""
    ROLLED_BACK = "RolledBack"
    """It failed, and nodes get what was good before."""


class Lasting(StrEnum):
    """What must be so for a while before something follows from it."""

    WELL = "Well"
    """Everybody who was told the revision is well: after the bake it is believed."""
    FAILING = "Failing"
    """Too many failed: an agent tries again, so that this may pass by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Since when something has been so, by the monotonic clock of this process.

    Attributes:
        at_s: by `Goal.key` and what has been so.
    """

    now_s: float
    at_s: Mapping[tuple[str, str, Lasting], float]

    def begin(self, goal: Goal, lasting: Lasting) -> float:
        """Returns since when it has been so; a time that is not known yet is now."""
        return self.at_s.get((*goal.key, lasting), self.now_s)

    def knows(self, goal: Goal, lasting: Lasting) -> bool:
        """Returns whether it was so at the last look already."""
        return (*goal.key, lasting) in self.at_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What follows for one policy.

    Attributes:
        message: the phase in words.
        lasting: what has been so since when, for the next look.
        due_s: when that has lasted long enough; None if nothing waits for it.
        wave: which wave it is in, which is to be recorded.
        good: the revision has proved itself, which is to be recorded.
        failed: the rollout has just failed, which is to be recorded.
        recovered: a failure that was recorded is over, although the policy was not edited.
    """

    phase: Phase
    message: str
    specs: Specs
    lasting: tuple[Lasting, float] | None = None
    due_s: float | None = None
    wave: Wave | None = None
    good: bool = False
    failed: Stopped | None = None
    recovered: bool = False
