"""How far all nodes are on their way back to how they were found, and what to tell people about it. Pure.

Before: `cleanup` has written `Restore` everywhere. After: it prints.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import ConditionType
from terrace_operator.compile import RESTORE
from terrace_operator.election import LEASE_S
from terrace_operator.fleet import Agent, Agents, Tiering

_NAMED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A node that has not said yet that it is as it was found.

    Attributes:
        agent: what is known of who should say it.
        told: its NodeTiering says `Restore`, so that the node comes back also if it is only heard of later.
        why: in words.
    """

    name: str
    agent: Agent
    told: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """Where the nodes stand; a node on which no agent ever did anything is in none of these.

    Attributes:
        restored: how many say that they are as they were found.
        waiting: the others, in the order of names.
    """

    restored: int
    waiting: tuple[Waiting, ...]

    @property
    def over(self) -> bool:
        """Whether everybody was told, and nobody is left who could answer."""
        return all(one.told and one.agent is not Agent.ALIVE for one in self.waiting)

    def line(self) -> str:
        """Returns one line of progress."""
        silent = sum(one.agent is not Agent.ALIVE for one in self.waiting)
        words = f"restored {self.restored} of {self.restored + len(self.waiting)} nodes"
        alive = len(self.waiting) - silent
        return words + (f", waiting for {alive}" if alive else "") + (f", {silent} silent" if silent else "")


def restoration(tierings: Iterable[Tiering], agents: Agents) -> Restoration:
    """Returns where the nodes stand."""
    touched = [tiering for tiering in tierings if tiering.report is not None and not tiering.deleting]
    waiting = tuple(
        Waiting(name=one.name, agent=agents.get(one.name, Agent.ALIVE), told=one.spec == RESTORE, why=why)
        for one in sorted(touched, key=lambda tiering: tiering.name)
        if (why := _missing(one))
    )
    return Restoration(restored=len(touched) - len(waiting), waiting=waiting)


def farewell(found: Restoration, policies: Iterable[str], *, held_s: int, lease: str, agent_image: str) -> str:
    """Returns what people have to know at the end: which nodes did not answer, and what may undo all this."""
    lines = [f"{found.line()}."]
    if found.waiting:
        lines += ["", "These nodes have not said that they are as they were found:"]
        lines += [f"  {one.name}: {one.why}" for one in found.waiting[:_NAMED]]
        lines += [f"  and {len(found.waiting) - _NAMED} more"] if len(found.waiting) > _NAMED else []
        lines += _commands(agent_image)
    if names := sorted(policies):
        lines += [
            "",
            f"These policies remain: {', '.join(names)}. An operator that still runs in {held_s} s applies them",
        ]
        lines += [f"again: uninstall it or delete them before. To let it go on after {LEASE_S} s:"]
        namespace, _, name = lease.partition("/")
        lines += [f"  kubectl delete lease -n {namespace} {name}"]
    return "\n".join(lines)


def _missing(tiering: Tiering) -> str:
    """Returns what a node has yet to say; empty if it is as it was found."""
    report = tiering.report
    if report is None:
        return ""
    in_force = f"revision {report.active_revision} was in force" if report.active_revision else "nothing was in force"
    if tiering.spec != RESTORE:
        return f"could not be told yet; {in_force}"
    if report.observed_generation != tiering.generation:
        return f"its agent has not answered; {in_force}{_silence(tiering.alive)}"
    ready = report.condition(ConditionType.READY)
    if ready is None or ready.status is not ConditionStatus.TRUE:
        return f"{ready.reason}: {ready.message}" if ready else "its agent reports no condition Ready"
    return ""


def _silence(alive: Condition | None) -> str:
    return f" ({alive.reason})" if alive and alive.status is ConditionStatus.FALSE else ""


def _commands(agent_image: str) -> list[str]:
    lines = ["A reboot restores a node. To restore it now, run there:", "  terrace-agent stop"]
    if agent_image:
        lines += [
            "or from here:",
            f"  kubectl debug node/NAME -it --profile=sysadmin --image={agent_image} -- "
            "python3 -m terrace_agent stop --host-root=/host --state-dir=/host/run/terrace",
        ]
    return lines
