"""Writes the statuses of policies, each when it is due, and says what was written. Shell.

Before: `statuses` says what they are, `pace` when that is due. After: `cluster` writes them.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable

from terrace_operator.logs import fields
from terrace_operator.metrics import Metrics
from terrace_operator.pace import due_at
from terrace_operator.statuses import StatusWrite
from terrace_operator.throttle import Throttle
from terrace_operator.writer import Writer

_log = logging.getLogger(__name__)


class StatusWriter:
    """Remembers when each status was written last."""

    def __init__(
        self,
        write: Callable[[StatusWrite], Awaitable[None]],
        written: Callable[[StatusWrite], None],
        throttle: Throttle,
        metrics: Metrics,
    ) -> None:
        """Makes one that has written nothing yet; for the arguments see `Writer`."""
        self._writer = Writer("TieringPolicy", write, self._done, throttle, metrics)
        self._written = written
        self._written_s: dict[str, float] = {}

    async def write_due(self, writes: Iterable[StatusWrite]) -> tuple[int, float | None]:
        """Tries those that are due, of the statuses of all policies that there are.

        Returns:
            How many were tried in vain, and the monotonic time at which to try what was not.
        """
        writes = tuple(writes)
        self._written_s = {write.uid: self._written_s[write.uid] for write in writes if write.uid in self._written_s}
        timed = [(write, due_at(write.before, write.after, self._written_s.get(write.uid))) for write in writes]
        now_s = time.monotonic()
        later = [at_s for _, at_s in timed if at_s is not None and at_s > now_s]
        due = [write for write, at_s in timed if at_s is not None and at_s <= now_s]
        in_vain, again_s = await self._writer.write_all(due)
        return in_vain, min([*later, *([again_s] if again_s is not None else [])], default=None)

    def _done(self, write: StatusWrite) -> None:
        self._written_s[write.uid] = time.monotonic()
        ready = next(condition for condition in write.after.conditions if condition.type == "Ready")
        fact = fields(policy=write.name, ready=write.after.ready, status=ready.reason)
        _log.info("status written: %s", ready.message, extra=fact)
        self._written(write)
