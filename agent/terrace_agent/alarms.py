"""The conditions that want a look when they are True; neither keeps a node from being ready. Pure.

Before: `situation`. After: `conditions`.
"""

from terrace_agent.decide import Intent, Outcome
from terrace_agent.situation import Situation
from terrace_agent.verdict import Verdict, false, true, unknown


def guardrail_tripped(situation: Situation) -> Verdict:
    """Returns whether a guardrail keeps memory from moving now."""
    if situation.tripped:
        return true(situation.tripped[0].reason, " ".join(one.message for one in situation.tripped))
    if situation.intent is Intent.ENFORCE and situation.outcome is Outcome.IN_FORCE:
        return false("WithinLimits", "No guardrail of the policy is hit.")
    if situation.running and (situation.intent, situation.outcome) != (Intent.OBSERVE, Outcome.IN_FORCE):
        return unknown("NotEvaluated", f"{situation.goes_on}; what the agent itself would look at is not looked at.")
    return false("NotEnforcing", "Nothing is moved that a guardrail could stop.")


def tiers_inverted(situation: Situation) -> Verdict:
    """Returns whether the policy's order of tiers contradicts the kernel's: a mistake, or better knowledge."""
    if not situation.follows_settings:
        if situation.running:
            return unknown("NotEvaluated", f"{situation.goes_on}, with the tiers that were known then.")
        return unknown("NotNeeded", "No policy is followed, so no order of tiers is.")
    if situation.against_kernel:
        return true("AgainstKernel", situation.against_kernel)
    return false("AsTheKernelOrders", "No tier is before one that the kernel takes for faster memory.")
