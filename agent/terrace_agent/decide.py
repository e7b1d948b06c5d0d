"""What this turn of the loop is about, from the settings and what is there. Pure.

Before: `cluster` or a file (settings), `topology`, `ladder` (the engine). After: `cycle` acts on the intent,
`conditions` says it.
"""

from enum import StrEnum

from terrace_agent.topology.values import Topology
from terrace_api.node_tiering import Action, EngineName, NodeTieringSpec
from terrace_api.policy import Mode


class Intent(StrEnum):
    """What to do with the node now."""

    WAIT = "Wait"
    """No settings were ever seen: touch nothing."""
    RESTORE = "Restore"
    """Leave the node as it was found."""
    SINGLE_TIER = "SingleTier"
    """Nothing to tier, nothing to run."""
    UNSUPPORTED = "Unsupported"
    """No engine can run: say why. What runs goes on, unless the mode is Observe or it needs the agent."""
    OBSERVE = "Observe"
    """Move nothing, say what would be done."""
    ENFORCE = "Enforce"
    """Move memory."""


class Outcome(StrEnum):
    """What a turn did to what is in force."""

    UNCHANGED = "Unchanged"
    """Nothing, or not all that it had to do."""
    IN_FORCE = "InForce"
    """What the settings ask is in force now."""
    STOPPED = "Stopped"
    """Nothing of ours is in force any more."""


def decide(spec: NodeTieringSpec | None, topology: Topology, engine: EngineName | None) -> Intent:
    """Returns the intent; `engine` is the one that would run, None if none can.

    `Restore` wins over everything: it needs no tiers and no settings, and must work on every node.
    """
    if spec is None:
        return Intent.WAIT
    if spec.action is Action.RESTORE:
        return Intent.RESTORE
    if spec.settings is None:
        return Intent.WAIT
    if len(topology.tiers) < 2:
        return Intent.SINGLE_TIER
    if engine is None:
        return Intent.UNSUPPORTED
    return Intent.ENFORCE if spec.settings.mode is Mode.ENFORCE else Intent.OBSERVE
