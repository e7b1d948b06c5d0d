"""What a rollout says of where it is, in words. Pure.

Before: `progress` says how far it is. After: `rollout` has them in its phase.
"""

from terrace_api.policy_status import Stopped
from terrace_operator.progress import Goal, Progress
from terrace_operator.wording import nodes, some


def baking(goal: Goal, seen: Progress) -> str:
    """Returns that everybody who was told is well, and what follows when that has lasted."""
    then = f"the next of {nodes(len(seen.behind))} get it" if seen.behind else "it is good"
    return (
        f"revision {goal.target.revision} is well on {seen.told} of {nodes(seen.nodes)}; when it has been so for "
        f"{goal.policy.spec.rollout.bake}, {then}"
    )


def failed_on(goal: Goal, seen: Progress) -> str:
    """Returns where it failed."""
    failed = f"{len(seen.failed)} of the {seen.told} that were told it: {some(seen.failed)}"
    return f"revision {goal.target.revision} failed on {failed}"


def failure(goal: Goal, failed: Stopped) -> str:
    """Returns that it failed, and what follows from that: the same before it is recorded and after."""
    if not goal.rolls_back:
        return f"{failed.message}. Nodes keep what they have; edit the policy to go on"
    where = f"nodes go back to revision {goal.good.revision}" if goal.good else "no revision was good before: restored"
    return f"{failed.message}; {where}. Edit the policy to try again"
