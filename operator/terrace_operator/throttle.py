"""Bounds how fast writes start, and holds all of them back when the API server says that it has enough. Shell.

Before: `writer` asks before each write. After: `cluster` writes.
"""

import asyncio
import time


class Throttle:
    """Gives out turns, evenly spaced."""

    def __init__(self, per_second: float) -> None:
        self._spacing_s = 1 / per_second
        self._next_s = 0.0

    async def turn(self) -> None:
        """Returns when one more write may start."""
        now_s = time.monotonic()
        turn_s = max(now_s, self._next_s)
        self._next_s = turn_s + self._spacing_s
        await asyncio.sleep(turn_s - now_s)

    def hold(self, seconds: float) -> None:
        """Gives no further turn for so long."""
        self._next_s = max(self._next_s, time.monotonic() + seconds)
