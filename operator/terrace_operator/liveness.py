"""Whose agent speaks, whose does not, and what the condition AgentAlive says of it. Pure; clocks come in as arguments.

A heartbeat is a status whose `lastHeartbeatTime` changed. How long ago that was is measured on the operator's own
clock: a node's may be wrong.

Before: `cluster` keeps the NodeTierings, `roll_call` the time. After: `standing` counts nobody who is silent as ready,
`reconcile` writes the condition.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from terrace_api.conditions import Condition, ConditionStatus, carry_transitions
from terrace_api.node_tiering import ConditionType
from terrace_operator.fleet import Agent, Agents, Tiering

MISSED = 3
PERIOD_S = 60
"""Of an agent that has not said its own yet."""
LOOK_AFTER_S = 30.0
"""After which a node whose agent never spoke is looked at; one without an agent shall not be waited for."""


Beat = tuple[str, str | None]
"""The uid of a NodeTiering, and the heartbeat in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The last heartbeat of one node's agent.

    Attributes:
        uid: of the NodeTiering.
        heartbeat: as the agent wrote it; None if it never spoke, empty from one that promises nothing.
        since_s: monotonic time at which this process first saw it.
        period_s: within which the next one was promised.
        came: whether this process heard it come. If not, it may be old, and whoever led knows better since when.
        said: what the condition says now of an agent that is not alive; believed until a look finds something else.
    """

    uid: str
    heartbeat: str | None
    since_s: float
    period_s: int = PERIOD_S
    came: bool = False
    said: Agent | None = None

    @property
    def beat(self) -> Beat:
        """Which heartbeat this is."""
        return self.uid, self.heartbeat

    @property
    def silent_from_s(self) -> float:
        """From when on the agent is silent unless it speaks."""
        if self.heartbeat == "":
            return math.inf
        return self.since_s if self.said and not self.came else self.since_s + MISSED * self.period_s

    @property
    def look_from_s(self) -> float:
        """From when on the node is worth a look."""
        return self.since_s + LOOK_AFTER_S if self.heartbeat is None and not self.said else self.silent_from_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at a node and at the agent's pod there found.

    Attributes:
        pod: what there is to say about the pod; empty if pods are not looked for, None if there is none.
    """

    node_ready: bool
    pod: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AliveWrite:
    """The condition AgentAlive of one NodeTiering as it should be."""

    name: str
    uid: str
    condition: Condition

    @property
    def wanted(self) -> tuple[object, ...]:
        """The condition without its time and words."""
        return self.uid, self.condition.status, self.condition.reason


def hear(before: Mapping[str, Heard], tierings: Iterable[Tiering], now_s: float) -> dict[str, Heard]:
    """Returns the last heartbeat of every node by its name."""
    return {tiering.name: _hear(before.get(tiering.name), tiering, now_s) for tiering in tierings}


def leave_out(heard: Mapping[str, Heard], away_s: float, now_s: float) -> dict[str, Heard]:
    """Returns the last heartbeats as if the last `away_s` seconds, in which nobody could be heard, had not been."""
    return {name: replace(one, since_s=min(one.since_s + away_s, now_s)) for name, one in heard.items()}


def judge(heard: Heard, look: Look | None, now_s: float) -> Agent:
    """Returns what is known of an agent, given the last look at its node since it fell silent."""
    if now_s < heard.look_from_s:
        return Agent.ALIVE
    if heard.said is not None and look is None:
        return heard.said
    if look is not None and look.pod is None:
        return Agent.NONE
    if look is not None and not look.node_ready:
        return Agent.NODE_NOT_READY
    return Agent.ALIVE if now_s < heard.silent_from_s else Agent.SILENT


def alive_writes(
    agents: Agents, heard: Mapping[str, Heard], looks: Mapping[str, Look], tierings: Iterable[Tiering], now: str
) -> tuple[AliveWrite, ...]:
    """Returns the conditions that do not say what is known; of an agent that has yet to speak nothing is."""
    found = (
        _write(tiering, agents.get(tiering.name, Agent.ALIVE), heard[tiering.name], looks.get(tiering.name), now)
        for tiering in tierings
        if tiering.name in heard
    )
    return tuple(write for write in found if write is not None)


def said(condition: Condition | None) -> Agent | None:
    """Returns what the condition AgentAlive says of an agent that is not alive; None if it says nothing of the kind."""
    if condition is None or condition.status is not ConditionStatus.FALSE:
        return None
    return Agent(condition.reason) if condition.reason in list(Agent) else Agent.SILENT


def _hear(before: Heard | None, tiering: Tiering, now_s: float) -> Heard:
    report = tiering.report
    heartbeat = (report.heartbeat or "") if report else None
    known = said(tiering.alive)
    if before is not None and before.beat == (tiering.uid, heartbeat):
        return before if before.said is known else replace(before, said=known)
    return Heard(
        uid=tiering.uid,
        heartbeat=heartbeat,
        since_s=now_s,
        period_s=(report.heartbeat_period_s if report else None) or PERIOD_S,
        came=before is not None and heartbeat is not None,
        said=known,
    )


def _write(tiering: Tiering, agent: Agent, heard: Heard, look: Look | None, now: str) -> AliveWrite | None:
    if tiering.deleting or (agent is Agent.ALIVE and heard.heartbeat is None):
        return None
    status = ConditionStatus.TRUE if agent is Agent.ALIVE else ConditionStatus.FALSE
    known = tiering.alive
    if known is not None and (known.status, known.reason) == (status, agent.value):
        return None
    condition = Condition(
        type=ConditionType.AGENT_ALIVE,
        status=status,
        reason=agent.value,
        message=_words(agent, heard, look),
        last_transition_time=now,
        observed_generation=tiering.generation,
    )
    (carried,) = carry_transitions((known,) if known else (), (condition,))
    return AliveWrite(name=tiering.name, uid=tiering.uid, condition=carried)


def _words(agent: Agent, heard: Heard, look: Look | None) -> str:
    unheard = f"nothing was heard from the agent for {MISSED} times {heard.period_s} s"
    if heard.heartbeat is None:
        unheard = "its agent has not spoken yet"
    kept = "what it put in force stays in force"
    match agent:
        case Agent.ALIVE:
            return "the agent speaks"
        case Agent.NONE:
            return "no pod of the agent is on this node: it is not counted and not waited for"
        case Agent.NODE_NOT_READY:
            return f"the node is not ready, and {unheard}; {kept}"
        case Agent.SILENT:
            return f"{unheard}{f' ({look.pod})' if look and look.pod else ''}; {kept}"
        case other:
            assert_never(other)
