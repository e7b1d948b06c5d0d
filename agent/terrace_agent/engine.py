"""What an engine is: the protocol between the loop and whatever moves pages, and the values that cross it.

Before: `topology` and the settings of a NodeTiering. After: `report`, which makes status out of these values. An
engine's own files are known in its own folder only.

One turn of the loop::

    capability = engine.probe()
    plan = engine.plan(settings, topology, movable)          # mode Enforce; nothing is stored, the plan says why
    plan = engine.plan_observe(settings, topology, movable)  # mode Observe: watches, and says what Enforce would do
    plan = engine.plan_stop()                                # Restore
    engine.apply(plan)                                       # an empty plan does nothing
    moved = engine.verify()                                  # what really changed nid
"""

import math
from dataclasses import dataclass
from typing import Protocol

from terrace_agent.errors import EngineUnavailable
from terrace_agent.steps import CoolDown, End, Restore, Step, Store, store_of
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.problem import Problem
from terrace_agent.workloads.values import EVERYTHING, Movable
from terrace_api.node_tiering import Effective, EngineCapability, EngineName, Kdamond, Levels
from terrace_api.policy import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripped:
    """One guardrail of the policy that is hit now.

    Attributes:
        reason: CamelCase, for conditions.
        message: what happened, what is done about it, what a person can do.
    """

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has to be done, in order, and why. Nothing to do: no steps.

    Attributes:
        reason: one sentence for logs and conditions.
        words: what the planned configuration does, one line per source nid and direction, for people.
        effective: the numbers behind it; None when the plan is to stop.
        tripped: guardrails that are hit now.
        levels: how much memory is on the wrong tier, where that is watched.
        no_levels: where it is to be watched and there are none (yet), why, for people; empty otherwise.
        problem: why not every pod that should be tiered is, where that is the engine's doing.
        recheck_s: look again after this many seconds; short while the kernel is still tuning its intervals.
    """

    steps: tuple[Step, ...]
    reason: str
    words: tuple[str, ...] = ()
    effective: Effective | None = None
    tripped: tuple[Tripped, ...] = ()
    levels: Levels | None = None
    no_levels: str = ""
    problem: Problem | None = None
    recheck_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What an engine runs now, and what arrived in this boot; never what was only tried.

    Attributes:
        kdamonds: those of ours that are on; their counters begin at their own start.
        promoted_bytes: over restarts of the agent and of kdamonds, of this boot.
        demoted_bytes: likewise.
        notes: what a person should know about what is running, for example a kdamond that died.
        runs: the engine, if anything of it is in force beside kdamonds.
    """

    kdamonds: tuple[Kdamond, ...]
    promoted_bytes: int
    demoted_bytes: int
    notes: tuple[str, ...] = ()
    runs: EngineName | None = None


class Engine(Protocol):
    """One way to move pages."""

    @property
    def name(self) -> EngineName:
        """The engine's name in the API."""

    @property
    def goes_on_alone(self) -> bool:
        """Whether what is in force of it does what it is for without the agent, so that it may while it cannot run."""

    def probe(self) -> EngineCapability:
        """Returns whether this node can run the engine now; if not, why and what would help. Leaves all as it was."""

    def plan(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        """Returns what makes this node do to what is `movable` what `settings` ask.

        Changes nothing; idempotent once applied.

        Raises:
            SettingsRejected: they cannot be meant for this node.
            EngineUnavailable: this kernel cannot, or somebody else is in the way. What runs of the engine goes on.
            EngineMustStop: likewise, and it may not.
        """

    def plan_observe(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        """Returns what makes this node watch as `settings` ask and move nothing; see `plan` for what it raises.

        `Plan.words` and `Plan.effective` are what mode Enforce would do, `Plan.levels` what was seen so far.
        """

    def plan_stop(self) -> Plan:
        """Returns what leaves the node as it was found. Stores nothing; empty if there is nothing of ours.

        Never touches what is not ours, and needs no `Topology`.
        """

    def apply(self, plan: Plan) -> None:
        """Does the steps of `plan`; after SIGKILL anywhere in between, planning anew completes or undoes them.

        Raises:
            StoreRefused: the kernel refused a store, and went on refusing where a retry makes sense.
            HostFileMissing: a file vanished.
            KdamondDied: a kdamond is off before or after a command that leaves it on.
            KdamondStays: a kdamond is on after it was switched off.
        """

    def verify(self) -> Moved:
        """Returns what arrived, never what was only tried. Call it at least as often as `Plan.recheck_s` says."""


def levels_wait(after_s: float) -> str:
    """Returns when levels are known, for people; the same at each look, so that no status is written for it."""
    return f"Levels are known once this node has been watched for about {math.ceil(after_s)}s."


def unavailable(name: EngineName, error: EngineUnavailable) -> EngineCapability:
    """Returns what an engine says of itself that cannot run."""
    return EngineCapability(name=name, available=False, reason=error.reason, message=error.message)


def is_values_only(plan: Plan) -> bool:
    """Returns whether what has to be stopped are settings of the kernel: they stay, like an administrator's own."""
    return all(isinstance(step, Restore | End | CoolDown) for step in plan.steps)


def stores(plan: Plan) -> tuple[Store, ...]:
    """Returns the stores that `apply` would make, in order, as `terrace-agent plan FILE` prints them."""
    return tuple(store for step in plan.steps if (store := store_of(step)))
