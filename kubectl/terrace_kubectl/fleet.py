"""What a command looks at, as frozen values. Pure.

The operator's own values where it has them, so that its pure modules can be asked; beside them what people want to see
and the operator does not keep.

Before: `objects` makes these of the API server's objects. After: the views.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from terrace_api.node_tiering import NodeTieringStatus
from terrace_api.selectors import Labels
from terrace_operator.fleet import Node, Policies, Tiering


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One node's NodeTiering.

    Attributes:
        tiering: as the operator knows it.
        status: what the agent reported; None if there is none, or none that can be read.
        unreadable: the agent reported something that this version cannot read.
    """

    tiering: Tiering
    status: NodeTieringStatus | None
    unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The whole state as of now.

    Attributes:
        nodes: in the order of their names.
        seen: by the node's name.
    """

    nodes: tuple[Node, ...]
    seen: Mapping[str, Seen]
    policies: Policies

    @property
    def tierings(self) -> dict[str, Tiering]:
        """The NodeTierings as the operator knows them, by name."""
        return {name: one.tiering for name, one in self.seen.items()}

    def node(self, name: str) -> Node | None:
        """Returns the node of that name."""
        return next((node for node in self.nodes if node.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What is asked about one pod.

    Attributes:
        cgroup_uid: by which the pod's cgroup is named, and the agent's report of it.
        node: where it runs; empty until it is scheduled.
        finished: its containers have all ended for good.
    """

    namespace: str
    name: str
    cgroup_uid: str
    labels: Labels
    node: str
    finished: bool
