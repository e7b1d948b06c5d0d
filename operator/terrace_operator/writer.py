"""Many writes at once, but not too many; those that fail are held back for longer each time. Shell.

Before: `reconcile` knows what to write. After: `cluster` writes it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, Protocol, TypeVar

from terrace_operator.errors import ApiConflict, ApiGarbled, ApiNotFound, ApiRefused, ApiUnreachable, NotLeading
from terrace_operator.logs import fields
from terrace_operator.metrics import Metrics
from terrace_operator.retry import Failed, after_failure, may_try
from terrace_operator.throttle import Throttle

_log = logging.getLogger(__name__)

PARALLEL = 16
BATCH = 500
"""Writes of one pass: between two batches the state is looked at anew, so that thousands of writes that are still to
come neither keep an edit waiting nor go out after they have become wrong."""
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
        tried = may[:BATCH]
        slots = asyncio.Semaphore(PARALLEL)
        outcomes = await asyncio.gather(*(self._try(write, slots) for write in tried))
        again = [failed.not_before_s for failed in self._failed.values()]
        if len(may) > len(tried):
            again.append(now_s)
        if not all(outcomes):
            again.append(time.monotonic() + _OVERTAKEN_S)
        self._metrics.waiting.labels(kind=self._kind).set(len(wanted) - sum(outcomes))
        return outcomes.count(False), min(again, default=None)

    async def _try(self, write: WriteT, slots: asyncio.Semaphore) -> bool:
        async with slots:
            await self._throttle.turn()
            try:
                await self._write(write)
            except NotLeading:
                self._count("not_leading")
                return False
            except (ApiConflict, ApiNotFound) as error:
                self._count("overtaken")
                self._failed.pop(write.name, None)
                _log.info("write overtaken", extra=fields(kind=self._kind, name=write.name, error=str(error)))
                return False
            except (ApiRefused, ApiUnreachable, ApiGarbled) as error:
                self._count("failed")
                if isinstance(error, ApiRefused) and error.retry_after_s:
                    self._throttle.hold(error.retry_after_s)
                self._hold_back(write, error)
                return False
        self._count("done")
        self._failed.pop(write.name, None)
        self._written(write)
        return True

    def _hold_back(self, write: WriteT, error: Exception) -> None:
        failed = after_failure(write.wanted, self._failed.get(write.name), time.monotonic())
        self._failed[write.name] = failed
        fact = fields(kind=self._kind, name=write.name, times=failed.times, error=str(error))
        _log.warning("write failed", extra=fact)

    def _count(self, result: str) -> None:
        self._metrics.writes.labels(verb="apply", kind=self._kind, result=result).inc()
