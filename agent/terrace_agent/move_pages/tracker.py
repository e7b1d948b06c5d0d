"""What a tracker is: the protocol between the engine and whatever tells which pages were touched."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from terrace_agent.move_pages.heat import Look
from terrace_agent.move_pages.vmas import Vma


class Tracker(Protocol):
    """One way to see accesses."""

    name: str
    blind_spot: str
    """What it cannot see, in words."""
    longest_stall_s: float
    """The longest that one process was held up."""

    def may_track(self, resident_bytes: int) -> bool:
        """Returns whether a process of that size is looked at."""

    def begin(self, pid: int) -> None:
        """Lets a process' next look begin here.

        Raises:
            OSError: the process may not be tracked.
        """

    def look(self, pid: int, vmas: Iterable[Vma]) -> Iterator[tuple[Vma, Look]]:
        """Yields of each range what was touched since `begin`.

        Raises:
            OSError: the process may not be tracked.
        """

    def keep(self, pids: Iterable[int]) -> None:
        """Forgets all processes but these."""
