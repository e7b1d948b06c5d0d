"""The tracker of last resort, which every kernel has: pages that were written, and ranges that were touched at all.

Soft-dirty bits tell writes page by page, and nothing of reads. `Referenced` of smaps tells both, but for a whole range
only. Together: what is soft-dirty was touched; a range of which nearly all was referenced was touched all over; a
range of which next to nothing was referenced was not. Between, whether a page that was not written was read cannot be
known, so it is neither hot nor cold: a small part of a range may be the hottest that there is. What was written does
not explain what was referenced either: the two are not told at one moment, and reclaim clears accessed bits meanwhile.

Each look clears the bits for the next one (`clear_refs`), which walks all page tables of the process and holds its
`mmap_lock` for writing meanwhile (`clear_refs_write()`, Linux fs/proc/task_mmu.c): what that costs is measured, and
processes that are so large that it would take longer than `STALL_S` are not looked at any more. Measured for that is
CPU time, which neither a busy machine lengthens nor a process that holds the lock itself.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from terrace_agent.move_pages.heat import TOUCHED, Look, either
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.vmas import Vma

LARGEST_BYTES = 16 << 30
"""At most, however fast the machine is."""
STALL_S = 0.1
_NEARLY = 10
_STRAY_PAGES = 16
"""So few pages may have been touched in a range that counts as untouched."""
_BLIND_SPOT = "reads are seen by whole ranges only, so of a range that is used here and there nothing is demoted"


class SoftDirtyTracker:
    """See `tracker.Tracker`."""

    name = "soft-dirty and smaps"
    blind_looks = 0
    left_out = 0
    holds = False

    def __init__(
        self,
        procfs: Procfs,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
        *,
        instead: str = "",
    ) -> None:
        """Makes one; `instead` says what is better and cannot be used, for people."""
        self.blind_spot = "; ".join(filter(None, (_BLIND_SPOT, instead)))
        self._procfs = procfs
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._largest_bytes = LARGEST_BYTES
        self.longest_stall_s = 0.0

    def works(self) -> bool:
        """Returns whether it can track now: `trackers` has looked."""
        return True

    def may_track(self, resident_bytes: int) -> bool:
        """Returns whether a process of that size is looked at: not if it would be held up for too long."""
        return resident_bytes <= self._largest_bytes

    def begin(self, pid: int) -> None:
        """Clears the bits, so that the next look sees what came after."""
        for what in ("1", "4"):
            began_s, cpu_s = self._clock(), self._cpu_clock()
            self._procfs.clear_refs(pid, what)
            self.longest_stall_s = max(self.longest_stall_s, self._clock() - began_s)
            self._bound(self._cpu_clock() - cpu_s, pid)

    def look(self, pid: int, vmas: Iterable[Vma]) -> Iterator[tuple[Vma, Look]]:
        """Yields what was touched since `begin` or the look before; call `begin` afterwards."""
        for vma in vmas:
            dirty, present = self._procfs.page_flags(pid, vma.start // vma.page_bytes, vma.pages)
            yield vma, conclude(vma, dirty, present)

    def keep(self, started: Mapping[int, int], *, every_s: float) -> None:
        """Nothing is kept: the kernel has all bits."""

    def release(self) -> None:
        """Nothing is kept: the kernel has all bits."""

    def _bound(self, cpu_s: float, pid: int) -> None:
        if cpu_s > STALL_S:
            self._largest_bytes = min(self._largest_bytes, round(self._procfs.resident_bytes(pid) * STALL_S / cpu_s))


def conclude(vma: Vma, dirty: bytes, present: bytes) -> Look:
    """Returns what soft-dirty bits and the range's `Referenced` tell. Pure.

    Args:
        vma: a range or a piece of one.
        dirty: of each of its pages, whether it was written.
        present: of each, whether it is in memory.
    """
    busy = vma.resident_bytes * (_NEARLY - 1) <= vma.referenced_bytes * _NEARLY
    quiet = vma.referenced_bytes <= min(_STRAY_PAGES * vma.page_bytes, vma.resident_bytes // _NEARLY)
    sure = present if busy and not quiet else both(dirty, present)
    return Look(sure=sure, maybe=either(sure, present.translate(_ABSENT)) if quiet else _ALL * len(present))


def both(one: bytes, other: bytes) -> bytes:
    """Returns the bytes of both, and-ed; they are of the same length."""
    merged = int.from_bytes(one, "little") & int.from_bytes(other, "little")
    return merged.to_bytes(len(one), "little")


_ALL = bytes([TOUCHED])
_ABSENT = bytes(0 if value & TOUCHED else TOUCHED for value in range(256))
"""Of a page that is not in memory nothing is known: it is no cold memory."""
