"""What a monitor of processes is: the protocol between an engine that moves pages by itself and who sees accesses.

Before: `engines` gives the engine the one that DAMON's owner has, since engines know nothing of each other. After: the
engine's tracker takes what it tells for the heat of pages.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

Touched = Mapping[int, tuple[range, ...]]
"""Addresses that were touched of late, by pid; in order."""


class Monitor(Protocol):
    """Watches a few processes."""

    @property
    def most(self) -> int:
        """How many at a time."""

    @property
    def claims(self) -> bool:
        """Whether `stop` has anything to do now: something of it is, or may be, in the kernel."""

    def obstacle(self) -> str:
        """Returns why it cannot watch now, in words; empty if it can."""

    def watch(self, pids: Iterable[int], *, window_s: float) -> None:
        """Watches exactly these from now on; what was seen of others before is forgotten.

        Args:
            pids: in the namespace of whoever stores them.
            window_s: for how long a touch is told.

        Raises:
            TerraceError: it cannot; `stop` takes away what is left.
        """

    def runs(self) -> bool:
        """Returns whether it watches: it ends by itself with the last of its processes."""

    def touched(self) -> Touched:
        """Returns what was touched within the last window of each process that is watched.

        Raises:
            TerraceError: it cannot be told now.
        """

    def stop(self) -> None:
        """Leaves the kernel as it was found.

        Raises:
            TerraceError: the kernel refused; what is left stays claimed.
        """
