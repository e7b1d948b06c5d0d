"""One node in one line: whom it follows, how far it is, and how full its tiers are. Pure.

Before: `fleet`. After: every view.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import Action, ConditionType, EngineName, NodeTieringSpec, NodeTieringStatus
from terrace_kubectl.fleet import Fleet, Seen
from terrace_operator.compile import RESTORE
from terrace_operator.fleet import Agent, Node
from terrace_operator.liveness import said
from terrace_operator.standing import Standing, State, stand, unheard

IDLE = "Idle"
"""The node follows no policy and is as it was found."""
HELD = "Held"
"""The node is ready, and a guardrail that is hit keeps memory from moving."""
NO_AGENT = Agent.NONE.value
"""No agent shall run there: the node is not counted and not waited for."""
WELL = {State.READY.value, State.WAITING.value, IDLE, NO_AGENT}
_URGENCY = [*(state.value for state in (State.DEGRADED, State.SILENT, State.UNREADY, State.PENDING)), HELD]
_URGENCY += [*(state.value for state in (State.UNSUPPORTED, State.WAITING, State.READY)), IDLE, NO_AGENT]
_DEFAULT_ORDER = ("fast", "middle", "slow")


@dataclass(frozen=True, slots=True, kw_only=True)
class TierUse:
    """One tier of a node, or of many."""

    name: str
    total_bytes: int
    free_bytes: int

    @property
    def used_bytes(self) -> int:
        """Bytes in use."""
        return self.total_bytes - self.free_bytes

    @property
    def used_share(self) -> str:
        """Share in use, as text."""
        return share(self.used_bytes, self.total_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One node.

    Attributes:
        policy: that it was told to follow; empty for none.
        state: a `State` of the operator, or `IDLE`, `HELD` or `NO_AGENT`.
        engine: that runs; empty for none.
        told: the revision that it was told; empty for none.
        revision: the one that is in force.
        tiers: fastest first; empty while nothing is reported.
    """

    name: str
    policy: str
    mode: str
    engine: str
    state: str
    reason: str
    message: str
    told: str
    revision: str
    kernel: str
    tiers: tuple[TierUse, ...]
    promoted_bytes: int
    demoted_bytes: int


def node_rows(fleet: Fleet) -> tuple[NodeRow, ...]:
    """Returns every node, in the order of their names."""
    return tuple(node_row(node, fleet.seen.get(node.name)) for node in fleet.nodes)


def node_row(node: Node, seen: Seen | None) -> NodeRow:
    """Returns one node."""
    spec = (seen.tiering.spec if seen else None) or RESTORE
    status = seen.status if seen else None
    standing = _stand(node, spec, seen)
    held = _held(standing, status)
    return NodeRow(
        name=node.name,
        policy=spec.policy.name if spec.policy else "",
        mode=spec.settings.mode.value if spec.settings else "",
        engine=status.engine.value if status and status.mode and status.engine is not EngineName.NONE else "",
        state=HELD if held else _state(standing, spec),
        reason=held.reason if held else standing.reason,
        message=held.message if held else standing.message,
        told=spec.revision or "",
        revision=status.active_revision if status else "",
        kernel=status.kernel if status else "",
        tiers=tiers(spec, status) if status else (),
        promoted_bytes=status.promoted_bytes if status else 0,
        demoted_bytes=status.demoted_bytes if status else 0,
    )


def tiers(spec: NodeTieringSpec, status: NodeTieringStatus) -> tuple[TierUse, ...]:
    """Returns the node's tiers, fastest first."""
    named = [tier.name for tier in (spec.settings.tiers if spec.settings else None) or ()]
    found = {node.tier for node in status.numa_nodes if node.tier}
    return tuple(
        TierUse(
            name=name,
            total_bytes=sum(node.total_bytes for node in status.numa_nodes if node.tier == name),
            free_bytes=sum(node.free_bytes for node in status.numa_nodes if node.tier == name),
        )
        for name in sorted(found, key=lambda name: _rank(name, named))
    )


def add_up(rows: Iterable[NodeRow]) -> tuple[TierUse, ...]:
    """Returns the fastest tier and all slower memory of the nodes that have both; empty if none has."""
    tiered = [row.tiers for row in rows if len(row.tiers) > 1]
    if not tiered:
        return ()
    return (
        _sum("fast", [first for first, *_ in tiered]),
        _sum("slow", [tier for _, *slower in tiered for tier in slower]),
    )


def share(part: int, whole: int) -> str:
    """Returns `part` of `whole` as text such as `81.2%`; `-` for a share of nothing."""
    if whole <= 0:
        return "-"
    return f"{(Decimal(part) * 100 / whole).quantize(Decimal('0.1'), ROUND_HALF_UP)}%"


def needs_attention(row: NodeRow) -> bool:
    """Returns whether something keeps the node from doing what it should."""
    return row.state not in WELL


def by_urgency(rows: Iterable[NodeRow]) -> tuple[NodeRow, ...]:
    """Returns what needs attention first."""
    return tuple(sorted(rows, key=lambda row: (_URGENCY.index(row.state), row.name)))


def condition(status: NodeTieringStatus | None, type_: ConditionType) -> Condition | None:
    """Returns a condition of a node."""
    return next((found for found in status.conditions if found.type == type_), None) if status else None


def _stand(node: Node, spec: NodeTieringSpec, seen: Seen | None) -> Standing:
    if seen is None:
        return _pending(node, "NoNodeTiering", "the operator has not made its NodeTiering; is the operator running?")
    if seen.tiering.spec is None:
        return _pending(node, "SpecUnreadable", "its NodeTiering is of another version of Terrace than this plugin")
    if seen.tiering.alive and (agent := said(seen.tiering.alive)):
        return replace(unheard(node.name, agent, seen.tiering), message=seen.tiering.alive.message)
    if seen.unreadable:
        return _pending(node, "StatusUnreadable", "its agent is of another version of Terrace than this plugin")
    return stand(node, spec, seen.tiering)


def _held(standing: Standing, status: NodeTieringStatus | None) -> Condition | None:
    found = condition(status, ConditionType.GUARDRAIL_TRIPPED)
    if standing.state is not State.READY or found is None or found.status is not ConditionStatus.TRUE:
        return None
    return found


def _state(standing: Standing, spec: NodeTieringSpec) -> str:
    if standing.reason == NO_AGENT:
        return NO_AGENT
    if spec.action is Action.RESTORE and standing.state is State.READY:
        return IDLE
    return standing.state.value


def _pending(node: Node, reason: str, message: str) -> Standing:
    return Standing(node=node.name, state=State.PENDING, updated=False, reason=reason, message=message)


def _rank(name: str, named: list[str]) -> tuple[int, str]:
    """As the policy lists them; else by the names that agents give tiers that they discover."""
    if name in named:
        return named.index(name), name
    known = (rank for rank, start in enumerate(_DEFAULT_ORDER) if name.startswith(start))
    return next(known, len(_DEFAULT_ORDER)), name


def _sum(name: str, uses: list[TierUse]) -> TierUse:
    return TierUse(
        name=name, total_bytes=sum(use.total_bytes for use in uses), free_bytes=sum(use.free_bytes for use in uses)
    )
