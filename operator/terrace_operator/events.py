"""What people are told once, on the policy and on the node: transitions, never states. Pure.

A policy's events follow from its status before and after a write, so that none is told twice and none before it is
true. A node's follow from its spec before and after a write, and from what its standing was at the last look.

Before: `statuses`, `node_writes`, `tally`. After: `recorder` writes them, at a bounded rate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from terrace_api import API_VERSION
from terrace_api.conditions import Condition
from terrace_api.node_tiering import Action, NodeTieringSpec
from terrace_operator.fleet import Node
from terrace_operator.node_writes import NodeWrite
from terrace_operator.phase import Phase
from terrace_operator.standing import Standing, State
from terrace_operator.statuses import StatusWrite


class EventType(StrEnum):
    """Whether somebody should look."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Regarding:
    """The object that an event is about; cluster-scoped."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    regarding: Regarding
    type: EventType
    reason: str
    note: str


_QUIET = {Phase.SETTLED.value, "NoConflict", "NoNodeDegraded"}
"""Reasons that are worth an event only after another one."""
_WARNINGS = {
    *(Phase.STOPPED.value, Phase.ROLLED_BACK.value),
    *("NodesDegraded", "NoSupportedNodes", "Invalid", "Outranked"),
}
_TROUBLE = {State.DEGRADED, State.SILENT}


def policy_events(write: StatusWrite) -> tuple[Event, ...]:
    """Returns what a policy's status newly says: one event for each reason that a condition did not have before."""
    before = {condition.type: condition for condition in write.before.conditions} if write.before else {}
    news = {
        condition.reason: condition
        for condition in write.after.conditions
        if _is_news(before.get(condition.type), condition)
    }
    regarding = Regarding(api_version=API_VERSION, kind="TieringPolicy", name=write.name, uid=write.uid)
    return tuple(
        Event(
            regarding=regarding,
            type=EventType.WARNING if reason in _WARNINGS else EventType.NORMAL,
            reason=reason,
            note=condition.message,
        )
        for reason, condition in news.items()
    )


def change_of_hands(write: NodeWrite) -> tuple[Event, ...]:
    """Returns that a node follows another policy now, or none any more."""
    before, after = _policy(write.before), _policy(write.spec)
    if before == after:
        return ()
    reason = "PolicyFollowed" if write.spec.action is Action.MANAGE else "Restored"
    return (_about(Node(name=write.name, uid=write.node_uid, labels={}), EventType.NORMAL, reason, write.reason),)


class Trouble(NamedTuple):
    """What was the matter with a node.

    Attributes:
        lasts: whether it was so at the last look; if not, the node is not ready yet all the same.
    """

    reason: str
    lasts: bool


Troubles = Mapping[str, Trouble]
"""By name, the nodes that got into trouble and have not been ready since."""


def troubles(before: Troubles, standings: Iterable[Standing]) -> Troubles:
    """Returns the nodes that failed or are not heard of, and those of `before` that are neither now, nor ready."""
    found = ((standing.node, _trouble(before.get(standing.node), standing)) for standing in standings)
    return {name: trouble for name, trouble in found if trouble is not None}


def turns(before: Troubles, standings: Iterable[Standing], nodes: Mapping[str, Node]) -> tuple[Event, ...]:
    """Returns which nodes got into trouble since the last look, and which got out of it."""
    found = (_turn(before.get(standing.node), standing, nodes.get(standing.node)) for standing in standings)
    return tuple(event for event in found if event is not None)


def _trouble(before: Trouble | None, now: Standing) -> Trouble | None:
    if now.state in _TROUBLE:
        return Trouble(now.reason, lasts=True)
    if before is None or now.state is State.READY:
        return None
    return before._replace(lasts=False)


def _turn(before: Trouble | None, now: Standing, node: Node | None) -> Event | None:
    if node is None:
        return None
    if now.state in _TROUBLE and before != Trouble(now.reason, lasts=True):
        return _about(node, EventType.WARNING, now.reason, now.message)
    if before is not None and now.state is State.READY:
        return _about(node, EventType.NORMAL, "Recovered", f"{now.message} (before: {before.reason})")
    return None


def _is_news(before: Condition | None, now: Condition) -> bool:
    if before is None:
        return now.reason not in _QUIET
    return (before.status, before.reason) != (now.status, now.reason)


def _policy(spec: NodeTieringSpec | None) -> str | None:
    return spec.policy.uid if spec and spec.policy else None


def _about(node: Node, type_: EventType, reason: str, note: str) -> Event:
    regarding = Regarding(api_version="v1", kind="Node", name=node.name, uid=node.uid)
    return Event(regarding=regarding, type=type_, reason=reason, note=note)
