"""What a monitor of processes is: the protocol between an engine that moves pages by itself and who sees accesses.

Before: `engines` gives the engine the one that DAMON's owner has, since engines know nothing of each other. After: the
engine's tracker takes what it tells for the heat of pages.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

Touched = Mapping[int, tuple[range, ...]]
"""Addresses that were touched of late, by pid."""


class Monitor(Protocol):
    """Watches a few processes."""

    most: int
    """How many at a time."""

    @property
    def claims(self) -> bool:
        """Whether anything of it is, or may be, in the kernel: `stop` takes it away."""

    def obstacle(self) -> str:
        """Returns why it cannot watch now, in words; empty if it can."""

    def watch(self, pids: Iterable[int]) -> None:
        """Watches exactly these from now on; what was seen of others before is forgotten.

        Raises:
            TerraceError: it cannot; `stop` takes away what is left.
        """

    def runs(self) -> bool:
        """Returns whether it watches: it ends by itself with the last of its processes."""

    def touched(self) -> Touched:
        """Returns what was touched of each process that is watched.

        Raises:
            TerraceError: it cannot be told now.
        """

    def stop(self) -> None:
        """Leaves the kernel as it was found.

        Raises:
            TerraceError: the kernel refused; what is left stays claimed.
        """
