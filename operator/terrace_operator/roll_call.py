"""Keeps when each agent was last heard, and looks at the nodes of those that are silent. Shell.

Before: `cluster` keeps the NodeTierings. After: `liveness` judges, `reconcile` counts and writes.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from terrace_operator.errors import ApiGarbled, ApiNotFound, ApiRefused, ApiUnreachable
from terrace_operator.fleet import Agent, Agents, Tiering
from terrace_operator.liveness import AliveWrite, Heard, Look, alive_writes, hear, judge, leave_out
from terrace_operator.logs import fields
from terrace_operator.wake import Wake

_log = logging.getLogger(__name__)

_ROUND_S = 5.0
_LOOKS_A_ROUND = 50
"""So that silence of a whole fleet costs some requests a second, whatever its size."""
_PARALLEL = 5
_LOOK_AGAIN_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    at_s: float
    at: Heard
    look: Look | None


class RollCall:
    """Who speaks."""

    def __init__(self, look: Callable[[str], Awaitable[Look]], wake: Wake) -> None:
        """Makes one that has heard nobody.

        Args:
            look: looks at a node by its name.
            wake: woken when somebody falls silent, and when a look found something new.
        """
        self._look = look
        self._wake = wake
        self._heard: dict[str, Heard] = {}
        self._looked: dict[str, _Looked] = {}

    def agents(self, tierings: Mapping[str, Tiering]) -> Agents:
        """Returns who is not alive, and keeps when everybody was last heard."""
        now_s = time.monotonic()
        self._heard = hear(self._heard, tierings.values(), now_s)
        self._looked = {name: one for name, one in self._looked.items() if self._heard.get(name) is one.at}
        due_s = [due_s for heard in self._heard.values() for due_s in _due(heard) if now_s < due_s < math.inf]
        if due_s:
            self._wake.at(min(due_s))
        return {name: agent for name in self._heard if (agent := self._judge(name, now_s)) is not Agent.ALIVE}

    def leave_out(self, away_s: float) -> None:
        """Says that in the last so many seconds nobody could be heard, whoever spoke."""
        before, self._heard = self._heard, leave_out(self._heard, away_s, time.monotonic())
        self._looked = {
            name: replace(one, at=self._heard[name]) for name, one in self._looked.items() if before.get(name) is one.at
        }

    def writes(self, agents: Agents, tierings: Mapping[str, Tiering], now: str) -> tuple[AliveWrite, ...]:
        """Returns the conditions that do not say what `agents` does."""
        looks = {name: one.look for name, one in self._looked.items() if one.look is not None}
        return alive_writes(agents, self._heard, looks, tierings.values(), now)

    async def run(self, leading: Callable[[], bool]) -> None:
        """Looks at silent nodes for ever, a few at a time; without leading at none."""
        slots = asyncio.Semaphore(_PARALLEL)
        while True:
            await asyncio.sleep(_ROUND_S)
            names = self._worth_a_look() if leading() else ()
            changed = await asyncio.gather(*(self._look_at(name, self._heard[name], slots) for name in names))
            if any(changed):
                self._wake.now()

    def _judge(self, name: str, now_s: float) -> Agent:
        looked = self._looked.get(name)
        return judge(self._heard[name], looked.look if looked else None, now_s)

    def _worth_a_look(self) -> tuple[str, ...]:
        """Returns those not looked at for longest."""
        now_s = time.monotonic()
        last_s = {name: self._looked[name].at_s if name in self._looked else 0.0 for name in self._heard}
        due = [
            name
            for name, heard in self._heard.items()
            if now_s >= heard.look_from_s and (not last_s[name] or now_s >= last_s[name] + _LOOK_AGAIN_S)
        ]
        return tuple(sorted(due, key=lambda name: last_s[name])[:_LOOKS_A_ROUND])

    async def _look_at(self, name: str, heard: Heard, slots: asyncio.Semaphore) -> bool:
        """Returns whether something new was found of a node that was silent since `heard`."""
        before = self._looked.get(name)
        found: Look | None = None
        async with slots:
            try:
                found = await self._look(name)
            except ApiNotFound:
                pass  # the node is gone, and so will its NodeTiering be
            except (ApiRefused, ApiUnreachable, ApiGarbled) as error:
                _log.warning("cannot look at a silent node", extra=fields(node=name, error=str(error)))
        self._looked[name] = _Looked(at_s=time.monotonic(), at=heard, look=found)
        return before is None or before.look != found


def _due(heard: Heard) -> tuple[float, float]:
    return heard.look_from_s, heard.silent_from_s
