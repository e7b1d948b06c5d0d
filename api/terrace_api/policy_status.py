"""`TieringPolicy.status` as frozen values. Pure.

Before: the operator tallies what nodes report. After: `codec` writes and reads it; the plugin shows it.
"""

from dataclasses import dataclass

from terrace_api.conditions import Condition
from terrace_api.policy import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProblem:
    """What keeps some nodes from being ready.

    Attributes:
        sample: names of a few of them.
        message: what the first of them says.
    """

    state: str
    reason: str
    nodes: int
    sample: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastGood:
    """The last revision that every node took and that baked."""

    revision: str
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """How many nodes are told the revision of that generation of the policy until it has baked on them."""

    generation: int
    nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A rollout that failed: the revision and generation of the policy that were rolled out, and who failed."""

    generation: int
    revision: str
    nodes: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TieringPolicyStatus:
    """`TieringPolicy.status`: where the policy stands over all its nodes. Written by the operator only.

    Strings are for the columns of `kubectl get`; the integers beside them are exact (bytes, nodes). `last_good`,
    `wave` and `stopped` are more than a report: the next decisions are made from them.
    """

    observed_generation: int
    revision: str
    nodes: int
    updated_nodes: int
    updated: str
    ready_nodes: int
    ready: str
    unsupported_nodes: int
    degraded_nodes: int
    conflicted_nodes: int
    silent_nodes: int
    promoted_bytes: int
    promoted: str
    demoted_bytes: int
    demoted: str
    engines: str
    problems: tuple[NodeProblem, ...]
    conditions: tuple[Condition, ...]
    last_good: LastGood | None = None
    wave: Wave | None = None
    stopped: Stopped | None = None
