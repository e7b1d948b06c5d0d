"""The whole state that the operator decides from, as frozen values. Pure.

Slim on purpose: of each of thousands of nodes only what a decision needs is kept.

Before: `cluster.objects` makes these of the API server's objects. After: every other module of this package.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from terrace_api.conditions import Condition
from terrace_api.errors import Problem
from terrace_api.node_tiering import Action, EngineName, NodeTieringSpec, PolicyRef
from terrace_api.policy import TieringPolicy
from terrace_api.policy_status import TieringPolicyStatus

Editions = frozenset[tuple[str, int]]
"""Of each policy its uid and its generation, which grows with every edit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Kubernetes node."""

    name: str
    uid: str
    labels: Mapping[str, str]


class Agent(StrEnum):
    """What is known of a node's agent. Whoever is not alive is told nothing new and not waited for."""

    ALIVE = "Alive"
    """It speaks; or it is not known yet that it does not."""
    SILENT = "AgentSilent"
    """It missed three heartbeats, although its node is well."""
    NODE_NOT_READY = "NodeNotReady"
    """Nothing is heard of the whole node."""
    NONE = "NoAgent"
    """None is expected to run there: a virtual node, another operating system, a taint."""


Agents = Mapping[str, Agent]
"""By node name; who is not in it is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a policy's status needs of a NodeTiering's status.

    Attributes:
        tiers: how many tiers the node has memory of, as far as it says; 0 if it does not.
        heartbeat: changes whenever the agent writes; None from one that does not say.
    """

    observed_generation: int
    active_revision: str
    engine: EngineName
    promoted_bytes: int
    demoted_bytes: int
    conditions: tuple[Condition, ...]
    tiers: int = 0
    heartbeat: str | None = None
    heartbeat_period_s: int | None = None

    def condition(self, type_: str) -> Condition | None:
        """Returns the condition of that type."""
        for condition in self.conditions:
            if condition.type == type_:
                return condition
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiering:
    """A NodeTiering.

    Attributes:
        node_uid: uid of the Node that owns it; None while no owner reference says so.
        spec: None if it cannot be read.
        unread: whose that spec is, if as much of it can be read.
        report: None until an agent has written a status that can be read.
        deleting: somebody deleted it, and a finalizer still holds it.
        outranked: names of policies that select the node and are not in force there, as written in an annotation.
        alive: the condition AgentAlive, which is there even if no agent ever reported.
    """

    name: str
    uid: str
    generation: int
    node_uid: str | None
    spec: NodeTieringSpec | None
    report: Report | None
    deleting: bool
    outranked: str = ""
    alive: Condition | None = None
    unread: PolicyRef | None = None

    @property
    def told(self) -> NodeTieringSpec | None:
        """What its spec says, as far as it can be read: never to be written."""
        if self.spec is None and self.unread is not None:
            return NodeTieringSpec(action=Action.MANAGE, policy=self.unread)
        return self.spec


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidPolicy:
    """A TieringPolicy that got past the schema and still cannot be read."""

    name: str
    uid: str
    generation: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """All TieringPolicies that nobody has deleted, as of one consistent list.

    Attributes:
        statuses: what is written in each policy's status, by uid; absent if nothing readable is.
    """

    valid: tuple[TieringPolicy, ...] = ()
    invalid: tuple[InvalidPolicy, ...] = ()
    statuses: Mapping[str, TieringPolicyStatus]

    @property
    def all(self) -> tuple[TieringPolicy | InvalidPolicy, ...]:
        """Both kinds."""
        return (*self.valid, *self.invalid)

    @property
    def editions(self) -> Editions:
        """Which policies these are, in which edition."""
        return frozenset((policy.uid, policy.generation) for policy in self.all)
