"""What a tracker is: the protocol between the engine and whatever tells which pages were touched."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from terrace_agent.move_pages.heat import Look
from terrace_agent.move_pages.vmas import Vma


class Tracker(Protocol):
    """One way to see accesses."""

    @property
    def name(self) -> str:
        """In words, for people."""

    @property
    def blind_spot(self) -> str:
        """What it cannot see, in words."""

    @property
    def blind_looks(self) -> int:
        """How many looks at a process, after the one that begins with it, know nothing yet."""

    @property
    def longest_stall_s(self) -> float:
        """The longest that one process was held up."""

    @property
    def left_out(self) -> int:
        """How many processes it did not look at, for there are too many."""

    @property
    def holds(self) -> bool:
        """Whether `release` has anything to bring back now."""

    def works(self) -> bool:
        """Returns whether it can track now."""

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

    def keep(self, started: Mapping[int, int], *, every_s: float) -> None:
        """Forgets all processes but these.

        What fails ends in a tracker that does not work, never in an error.

        Args:
            started: when each process started, by pid.
            every_s: how often looks are asked for: eight of them are the age that demotion asks for.
        """

    def release(self) -> None:
        """Forgets all processes, and leaves the kernel as it was found.

        Raises:
            TerraceError: the kernel refused; `holds` what is left.
        """
