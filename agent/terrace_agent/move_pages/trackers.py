"""The best tracker that works now, of those that this kernel has.

Before: `engine`, which has one chosen before each plan. After: it is named in the capability and in the notes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from terrace_agent.monitor import Monitor
from terrace_agent.move_pages.heat import Look
from terrace_agent.move_pages.idle_pages import Frames, IdlePageTracker, sees_frames
from terrace_agent.move_pages.monitored import MonitoredTracker
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.soft_dirty import SoftDirtyTracker
from terrace_agent.move_pages.tracker import Tracker
from terrace_agent.move_pages.vmas import Vma


class TrackerLadder:
    """A tracker that is the first of several that works; see `tracker.Tracker`.

    What pages of the one before were seen to do stays known when another one takes over.
    """

    def __init__(self, trackers: Iterable[Tracker]) -> None:
        self._trackers = tuple(trackers)
        self._now = self._trackers[-1]

    def settle(self) -> Tracker:
        """Returns the one to look with from now on; one that it takes over from lets go of the kernel."""
        chosen = next((one for one in self._trackers if one.works()), self._trackers[-1])
        if chosen is not self._now and not self._now.holds:
            self._now.keep({})
        self._now = chosen
        return chosen

    @property
    def name(self) -> str:
        """See `tracker.Tracker.name`."""
        return self._now.name

    @property
    def blind_spot(self) -> str:
        """See `tracker.Tracker.blind_spot`."""
        return self._now.blind_spot

    @property
    def longest_stall_s(self) -> float:
        """See `tracker.Tracker.longest_stall_s`."""
        return max(one.longest_stall_s for one in self._trackers)

    @property
    def left_out(self) -> int:
        """See `tracker.Tracker.left_out`."""
        return self._now.left_out

    @property
    def holds(self) -> bool:
        """See `tracker.Tracker.holds`."""
        return any(one.holds for one in self._trackers)

    def works(self) -> bool:
        """See `tracker.Tracker.works`."""
        return self._now.works()

    def may_track(self, resident_bytes: int) -> bool:
        """See `tracker.Tracker.may_track`."""
        return self._now.may_track(resident_bytes)

    def begin(self, pid: int) -> None:
        """See `tracker.Tracker.begin`."""
        self._now.begin(pid)

    def look(self, pid: int, vmas: Iterable[Vma]) -> Iterator[tuple[Vma, Look]]:
        """See `tracker.Tracker.look`."""
        return self._now.look(pid, vmas)

    def keep(self, started: Mapping[int, int]) -> None:
        """See `tracker.Tracker.keep`: whoever does not look has nothing to keep."""
        for one in self._trackers:
            one.keep(started if one is self._now else {})


def ladder(procfs: Procfs, monitor: Monitor | None, clock: Callable[[], float]) -> TrackerLadder:
    """Returns the trackers of this kernel, the best first."""
    monitored = (MonitoredTracker(procfs, monitor, clock),) if monitor else ()
    return TrackerLadder((*monitored, best(procfs)))


def best(procfs: Procfs, frames: Frames | None = None) -> Tracker:
    """Returns the one that sees reads page by page, where kernel and capabilities allow it, else soft-dirty bits.

    Neither leaves anything in the kernel.
    """
    frames = frames or Frames()
    if frames.exist() and sees_frames(procfs):
        return IdlePageTracker(procfs, frames)
    return SoftDirtyTracker(procfs)
