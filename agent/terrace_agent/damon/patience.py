"""Trying again where the kernel says EBUSY.

All state commands take one lock without waiting (kernel fact 8), so anybody's command makes ours fail for as long
as it runs: up to a sampling interval, for the long ones of others up to minutes. We wait a bounded time.
"""

import errno
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from terrace_agent.errors import HostFileUnreadable, StoreRefused
from terrace_agent.hostfs import HostFs

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to go on trying, and by what clock.

    Attributes:
        tries: with doubling pauses and jitter, 10 tries are 2 to 3 seconds.
    """

    tries: int = 10
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default=random.random)

    def read(self, fs: HostFs, path: str) -> str:
        """Returns the file's text; see `HostFs.read` for what it raises."""
        return self._persist(lambda: fs.read(path))

    def store(self, fs: HostFs, path: str, value: str) -> None:
        """Stores once, after as many EBUSY as it takes; see `HostFs.store` for what it raises."""
        self._persist(lambda: fs.store(path, value))

    def _persist(self, attempt: Callable[[], _Result]) -> _Result:
        pause_s = _FIRST_PAUSE_S
        for _ in range(self.tries - 1):
            try:
                return attempt()
            except (HostFileUnreadable, StoreRefused) as error:
                if error.errno != errno.EBUSY:
                    raise
            self.sleep(pause_s * (0.5 + self.jitter()))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return attempt()
