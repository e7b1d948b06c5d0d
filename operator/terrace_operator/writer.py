"""Many writes at once, but not too many; those that fail are held back for longer each time. Shell.

Between two batches the state is looked at anew, so that thousands of writes that are still to come neither keep an edit
waiting nor go out after they have become wrong.

Before: `reconcile` knows what to write. After: `cluster` writes it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum, auto
from typing import Generic, Protocol, TypeVar

from terrace_operator.errors import ApiConflict, ApiGarbled, ApiNotFound, ApiRefused, ApiUnreachable, NotLeading
from terrace_operator.logs import fields
from terrace_operator.metrics import Metrics
from terrace_operator.retry import Failed, after_failure, may_try
from terrace_operator.throttle import Throttle

_log = logging.getLogger(__name__)

PARALLEL = 16
BATCH = 500
"""Writes of one pass at most."""
BATCH_S = 5.0
"""For how long writes of one pass may start: they were decided when it began. Where the API server has enough they end
at once, for it may want to be left alone for a minute."""
_OVERTAKEN_S = 1.0
"""When to look again after a write met another object than the one it was meant for, should no event come."""


class Write(Protocol):
    """A write of one object."""

    @property
    def name(self) -> str:
        """The object's name."""
        ...

    @property
    def wanted(self) -> object:
        """What it is to bring about: equal in each try of it, however its times and words change meanwhile."""
        ...


class _End(Enum):
    """What became of a write."""

    DONE = auto()
    IN_VAIN = auto()
    NOT_TRIED = auto()


WriteT = TypeVar("WriteT", bound=Write)


class Writer(Generic[WriteT]):
    """Writes objects of one kind."""

    def __init__(
        self,
        kind: str,
        write: Callable[[WriteT], Awaitable[None]],
        written: Callable[[WriteT], None],
        throttle: Throttle,
        metrics: Metrics,
    ) -> None:
        """Makes one that has not failed yet.

        Args:
            kind: of the objects.
            write: writes one object.
            written: called after each write that succeeded.
            throttle: gives a turn to each write, of all kinds together.
            metrics: counts.
        """
        self._kind = kind
        self._write = write
        self._written = written
        self._throttle = throttle
        self._metrics = metrics
        self._failed: dict[str, Failed] = {}

    async def write_all(self, writes: Iterable[WriteT]) -> tuple[int, float | None]:
        """Tries a batch of those writes that are not held back.

        Returns:
            How many were tried in vain, and the monotonic time at which to try what was not.
        """
        wanted = {write.name: write for write in writes}
        self._failed = {name: failed for name, failed in self._failed.items() if name in wanted}
        now_s = time.monotonic()
        may = [write for write in wanted.values() if may_try(write.wanted, self._failed.get(write.name), now_s)]
        batch = may[:BATCH]
        slots = asyncio.Semaphore(PARALLEL)
        ends = await asyncio.gather(*(self._try(write, slots, now_s) for write in batch))
        again = [failed.not_before_s for failed in self._failed.values()]
        if len(may) > len(batch) or _End.NOT_TRIED in ends:
            again.append(now_s)
        if _End.IN_VAIN in ends:
            again.append(time.monotonic() + _OVERTAKEN_S)
        self._metrics.waiting.labels(kind=self._kind).set(len(wanted) - ends.count(_End.DONE))
        return ends.count(_End.IN_VAIN), max(min(again), self._throttle.held_until_s) if again else None

    async def _try(self, write: WriteT, slots: asyncio.Semaphore, begun_s: float) -> _End:
        async with slots:
            if not await self._turn(begun_s):
                return _End.NOT_TRIED
            try:
                await self._write(write)
            except NotLeading:
                self._count("not_leading")
                return _End.IN_VAIN
            except (ApiConflict, ApiNotFound) as error:
                self._count("overtaken")
                self._failed.pop(write.name, None)
                _log.info("write overtaken", extra=fields(kind=self._kind, name=write.name, error=str(error)))
                return _End.IN_VAIN
            except (ApiRefused, ApiUnreachable, ApiGarbled) as error:
                self._count("failed")
                if isinstance(error, ApiRefused) and error.retry_after_s:
                    self._throttle.hold(error.retry_after_s)
                self._hold_back(write, error)
                return _End.IN_VAIN
        self._count("done")
        self._failed.pop(write.name, None)
        self._written(write)
        return _End.DONE

    async def _turn(self, begun_s: float) -> bool:
        """Returns when a write of the batch that began then may start; False if it must be decided anew before."""
        if self._is_held_since(begun_s):
            return False
        return await self._throttle.turn(before_s=begun_s + BATCH_S) and not self._is_held_since(begun_s)

    def _is_held_since(self, begun_s: float) -> bool:
        return self._throttle.held_until_s > begun_s

    def _hold_back(self, write: WriteT, error: Exception) -> None:
        failed = after_failure(write.wanted, self._failed.get(write.name), time.monotonic())
        self._failed[write.name] = failed
        fact = fields(kind=self._kind, name=write.name, times=failed.times, error=str(error))
        _log.warning("write failed", extra=fact)

    def _count(self, result: str) -> None:
        self._metrics.writes.labels(verb="apply", kind=self._kind, result=result).inc()
