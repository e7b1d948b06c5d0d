"""Bounds how fast writes start, and holds all of them back when the API server says that it has enough. Shell.

Before: `writer` asks before each write. After: `cluster` writes.
"""

import asyncio
import math
import time


class Throttle:
    """Gives out turns, evenly spaced.

    Attributes:
        held_until_s: until when nothing may start, by the monotonic clock.
    """

    def __init__(self, per_second: float) -> None:
        self.held_until_s = 0.0
        self._spacing_s = 1 / per_second
        self._next_s = 0.0

    async def turn(self, *, before_s: float = math.inf) -> bool:
        """Returns when one more write may start; False at once, and the turn goes to others, if not before that time.

        A hold that is asked for meanwhile is for the caller to look at.
        """
        now_s = time.monotonic()
        turn_s = max(now_s, self._next_s)
        if turn_s >= before_s:
            return False
        self._next_s = turn_s + self._spacing_s
        await asyncio.sleep(turn_s - now_s)
        return True

    def hold(self, seconds: float) -> None:
        """Gives no further turn for so long."""
        self.held_until_s = max(self.held_until_s, time.monotonic() + seconds)
        self._next_s = max(self._next_s, self.held_until_s)
