"""The tracker that lets DAMON look: the kernel samples addresses of processes and tells which regions were touched.

A region is what DAMON found to be touched alike; a page of it is sampled, and stands for it. What no region holds was
not touched. Nothing is known of a process until it was watched for `WARM_WINDOWS`: until then anything may have been
touched.

Only so many processes can be watched, the largest. DAMON forgets what it knows of all when others are to be watched, so
that happens at most every `STEADY_S`.

Before: a `terrace_agent.monitor.Monitor`. After: `watch`, as with every tracker.
"""

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping

from terrace_agent.errors import KdamondDied, StoreRefused
from terrace_agent.monitor import Monitor, Touched
from terrace_agent.move_pages.heat import TOUCHED, Look, blank
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.vmas import Vma
from terrace_api.errors import TerraceError

WARM_WINDOWS = 2.5
"""Regions begin as equal parts of what is mapped; after one window each was sampled, after another some were split."""
STEADY_S = 30.0
AGAIN_S, LONGEST_AGAIN_S = 60.0, 3_600.0
"""How long after a failure DAMON is tried again: twice as long after each."""
_MUCH_LARGER = 2
_LEAST_WINDOW_S = 1.0
_TRIES = 3


class MonitoredTracker:
    """See `tracker.Tracker`."""

    name = "DAMON (vaddr)"
    blind_spot = "one page of a region of similar ones is looked at and stands for it"
    blind_looks = math.ceil(WARM_WINDOWS) - 1
    longest_stall_s = 0.0

    def __init__(self, procfs: Procfs, monitor: Monitor, clock: Callable[[], float] = time.monotonic) -> None:
        self._procfs = procfs
        self._monitor = monitor
        self._clock = clock
        self._watched: dict[int, int] = {}
        self._wanted: dict[int, int] = {}
        self._window_s = _LEAST_WINDOW_S
        self._since_s = -STEADY_S
        self._retry_at_s, self._again_s = 0.0, AGAIN_S
        self._touched: Touched | None = None

    @property
    def left_out(self) -> int:
        """See `tracker.Tracker.left_out`."""
        return len(self._wanted) - len(self._served())

    @property
    def holds(self) -> bool:
        """See `tracker.Tracker.holds`."""
        return self._monitor.claims

    def works(self) -> bool:
        """See `tracker.Tracker.works`: not while somebody else uses DAMON."""
        return self._clock() >= self._retry_at_s and not self._monitor.obstacle()

    def may_track(self, resident_bytes: int) -> bool:
        """Returns whether a process of that size is looked at: nothing of it is held up."""
        del resident_bytes
        return True

    def begin(self, pid: int) -> None:
        """Nothing: `keep` says which processes are watched."""

    def look(self, pid: int, vmas: Iterable[Vma]) -> Iterator[tuple[Vma, Look]]:
        """Yields what was touched of late; nothing of a process that is not watched."""
        if pid not in self._served():
            return
        warm = self._clock() - self._since_s >= WARM_WINDOWS * self._window_s
        touched = self._now().get(pid) if warm else None
        for vma in vmas:
            yield vma, conclude(vma, touched)

    def keep(self, started: Mapping[int, int], *, every_s: float) -> None:
        """Watches the largest of these processes from now on; none: leaves DAMON as it was found."""
        self._touched, self._wanted = None, dict(started)
        try:
            self._follow(every_s)
        except TerraceError:
            self._retry_at_s = self._clock() + self._again_s
            self._again_s = min(LONGEST_AGAIN_S, 2 * self._again_s)
            self._let_go()

    def release(self) -> None:
        """See `tracker.Tracker.release`."""
        self._touched, self._wanted, self._watched = None, {}, {}
        self._since_s = -STEADY_S
        self._monitor.stop()

    def _follow(self, every_s: float) -> None:
        if not self._wanted:
            self._watched = {}
            self._monitor.stop()
        elif not self._is_right(every_s) and self._clock() - self._since_s >= STEADY_S:
            self._watched, self._window_s = {}, max(_LEAST_WINDOW_S, every_s)
            best = self._watch()
            self._watched = {pid: self._wanted[pid] for pid in best}
            self._since_s, self._again_s = self._clock(), AGAIN_S

    def _watch(self, tries: int = _TRIES) -> tuple[int, ...]:
        """Has the largest processes watched, and returns them; one that ends meanwhile is refused with all others."""
        best = self._largest()
        if not best:
            self._monitor.stop()
            return ()
        try:
            self._monitor.watch(best, window_s=self._window_s)
        except (StoreRefused, KdamondDied):
            if tries == 1 or best == self._largest():
                raise
            return self._watch(tries - 1)
        return best

    def _largest(self) -> tuple[int, ...]:
        alive = [pid for pid, started in self._wanted.items() if self._procfs.started(pid) == started]
        return tuple(sorted(alive, key=self._procfs.resident_bytes, reverse=True)[: self._monitor.most])

    def _served(self) -> frozenset[int]:
        """Returns the processes that are watched, and are still the same."""
        return frozenset(pid for pid, started in self._wanted.items() if self._watched.get(pid) == started)

    def _is_right(self, every_s: float) -> bool:
        """Returns whether what can be watched is, and for about as long as it takes to the next look."""
        served = self._served()
        if len(served) < min(len(self._wanted), self._monitor.most) or not self._monitor.runs():
            return False
        others = max(map(self._procfs.resident_bytes, self._wanted.keys() - served), default=0)
        fits = self._window_s / 4 <= max(_LEAST_WINDOW_S, every_s) <= self._window_s * 1.5
        return fits and others <= _MUCH_LARGER * min(map(self._procfs.resident_bytes, served))

    def _now(self) -> Touched:
        if self._touched is None:
            try:
                self._touched = self._monitor.touched()
            except TerraceError:
                # Of what is not told anything may have been touched.
                self._touched = {}
        return self._touched

    def _let_go(self) -> None:
        self._watched = {}
        try:
            self._monitor.stop()
        except TerraceError:
            # What is left stays claimed: the next `keep` or `release` tries again.
            return


def conclude(vma: Vma, touched: Iterable[range] | None) -> Look:
    """Returns what regions tell of a range's pages; None: nothing is known. Regions are in order. Pure."""
    if touched is None:
        return blank(vma.pages)
    flags = bytearray(vma.pages)
    regions = tuple(touched)
    first = max(0, bisect_right(regions, vma.start, key=lambda one: one.start) - 1)
    for region in regions[first:]:
        if region.start >= vma.end:
            break
        start = max(0, region.start - vma.start) // vma.page_bytes
        end = -(-(min(region.stop, vma.end) - vma.start) // vma.page_bytes)
        if end > start:
            flags[start:end] = _ALL * (end - start)
    return Look(sure=bytes(flags), maybe=bytes(flags))


_ALL = bytes([TOUCHED])
