"""What a turn of the loop came to, as its conditions are made of it. Pure.

Before: `turn` fills it in. After: `conditions` and `alarms`.
"""

from dataclasses import dataclass

from terrace_agent.decide import Intent, Outcome
from terrace_agent.engine import Tripped
from terrace_agent.errors import SettingsRejected
from terrace_agent.workloads.problem import Problem
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import EngineCapability, EngineName


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a turn of the loop came to.

    Attributes:
        intent: what following the settings came to: those that were asked, or those before if these were refused.
        refused: why what was asked cannot be followed.
        engine: the one that was chosen; None for none.
        passed_over: better engines that cannot run.
        failure: what ended the turn early.
        outcome: what was done before that.
        running: whether anything of ours runs or is set in the kernel.
        active_revision: the revision that is in force; empty for none.
        details: in words, what the configuration in force does.
        tripped: guardrails that are hit now.
        problem: why not every pod that should be tiered is.
        against_kernel: in words, where the policy's order of tiers contradicts the kernel's; empty if nowhere.
    """

    intent: Intent
    capabilities: tuple[EngineCapability, ...]
    refused: InvalidObject | SettingsRejected | None = None
    engine: EngineName | None = None
    passed_over: tuple[EngineCapability, ...] = ()
    failure: Exception | None = None
    outcome: Outcome = Outcome.UNCHANGED
    running: bool = False
    active_revision: str = ""
    details: str = ""
    tripped: tuple[Tripped, ...] = ()
    problem: Problem | None = None
    against_kernel: str = ""

    @property
    def follows_settings(self) -> bool:
        """Whether settings of a policy are followed at all."""
        return self.intent not in {Intent.WAIT, Intent.RESTORE}

    @property
    def goes_on(self) -> str:
        """In words, that what runs goes on."""
        what = f"Revision {self.active_revision}" if self.active_revision else "What Terrace runs in the kernel"
        return f"{what} goes on as it was committed, within the limits that the kernel holds"
