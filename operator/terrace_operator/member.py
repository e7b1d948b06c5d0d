"""One node of a policy, as a rollout sees it. Pure.

Before: `assign` says which nodes are to follow the policy. After: `progress`, `waves`, `rollout`.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from terrace_api.node_tiering import NodeTieringSpec
from terrace_operator.assign import Assignment
from terrace_operator.compile import RESTORE
from terrace_operator.fleet import Agent, Agents, Node, Tiering
from terrace_operator.standing import has_engine, would_run_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One node that is to follow the policy.

    Attributes:
        tiering: None if it has none, or one that belongs to an earlier registration of the node.
        stays: the spec that it has until its turn comes.
        writable: whether its NodeTiering can be made or changed now.
        unsure: a write to it got no answer: it may have been told more than is known.
    """

    node: Node
    tiering: Tiering | None
    stays: NodeTieringSpec
    agent: Agent
    writable: bool
    unsure: bool

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name

    @property
    def present(self) -> NodeTieringSpec | None:
        """What the node was told last, as far as it can be read."""
        return self.tiering.told if self.tiering else None

    @property
    def has_engine(self) -> bool:
        """Whether an engine can run there, as far as is known."""
        return has_engine(self.tiering.report if self.tiering else None)

    @property
    def would_run_nothing(self) -> bool:
        """Whether no revision would be tried there, as far as is known."""
        return would_run_nothing(self.tiering.report if self.tiering else None)

    def was_told(self, spec: NodeTieringSpec | None) -> bool:
        """Returns whether the node was told that policy's revision, even if somebody tampered with it."""
        present = self.present
        if present is None or spec is None:
            return False
        return present is spec or (present.revision == spec.revision and present.policy == spec.policy)

    def follows(self, spec: NodeTieringSpec) -> bool:
        """Returns whether the node was told any revision of the policy of `spec`."""
        present = self.present
        return present is not None and (present is spec or present.policy == spec.policy)


def enroll(assignment: Assignment, tierings: Mapping[str, Tiering], agents: Agents, unsure: Container[str]) -> Member:
    """Returns the member for a node that is to follow a policy."""
    node = assignment.node
    found = tierings.get(node.name)
    own = found if found is not None and found.node_uid in {None, node.uid} else None
    return Member(
        node=node,
        tiering=own,
        stays=_stays(assignment, own.told if own else None),
        agent=agents.get(node.name, Agent.ALIVE),
        writable=found is None or (own is not None and not own.deleting),
        unsure=node.name in unsure,
    )


def _stays(assignment: Assignment, present: NodeTieringSpec | None) -> NodeTieringSpec:
    """What a policy that still selects the node has told it stays; what any other has told it ends at once."""
    if present is not None and present.policy in assignment.selected_by:
        return present
    return RESTORE
