"""Keeps when each agent was last heard, and looks at the nodes of those that are silent. Shell.

Before: `cluster` keeps the NodeTierings. After: `liveness` judges, `reconcile` counts and writes.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from terrace_operator.errors import ApiGarbled, ApiNotFound, ApiRefused, ApiUnreachable
from terrace_operator.fleet import Agent, Agents, Tiering
from terrace_operator.liveness import AliveWrite, Beat, Heard, Look, alive_writes, hear, judge, leave_out
from terrace_operator.logs import fields
from terrace_operator.wake import Wake

_log = logging.getLogger(__name__)

_ROUND_S = 5.0
_LOOKS_A_ROUND = 50
"""So that silence of a whole fleet costs some requests a second, whatever its size."""
_PARALLEL = 5
_LOOK_AGAIN_S = 300.0
_TRY_AGAIN_S = 15.0
"""After a look that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """The last look at a node that succeeded, if any did, and when to look next."""

    beat: Beat
    look: Look | None
    due_s: float


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
        self._looked = {name: one for name, one in self._looked.items() if self._is_about(name, one)}
        due_s = [due_s for heard in self._heard.values() for due_s in _due(heard) if now_s < due_s < math.inf]
        if due_s:
            self._wake.at(min(due_s))
        return {name: agent for name in self._heard if (agent := self._judge(name, now_s)) is not Agent.ALIVE}

    def leave_out(self, away_s: float) -> None:
        """Says that in the last so many seconds nobody could be heard, whoever spoke."""
        self._heard = leave_out(self._heard, away_s, time.monotonic())

    def writes(self, agents: Agents, tierings: Mapping[str, Tiering], now: str) -> tuple[AliveWrite, ...]:
        """Returns the conditions that do not say what `agents` does."""
        looks = {name: one.look for name, one in self._looked.items() if one.look is not None}
        return alive_writes(agents, self._heard, looks, tierings.values(), now)

    async def run(self, leading: Callable[[], bool]) -> None:
        """Looks at silent nodes for ever, a few at a time; without leading at none, for then another one does."""
        slots = asyncio.Semaphore(_PARALLEL)
        while True:
            await asyncio.sleep(_ROUND_S)
            if not leading():
                self._looked = {}
                continue
            names = self._worth_a_look()
            changed = await asyncio.gather(*(self._look_at(name, self._heard[name].beat, slots) for name in names))
            if any(changed):
                self._wake.now()

    def _judge(self, name: str, now_s: float) -> Agent:
        looked = self._looked.get(name)
        return judge(self._heard[name], looked.look if looked else None, now_s)

    def _is_about(self, name: str, looked: _Looked) -> bool:
        """Returns whether nothing was heard of a node since it was looked at."""
        return name in self._heard and self._heard[name].beat == looked.beat

    def _worth_a_look(self) -> tuple[str, ...]:
        """Returns those that have been due for longest."""
        now_s = time.monotonic()
        due_s = {
            name: max(heard.look_from_s, self._looked[name].due_s if name in self._looked else 0.0)
            for name, heard in self._heard.items()
        }
        due = (name for name in due_s if due_s[name] <= now_s)
        return tuple(sorted(due, key=lambda name: due_s[name])[:_LOOKS_A_ROUND])

    async def _look_at(self, name: str, beat: Beat, slots: asyncio.Semaphore) -> bool:
        """Returns whether something new was found of a node of which `beat` was heard last."""
        before = self._looked.get(name)
        found, again_s = before.look if before else None, _LOOK_AGAIN_S
        async with slots:
            try:
                found = await self._look(name)
            except ApiNotFound:
                found = None  # the node is gone, and so will its NodeTiering be
            except (ApiRefused, ApiUnreachable, ApiGarbled) as error:
                again_s = _TRY_AGAIN_S
                _log.warning("cannot look at a silent node", extra=fields(node=name, error=str(error)))
        self._looked[name] = _Looked(beat=beat, look=found, due_s=time.monotonic() + again_s)
        return before is None or before.look != found


def _due(heard: Heard) -> tuple[float, float]:
    return heard.look_from_s, heard.silent_from_s
