"""The tracker that lets DAMON look: the kernel samples addresses of processes and tells which regions were touched.

A region is what DAMON found to be touched alike; a page of it is sampled, and stands for it. What no region holds was
not touched. Nothing is known of a process until it was watched for `WARM_S`: until then anything may have been touched.

Only so many processes can be watched, the largest. DAMON forgets what it knows of all when others are to be watched, so
that happens at most every `STEADY_S`.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping

from terrace_agent.monitor import Monitor, Touched
from terrace_agent.move_pages.heat import TOUCHED, Look
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.vmas import PAGE_BYTES, Vma
from terrace_api.errors import TerraceError

WARM_S = 3.0
STEADY_S = 30.0
AGAIN_S = 60.0
"""How long after a failure DAMON is tried again."""


class MonitoredTracker:
    """See `tracker.Tracker`."""

    name = "DAMON (vaddr)"
    blind_spot = "one page of a region of similar ones is looked at and stands for it"

    def __init__(self, procfs: Procfs, monitor: Monitor, clock: Callable[[], float] = time.monotonic) -> None:
        self._procfs = procfs
        self._monitor = monitor
        self._clock = clock
        self._watched: dict[int, int] = {}
        self._wanted: dict[int, int] = {}
        self._since_s = -STEADY_S
        self._failed_s = -AGAIN_S
        self._touched: Touched | None = None
        self.longest_stall_s = 0.0
        self.left_out = 0

    @property
    def holds(self) -> bool:
        """See `tracker.Tracker.holds`."""
        return self._monitor.claims

    def works(self) -> bool:
        """See `tracker.Tracker.works`: not while somebody else uses DAMON."""
        return self._clock() - self._failed_s >= AGAIN_S and not self._monitor.obstacle()

    def may_track(self, resident_bytes: int) -> bool:
        """Returns whether a process of that size is looked at: nothing of it is held up."""
        del resident_bytes
        return True

    def begin(self, pid: int) -> None:
        """Nothing: `keep` says which processes are watched."""

    def look(self, pid: int, vmas: Iterable[Vma]) -> Iterator[tuple[Vma, Look]]:
        """Yields what was touched of late; nothing of a process that is not watched."""
        if pid not in self._watched or self._watched[pid] != self._wanted.get(pid):
            return
        touched = self._now().get(pid) if self._clock() - self._since_s >= WARM_S else None
        for vma in vmas:
            yield vma, conclude(vma, touched)

    def keep(self, started: Mapping[int, int]) -> None:
        """Watches the largest of these processes from now on; none: leaves DAMON as it was found."""
        self._touched, self._wanted = None, dict(started)
        try:
            self._follow()
        except TerraceError:
            self._failed_s = self._clock()
            self._let_go()

    def _follow(self) -> None:
        if not self._wanted:
            self._watched = {}
            self._monitor.stop()
            return
        if self._is_served() or self._clock() - self._since_s < STEADY_S:
            return
        best = sorted(self._wanted, key=self._procfs.resident_bytes, reverse=True)[: self._monitor.most]
        self._watched = {}
        self._monitor.watch(best)
        self._watched = {pid: self._wanted[pid] for pid in best}
        self._since_s = self._clock()

    def _is_served(self) -> bool:
        """Returns whether all that can be watched is; counts what cannot."""
        served = sum(self._watched.get(pid) == started for pid, started in self._wanted.items())
        self.left_out = len(self._wanted) - served
        return served >= min(len(self._wanted), self._monitor.most) and self._monitor.runs()

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
            return


def conclude(vma: Vma, touched: Iterable[range] | None) -> Look:
    """Returns what regions tell of a range's pages; None: nothing is known. Regions are in order. Pure."""
    if touched is None:
        return Look(sure=bytes(vma.pages), maybe=_ALL * vma.pages)
    flags = bytearray(vma.pages)
    regions = tuple(touched)
    first = max(0, bisect_right(regions, vma.start, key=lambda one: one.start) - 1)
    for region in regions[first:]:
        if region.start >= vma.end:
            break
        start = max(0, region.start - vma.start) // PAGE_BYTES
        end = -(-(min(region.stop, vma.end) - vma.start) // PAGE_BYTES)
        if end > start:
            flags[start:end] = _ALL * (end - start)
    return Look(sure=bytes(flags), maybe=bytes(flags))


_ALL = bytes([TOUCHED])
