"""A cluster in memory that behaves: the writes of the operator change it, and what depends on them changes too.

It does what the API server and the garbage collector do as far as the reconcile loop can tell: uids are checked,
generations count, a NodeTiering of a node that is gone can be collected, requests can fail.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cases.fleets import a_tiering
from terrace_api.policy import TieringPolicy, TieringPolicyStatus
from terrace_operator.errors import ApiConflict, ApiRefused, ApiUnreachable, NotLeading
from terrace_operator.fleet import Agents, InvalidPolicy, Node, Policies, Report, Tiering
from terrace_operator.liveness import AliveWrite
from terrace_operator.node_writes import NodeWrite
from terrace_operator.statuses import StatusWrite


@dataclass(kw_only=True)
class FakeFleet:
    """Nodes, policies and NodeTierings by name, and a record of all writes."""

    nodes: dict[str, Node] = field(default_factory=dict)
    tierings: dict[str, Tiering] = field(default_factory=dict)
    stored: dict[str, TieringPolicy | InvalidPolicy] = field(default_factory=dict)
    statuses: dict[str, TieringPolicyStatus] = field(default_factory=dict)
    writes: list[NodeWrite | StatusWrite] = field(default_factory=list)
    complete: bool = True
    leading: bool = True
    agents: Agents = field(default_factory=dict)
    nodes_version: int = 0
    fails: Callable[[object], bool] = lambda _: False
    unreachable: bool = False

    def add_node(self, node: Node) -> None:
        """A node registers, or its labels change."""
        self.nodes[node.name] = node
        self.nodes_version += 1

    def remove_node(self, name: str) -> None:
        """A node is deleted; its NodeTiering stays until it is collected."""
        self.nodes.pop(name, None)
        self.nodes_version += 1

    def collect_garbage(self) -> None:
        """What the garbage collector does: NodeTierings go with the registration that owns them."""
        living = {node.uid for node in self.nodes.values()}
        self.tierings = {name: one for name, one in self.tierings.items() if one.node_uid in living}

    def put_policy(self, policy: TieringPolicy | InvalidPolicy) -> None:
        """Somebody writes a policy."""
        self.stored[policy.name] = policy

    def report(self, name: str, report: Report) -> None:
        """A node's agent answers its current spec."""
        tiering = self.tierings[name]
        self.tierings[name] = replace(tiering, report=replace(report, observed_generation=tiering.generation))

    async def list_policies(self) -> Policies:
        """As `cluster.access`."""
        self._answer("list")
        found = tuple(self.stored.values())
        return Policies(
            valid=tuple(policy for policy in found if isinstance(policy, TieringPolicy)),
            invalid=tuple(policy for policy in found if isinstance(policy, InvalidPolicy)),
            statuses={p.uid: self.statuses[p.name] for p in found if p.name in self.statuses},
        )

    async def write_tiering(self, write: NodeWrite) -> None:
        """As `cluster.access`."""
        self._answer(write)
        known = self.tierings.get(write.name)
        if write.uid is not None and (known is None or known.uid != write.uid):
            raise ApiConflict(status=409, reason="Conflict", message="uid mismatch")
        self.writes.append(write)
        owner = Node(name=write.name, uid=write.node_uid, labels={})
        if known is None:
            self.tierings[write.name] = a_tiering(owner, write.spec)
        else:
            changed = int(known.spec != write.spec)
            self.tierings[write.name] = replace(
                known, spec=write.spec, node_uid=owner.uid, generation=known.generation + changed
            )

    def alive_writes(self, agents: Agents, now: str) -> tuple[AliveWrite, ...]:
        """Returns nothing: nobody falls silent here by himself."""
        return ()

    async def write_alive(self, write: AliveWrite) -> None:
        """As `cluster.access`."""
        raise AssertionError(write)

    async def write_status(self, write: StatusWrite) -> None:
        """As `cluster.access`."""
        self._answer(write)
        if write.name not in self.stored or self.stored[write.name].uid != write.uid:
            raise ApiConflict(status=409, reason="Conflict", message="uid mismatch")
        self.writes.append(write)
        self.statuses[write.name] = write.after

    def _answer(self, request: object) -> None:
        if self.unreachable:
            raise ApiUnreachable("connection refused")
        if self.fails(request):
            raise ApiRefused(status=500, reason="InternalError", message="etcd is away")
        if request != "list" and not self.leading:
            raise NotLeading
