"""From the operator's and the agent's log lines to steps that add up. Pure.

Both logs carry the node's clock in `time`; the agent's steps carry how long each took.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Line = Mapping[str, Any]
TURN = ("observe", "probe", "plan", "apply")
"""The steps of the turn of the agent that switches monitoring on, in order."""
START_ENDS_WITH = "publish"


@dataclass(frozen=True, slots=True)
class Steps:
    """Named durations in seconds, in order."""

    seconds: tuple[tuple[str, float], ...]

    @property
    def total(self) -> float:
        """The sum of all steps."""
        return sum(seconds for _, seconds in self.seconds)

    def figures(self, prefix: str) -> dict[str, float]:
        """Returns each step and the total as `PREFIX_STEP_seconds`."""
        named = {f"{prefix}_{name}_seconds": round(seconds, 3) for name, seconds in self.seconds}
        return named | {f"{prefix}_seconds": round(self.total, 3)}


def apply_to_on(applied_at: float, operator: Iterable[Line], agent: Sequence[Line]) -> Steps:
    """Returns the way from `kubectl apply` to `state=on`.

    Args:
        applied_at: seconds since the epoch by the node's clock, when kubectl was started.
        operator: its log lines.
        agent: its log lines, oldest first.

    Raises:
        ValueError: the logs do not hold the whole way.
    """
    written = [_seconds(line) for line in operator if str(line.get("event", "")).startswith("spec written")]
    written_at = min((at for at in written if at >= applied_at), default=None)
    turn = _turn_with_apply([line for line in agent if "step" in line and _seconds(line) >= applied_at])
    if written_at is None or not turn:
        raise ValueError("the logs do not hold a written spec and a turn that applied it")
    begins_at = _seconds(turn[0]) - float(turn[0]["took_s"])
    # The agent's watch may be faster than the operator's log line.
    written_at = min(written_at, begins_at)
    own = tuple((str(line["step"]), float(line["took_s"])) for line in turn)
    return Steps((("kubectl_and_operator", written_at - applied_at), ("delivery", begins_at - written_at), *own))


def start_to_ready(agent: Iterable[Line]) -> Steps:
    """Returns the way from the start of the agent's process to its first published status that is Ready.

    What it waits between its turns is one step, too: `between_turns`.

    Raises:
        ValueError: it has not published one yet.
    """
    own: list[tuple[str, float]] = []
    waited, ended_s = 0.0, None
    for line in agent:
        if "step" not in line:
            continue
        took_s, now_s = float(line["took_s"]), float(line["monotonic_s"])
        waited += 0.0 if ended_s is None else now_s - took_s - ended_s
        ended_s = now_s
        own.append((str(line["step"]), took_s))
        if line["step"] == START_ENDS_WITH and line["ready"] == "True":
            return Steps((*_added_up(own), ("between_turns", round(waited, 6))))
    raise ValueError("the agent has not published that it is Ready yet")


def _added_up(steps: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Returns the steps of all turns together, in the order of the first one."""
    seconds: dict[str, float] = {}
    for name, took_s in steps:
        seconds[name] = seconds.get(name, 0.0) + took_s
    return tuple(seconds.items())


def median_run(runs: Sequence[Steps]) -> Steps:
    """Returns the run whose total is the median (the lower one of an even number), so that its steps add up."""
    return sorted(runs, key=lambda run: run.total)[(len(runs) - 1) // 2]


def _turn_with_apply(steps: Sequence[Line]) -> list[Line]:
    turn: list[Line] = []
    for line in steps:
        if line["step"] == TURN[0]:
            turn = []
        turn.append(line)
        if line["step"] == TURN[-1]:
            return turn
    return []


def _seconds(line: Line) -> float:
    return datetime.fromisoformat(str(line["time"])).timestamp()
