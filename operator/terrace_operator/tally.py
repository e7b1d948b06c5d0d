"""What there is to say about one policy: its followers by state, and the nodes that it selects and does not have. Pure.

Before: `decide`, `standing`. After: `rollup` makes numbers of it, `verdict` makes conditions.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from terrace_operator.assign import Cause
from terrace_operator.decide import Decision
from terrace_operator.fleet import Agent, Agents, Tiering
from terrace_operator.standing import Standing, State, stand, unheard


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One policy's nodes.

    Attributes:
        followers: one standing per node that follows the policy, in the order of names.
        lost: how many selected nodes follow which other policy.
        opted_out: how many selected nodes opted out by label.
        without_agent: how many selected nodes have no agent; they are not among the followers.
    """

    followers: tuple[Standing, ...] = ()
    lost: Mapping[str, int]
    opted_out: int = 0
    without_agent: int = 0

    def among(self, *states: State) -> tuple[Standing, ...]:
        """Returns the followers in one of these states."""
        return tuple(standing for standing in self.followers if standing.state in states)

    @property
    def lost_nodes(self) -> int:
        """How many selected nodes follow another policy."""
        return sum(self.lost.values())


def tally(
    names: Iterable[str], decisions: Iterable[Decision], tierings: Mapping[str, Tiering], agents: Agents
) -> dict[str, Tally]:
    """Returns a tally for each policy name."""
    followers: dict[str, list[Standing]] = {name: [] for name in names}
    lost: dict[str, Counter[str]] = {name: Counter() for name in followers}
    opted_out: Counter[str] = Counter()
    without_agent: Counter[str] = Counter()
    for decision in decisions:
        agent = agents.get(decision.node.name, Agent.ALIVE)
        if decision.follows in followers and agent is Agent.NONE:
            without_agent[decision.follows] += 1
        elif decision.follows in followers:
            followers[decision.follows].append(_stand(decision, agent, tierings.get(decision.node.name)))
        for policy in decision.selected_by:
            if decision.cause is Cause.OPTED_OUT:
                opted_out[policy.name] += 1
            elif decision.follows and policy.name != decision.follows:
                lost[policy.name][decision.follows] += 1
    return {
        name: Tally(
            followers=tuple(followers[name]),
            lost=lost[name],
            opted_out=opted_out[name],
            without_agent=without_agent[name],
        )
        for name in followers
    }


def _stand(decision: Decision, agent: Agent, tiering: Tiering | None) -> Standing:
    """Returns where the node stands on the policy's current revision."""
    if agent is not Agent.ALIVE:
        return unheard(decision.node.name, agent, tiering)
    standing = stand(decision.node, decision.spec, tiering)
    if decision.cause is not Cause.WAITS:
        return standing
    ours = decision.spec.policy is not None and decision.spec.policy.name == decision.follows
    if ours and standing.state is State.DEGRADED:
        return replace(standing, updated=False)
    return replace(standing, state=State.WAITING, updated=False, reason="Waits", message=decision.reason)
