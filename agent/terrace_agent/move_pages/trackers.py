"""The best tracker that works now, of those that this kernel has.

Before: `engine`, which has one chosen before each plan. After: it is named in the capability and in the notes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from terrace_agent.monitor import Monitor
from terrace_agent.move_pages.heat import Look, blank
from terrace_agent.move_pages.idle_pages import Frames, IdlePageTracker, sees_frames
from terrace_agent.move_pages.monitored import MonitoredTracker
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.soft_dirty import SoftDirtyTracker
from terrace_agent.move_pages.tracker import Tracker
from terrace_agent.move_pages.vmas import Vma


class TrackerLadder:
    """A tracker that is the first of several that works; see `tracker.Tracker`.

    What takes over knows nothing of a process until it has begun with it.
    """

    def __init__(self, trackers: Iterable[Tracker]) -> None:
        self._trackers = tuple(trackers)
        self._now = self._trackers[-1]
        self._begun: frozenset[int] = frozenset()

    def settle(self) -> Tracker:
        """Returns the one to look with from now on; stores nothing: the next `keep` has the one before let go."""
        chosen = next((one for one in self._trackers if one.works()), self._trackers[-1])
        if chosen is not self._now:
            self._now, self._begun = chosen, frozenset()
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
    def blind_looks(self) -> int:
        """See `tracker.Tracker.blind_looks`."""
        return self._now.blind_looks

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
        self._begun |= {pid}

    def look(self, pid: int, vmas: Iterable[Vma]) -> Iterator[tuple[Vma, Look]]:
        """See `tracker.Tracker.look`."""
        if pid in self._begun:
            return self._now.look(pid, vmas)
        return ((vma, blank(vma.pages)) for vma in vmas)

    def keep(self, started: Mapping[int, int], *, every_s: float) -> None:
        """See `tracker.Tracker.keep`: whoever does not look has nothing to keep."""
        self._begun &= started.keys()
        for one in self._trackers:
            one.keep(started if one is self._now else {}, every_s=every_s)

    def release(self) -> None:
        """See `tracker.Tracker.release`; the first is the one that can fail."""
        self._begun = frozenset()
        for one in reversed(self._trackers):
            one.release()


def ladder(procfs: Procfs, frames: Frames, monitor: Monitor | None, clock: Callable[[], float]) -> TrackerLadder:
    """Returns the trackers of this kernel, the best first."""
    monitored = (MonitoredTracker(procfs, monitor, clock),) if monitor else ()
    return TrackerLadder((*monitored, best(procfs, frames)))


def best(procfs: Procfs, frames: Frames) -> Tracker:
    """Returns the one that sees reads page by page, where kernel and capabilities allow it, else soft-dirty bits.

    Neither leaves anything in the kernel.
    """
    why = frames.obstacle()
    if not why and not sees_frames(procfs):
        why = "frame numbers are told with CAP_SYS_ADMIN only (movePages.idlePages)"
    if why:
        return SoftDirtyTracker(procfs, instead=f"idle bits of frames are not used: {why}")
    return IdlePageTracker(procfs, frames)
