"""Waking the reconcile loop: many changes at once make one pass, and a pass never follows too soon on another."""

import asyncio
import time


class Wake:
    """Says when the next pass is due.

    Attributes:
        settle_s: how long to wait for more changes after the first.
        rest_share: deciding that took `t` is followed by at least `t * rest_share` of rest, so that passes over a
            large cluster cannot take a whole core however often its nodes report.
    """

    def __init__(self, *, settle_s: float = 0.05, rest_share: float = 4.0) -> None:
        self._settle_s = settle_s
        self._rest_share = rest_share
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._rest_until_s = 0.0

    def now(self) -> None:
        """Something changed."""
        self._changed.set()

    def at(self, due_s: float) -> None:
        """Something is due at that monotonic time, at the latest."""
        if self._timer is None or due_s < self._timer.when():
            self._cancel()
            self._timer = asyncio.get_running_loop().call_at(due_s, self._changed.set)

    def rest_after(self, duration_s: float) -> None:
        """A part of a pass that took so long has just ended."""
        now_s = time.monotonic()
        self._rest_until_s = max(now_s, self._rest_until_s) + duration_s * self._rest_share

    async def wait(self) -> None:
        """Returns when a pass is due; every change before the return is taken care of by that pass."""
        await self._changed.wait()
        await asyncio.sleep(max(self._settle_s, self._rest_until_s - time.monotonic()))
        self._changed.clear()
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
