"""Which engine moves the memory: the first that this node can really run, of those that the policy allows. Pure.

Before: the engines' capabilities, in the order of preference, and `engine` of the policy. After: `cycle` plans with the
one that was chosen; one that cannot plan after all is passed over with its reason, and the next is tried.
"""

from itertools import takewhile

from terrace_agent.engine import unavailable
from terrace_agent.errors import EngineUnavailable
from terrace_api.node_tiering import EngineCapability, EngineName
from terrace_api.policy import EngineChoice

_NAMED = {
    EngineChoice.DAMON: EngineName.DAMON,
    EngineChoice.NUMA_BALANCING: EngineName.NUMA_BALANCING,
    EngineChoice.MOVE_PAGES: EngineName.MOVE_PAGES,
}

Capabilities = tuple[EngineCapability, ...]


def allows(choice: EngineChoice, name: EngineName) -> bool:
    """Returns whether a policy with this choice may be followed with that engine."""
    return _NAMED.get(choice, name) is name


def choose(choice: EngineChoice, capabilities: Capabilities) -> EngineName | None:
    """Returns the first engine that is allowed and can run; None if there is none."""
    return next((one.name for one in capabilities if one.available and allows(choice, one.name)), None)


def without(capabilities: Capabilities, name: EngineName, error: EngineUnavailable) -> Capabilities:
    """Returns the capabilities with an engine that turned out not to be able to do what is asked."""
    return tuple(unavailable(name, error) if one.name is name else one for one in capabilities)


def passed_over(choice: EngineChoice, capabilities: Capabilities, chosen: EngineName | None) -> Capabilities:
    """Returns the allowed engines that are better than the chosen one and cannot run; all that are allowed for None."""
    better = takewhile(lambda one: one.name is not chosen, capabilities)
    return tuple(one for one in better if allows(choice, one.name))


def reasons(capabilities: Capabilities) -> str:
    """Returns in words why these engines cannot run."""
    return " ".join(f"{one.name.value}: {one.message}" for one in capabilities)
