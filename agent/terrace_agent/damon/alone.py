"""Whether anybody else uses DAMON on this node. Pure.

Before: `surroundings`. After: `plan`: one tree has many users, and what is not ours is never touched.
"""

from terrace_agent.damon.ownership import owner_of
from terrace_agent.damon.read import ObservedKdamond
from terrace_agent.damon.surroundings import Observed
from terrace_agent.errors import EngineUnavailable
from terrace_agent.journal import OwnedKdamond


def check_alone(observed: Observed, owned: tuple[OwnedKdamond, ...]) -> None:
    """Checks that nobody else uses DAMON here.

    Raises:
        EngineUnavailable: says who does.
    """
    foreign = [kdamond for kdamond in observed.kdamonds if owner_of(kdamond, owned) is None]
    if foreign:
        raise EngineUnavailable(
            reason="ForeignKdamonds",
            message=(
                f"Somebody else uses DAMON on this node: {'; '.join(map(_name, foreign))}. It was left alone. Terrace "
                "starts when it is stopped and nr_kdamonds is 0."
            ),
        )
    if observed.exclusive:
        raise EngineUnavailable(
            reason="ExclusiveModule",
            message=(
                f"{', '.join(observed.exclusive)} is enabled and tolerates no other user of DAMON. Terrace starts when "
                f"N is stored in /sys/module/{observed.exclusive[0]}/parameters/enabled."
            ),
        )


def _name(kdamond: ObservedKdamond) -> str:
    name = f"kdamond {kdamond.index}"
    contexts = kdamond.tree.contexts if kdamond.tree else ()
    actions = ", ".join(scheme.action for context in contexts for scheme in context.schemes) or "none"
    what = f"{contexts[0].operations}, schemes: {actions}" if contexts else "content unknown" if kdamond.on else "empty"
    return f"{name} (pid {kdamond.pid}, {what}) runs" if kdamond.on else f"{name} ({what}) is staged"
