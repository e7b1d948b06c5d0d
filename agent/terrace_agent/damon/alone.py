"""Whether anybody else uses DAMON on this node. Pure.

Before: `surroundings`. After: `plan`: one tree has many users, and what is not ours is never touched.
"""

from collections.abc import Iterable

from terrace_agent.damon.ownership import owner_of
from terrace_agent.damon.read import ObservedKdamond
from terrace_agent.damon.stores import NR_KDAMONDS, state_path
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
                f"starts when it is stopped and nr_kdamonds is 0; by hand: {_stop(observed.kdamonds)}"
            ),
        )
    if observed.exclusive:
        raise EngineUnavailable(
            reason="ExclusiveModule",
            message=(
                f"{', '.join(observed.exclusive)} is enabled and tolerates no other user of DAMON. To switch it off: "
                + "; ".join(f"echo N > /sys/module/{module}/parameters/enabled" for module in observed.exclusive)
            ),
        )


def _stop(kdamonds: Iterable[ObservedKdamond]) -> str:
    """Returns the commands that end all of them: the number takes no store while any is on, one of ours included."""
    offs = [f"echo off > {state_path(kdamond.index)}" for kdamond in kdamonds if kdamond.on]
    return "; ".join([*offs, f"echo 0 > {NR_KDAMONDS}"])


def _name(kdamond: ObservedKdamond) -> str:
    name = f"kdamond {kdamond.index}"
    contexts = kdamond.tree.contexts if kdamond.tree else ()
    actions = ", ".join(scheme.action for context in contexts for scheme in context.schemes) or "none"
    what = f"{contexts[0].operations}, schemes: {actions}" if contexts else "content unknown" if kdamond.on else "empty"
    return f"{name} (pid {kdamond.pid}, {what}) runs" if kdamond.on else f"{name} ({what}) is staged"
