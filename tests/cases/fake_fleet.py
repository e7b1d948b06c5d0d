"""A cluster in memory that behaves: the writes of the operator change it, and what depends on them changes too.

It does what the API server and the garbage collector do as far as the reconcile loop can tell: uids are checked,
generations count, a NodeTiering of a node that is gone can be collected, requests can fail.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cases.fleets import READY, a_report, a_tiering
from terrace_api.conditions import Condition
from terrace_api.policy import TieringPolicy
from terrace_api.policy_status import TieringPolicyStatus
from terrace_operator.errors import ApiConflict, ApiRefused, ApiUnreachable, NotLeading
from terrace_operator.events import Event
from terrace_operator.fleet import Agent, Agents, InvalidPolicy, Node, Policies, Report, Tiering
from terrace_operator.liveness import AliveWrite
from terrace_operator.node_writes import NodeWrite
from terrace_operator.statuses import StatusWrite


class Killed(Exception):
    """The operator ends here; nothing of it runs any more."""


@dataclass(kw_only=True)
class FakeFleet:
    """Nodes, policies and NodeTierings by name, and a record of all writes.

    Attributes:
        fails: which requests are refused.
        loses: which writes happen without the operator ever learning it.
        lives_for: after how many writes the operator is killed, before it learns of the last one.
        after_write: called after each write.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    tierings: dict[str, Tiering] = field(default_factory=dict)
    stored: dict[str, TieringPolicy | InvalidPolicy] = field(default_factory=dict)
    statuses: dict[str, TieringPolicyStatus] = field(default_factory=dict)
    writes: list[NodeWrite | StatusWrite] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    agents: dict[str, Agent] = field(default_factory=dict)
    complete: bool = True
    leading: bool = True
    nodes_version: int = 0
    fails: Callable[[object], bool] = lambda _: False
    loses: Callable[[object], bool] = lambda _: False
    lives_for: int | None = None
    after_write: Callable[[], None] = lambda: None
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

    def answer(self, name: str, *conditions: Condition) -> None:
        """A node's agent makes of its spec what it is told to, without conditions the best of it, and says so."""
        tiering = self.tierings.get(name)
        if tiering is not None and tiering.spec is not None:
            self.report(name, a_report(*(conditions or (READY,)), revision=tiering.spec.revision))

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
        owner = Node(name=write.name, uid=write.node_uid, labels={})
        if known is None:
            self.tierings[write.name] = a_tiering(owner, write.spec, outranked=write.outranked)
        else:
            changed = int(known.spec != write.spec)
            self.tierings[write.name] = replace(
                known,
                spec=write.spec,
                node_uid=owner.uid,
                outranked=write.outranked,
                generation=known.generation + changed,
            )
        self._written(write)

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
        self.statuses[write.name] = write.after
        self._written(write)

    def _written(self, write: NodeWrite | StatusWrite) -> None:
        self.writes.append(write)
        self.after_write()
        if self.lives_for is not None:
            self.lives_for -= 1
            if not self.lives_for:
                raise Killed
        if self.loses(write):
            raise ApiUnreachable("the connection was cut")

    def _answer(self, request: object) -> None:
        if self.lives_for == 0:
            raise Killed
        if self.unreachable:
            raise ApiUnreachable("connection refused")
        if self.fails(request):
            raise ApiRefused(status=500, reason="InternalError", message="etcd is away")
        if request != "list" and not self.leading:
            raise NotLeading


class Watched:
    """A fleet as one operator sees it: its own writes at once if it got the answer, all others when they come.

    Attributes:
        tierings: what the operator knows of.
    """

    def __init__(self, fleet: FakeFleet) -> None:
        """Makes one that has just listed everything."""
        self.tierings = dict(fleet.tierings)
        self._fleet = fleet

    @property
    def complete(self) -> bool:
        """As `cluster.access`."""
        return self._fleet.complete

    @property
    def nodes_version(self) -> int:
        """As `cluster.access`."""
        return self._fleet.nodes_version

    @property
    def nodes(self) -> dict[str, Node]:
        """As `cluster.access`."""
        return self._fleet.nodes

    @property
    def agents(self) -> dict[str, Agent]:
        """As `cluster.access`."""
        return self._fleet.agents

    @property
    def leading(self) -> bool:
        """As `cluster.access`."""
        return self._fleet.leading

    def alive_writes(self, agents: Agents, now: str) -> tuple[AliveWrite, ...]:
        """As `cluster.access`."""
        return self._fleet.alive_writes(agents, now)

    async def write_alive(self, write: AliveWrite) -> None:
        """As `cluster.access`."""
        await self._fleet.write_alive(write)

    async def list_policies(self) -> Policies:
        """As `cluster.access`."""
        return await self._fleet.list_policies()

    async def write_tiering(self, write: NodeWrite) -> None:
        """As `cluster.access`."""
        await self._fleet.write_tiering(write)
        self.hear(write.name)

    async def write_status(self, write: StatusWrite) -> None:
        """As `cluster.access`."""
        await self._fleet.write_status(write)

    def hear(self, name: str) -> None:
        """The watch tells what became of one NodeTiering."""
        self.tierings.pop(name, None)
        if name in self._fleet.tierings:
            self.tierings[name] = self._fleet.tierings[name]
