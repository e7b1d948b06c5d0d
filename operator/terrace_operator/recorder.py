"""Writes events one after the other, not too many, and never in anybody's way. Shell.

Events are for people who look now. One that cannot be written is dropped, and so are those that are too many: what is
so is in the status of every object in any case.

Before: `reconcile` tells events. After: `cluster` writes them.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from terrace_api.errors import TerraceError
from terrace_operator.events import Event
from terrace_operator.logs import fields
from terrace_operator.metrics import Metrics
from terrace_operator.series import EventWrite, Told, over, tell

_log = logging.getLogger(__name__)

QUEUED = 100
"""Events that wait for being written at most."""
QUEUED_OF_NODES = 80
"""Nodes are many; what they have to say leaves room for the policies."""


class Recorder:
    """Tells events."""

    def __init__(
        self, write: Callable[[EventWrite], Awaitable[None]], metrics: Metrics, *, per_second: float = 5.0
    ) -> None:
        """Makes one that has told nothing yet; `write` writes one event."""
        self._write = write
        self._rest_s = 1 / per_second
        self._metrics = metrics
        self._queue: asyncio.Queue[EventWrite] = asyncio.Queue(QUEUED)
        self._told: dict[Event, Told] = {}

    def tell(self, events: Iterable[Event]) -> None:
        """Takes events over, as many as there is room for; what they say comes later."""
        now_s, now = time.monotonic(), datetime.now(UTC)
        for event in over(self._told, now_s):
            del self._told[event]
        for event in events:
            told, write = tell(event, self._told.get(event), now_s=now_s, now=now)
            if write is not None and self._queue.qsize() >= _room(event):
                self._count("dropped")
                continue
            self._told.pop(event, None)  # what was told last comes last
            self._told[event] = told
            if write is not None:
                self._queue.put_nowait(write)

    async def run(self) -> None:
        """Writes for ever."""
        while True:
            write = await self._queue.get()
            try:
                await self._write(write)
                self._count("done")
            except TerraceError as error:
                self._count("failed")
                _log.info("event not written", extra=fields(reason=write.event.reason, error=str(error)))
            await asyncio.sleep(self._rest_s)

    def _count(self, result: str) -> None:
        self._metrics.writes.labels(verb="apply", kind="Event", result=result).inc()


def _room(event: Event) -> int:
    return QUEUED_OF_NODES if event.regarding.kind == "Node" else QUEUED
