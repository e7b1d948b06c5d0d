"""The tracker that sees reads and writes, page by page: the idle bits of page frames.

Each bit of `/sys/kernel/mm/page_idle/bitmap` is a frame. Storing 1 marks it idle and clears its accessed bits, and it
reads 0 once it was touched (Linux Documentation/admin-guide/mm/idle_page_tracking.rst). The kernel keeps the bit of a
large folio (a huge page, or since 6.8 a smaller one of multi-size THP) in its first frame and reads 0 for the others
(`page_idle_get_folio()`, mm/page_idle.c), so those are looked up in `/proc/kpageflags`. That file is the same in every
mount of proc; the bitmap takes stores only where the host's `/sys/kernel/mm` is mounted, since the `/sys` of a
container that is not privileged is read-only.

Each frame costs a walk of all its mappings, so one page of `EVERY` is looked at, and stands for its neighbours.
"""

import os
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from terrace_agent.hostfs import HostFs
from terrace_agent.move_pages import words
from terrace_agent.move_pages.heat import TOUCHED, Look
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.vmas import Vma
from terrace_agent.move_pages.words import WORD_BYTES

EVERY = 16
BITMAP = "/sys/kernel/mm/page_idle/bitmap"
KPAGEFLAGS = Path("/proc/kpageflags")
_WORD_BITS = 64
_FLAGS_GAP = 64
"""To ask for the flags of so many frames costs about as much as one call more."""
_TAIL = 1 << 16
"""KPF_COMPOUND_TAIL (Linux include/uapi/linux/kernel-page-flags.h)."""
_IS_HEAD = bytes(value >> 7 for value in range(256))
"""Of the second byte of flags, whose highest bit is KPF_COMPOUND_HEAD."""


class Frames:
    """What there is about frames: a word of flags for each, and a bitmap in which each is a bit."""

    def __init__(self, bitmap: Path, flags: Path = KPAGEFLAGS, *, page_bytes: int = 4_096) -> None:
        self._bitmap = bitmap
        self._flags = flags
        # A huge page is what a page of entries, of eight bytes each, maps.
        self._huge_frames = page_bytes // 8

    def obstacle(self) -> str:
        """Returns why idle bits can not be read and stored here, in words; empty if they can."""
        if not (self._bitmap.exists() and self._flags.exists()):
            return "this kernel has none (CONFIG_IDLE_PAGE_TRACKING, CONFIG_PROC_PAGE_MONITOR)"
        try:
            self._bitmap.open("r+b", buffering=0).close()
            self._flags.open("rb", buffering=0).close()
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        return ""

    def heads(self, frames: Sequence[int]) -> list[int]:
        """Returns for each frame the one that has its idle bit: the first of its folio; 0 stays 0.

        Raises:
            OSError: it may not be read.
        """
        flags = words.read(self._flags, filter(None, frames), gap=_FLAGS_GAP)
        heads = self._heads_of_tails(frame for frame, word in flags.items() if word & _TAIL)
        return [heads.get(frame, frame) for frame in frames]

    def idle(self, frames: Sequence[int]) -> list[bool]:
        """Returns of each frame whether it was not touched since it was marked; of 0, that it was."""
        bits = words.read(self._bitmap, {frame // _WORD_BITS for frame in frames if frame})
        return [bool(bits.get(frame // _WORD_BITS, 0) >> frame % _WORD_BITS & 1) for frame in frames]

    def mark(self, frames: Iterable[int]) -> None:
        """Marks frames idle; bits of a word that are 0 are left as they are."""
        bits: dict[int, int] = {}
        for frame in frames:
            bits[frame // _WORD_BITS] = bits.get(frame // _WORD_BITS, 0) | 1 << frame % _WORD_BITS
        words.store(self._bitmap, bits)

    def _heads_of_tails(self, tails: Iterable[int]) -> dict[int, int]:
        """Returns the last head before each of these frames; without those whose folio is gone by now.

        A folio of a process is within the frames of a huge page, so that many are asked for at once.
        """
        heads: dict[int, int] = {}
        with self._flags.open("rb", buffering=0) as file:
            for block, frames in groupby(sorted(tails), lambda frame: frame - frame % self._huge_frames):
                flags = os.pread(file.fileno(), self._huge_frames * WORD_BYTES, block * WORD_BYTES)
                is_head = flags[1::WORD_BYTES].translate(_IS_HEAD)
                found = ((frame, is_head.rfind(1, 0, frame - block)) for frame in frames)
                heads |= {frame: block + place for frame, place in found if place >= 0}
        return heads


def frames_of(fs: HostFs, procfs: Procfs) -> Frames:
    """Returns the frames of the host that `fs` shows."""
    return Frames(fs.locate(BITMAP), page_bytes=procfs.page_bytes)


class _Samples:
    """Frames that were marked idle, and their addresses in order: 16 bytes each."""

    def __init__(self) -> None:
        self._addresses, self._frames = array("Q"), array("Q")

    def add(self, addresses: Iterable[int], frames: Iterable[int]) -> None:
        self._addresses.extend(addresses)
        self._frames.extend(frames)

    def between(self, start: int, end: int) -> dict[int, int]:
        """Returns the frames of a range by address."""
        part = slice(bisect_left(self._addresses, start), bisect_left(self._addresses, end))
        return dict(zip(self._addresses[part], self._frames[part], strict=True))


class IdlePageTracker:
    """See `tracker.Tracker`."""

    name = "idle pages"
    blind_spot = f"one page of {EVERY} is looked at and stands for its neighbours"
    blind_looks = 0
    left_out = 0
    holds = False

    def __init__(self, procfs: Procfs, frames: Frames, clock: Callable[[], float] = time.monotonic) -> None:
        self._procfs = procfs
        self._frames = frames
        self._clock = clock
        self._marked: dict[int, _Samples] = {}
        self.longest_stall_s = 0.0

    def works(self) -> bool:
        """Returns whether it can track now: `trackers` has looked."""
        return True

    def may_track(self, resident_bytes: int) -> bool:
        """Returns whether a process of that size is looked at: nothing of it is held up."""
        del resident_bytes
        return True

    def begin(self, pid: int) -> None:
        """Nothing: each look marks what the next one reads."""

    def look(self, pid: int, vmas: Iterable[Vma]) -> Iterator[tuple[Vma, Look]]:
        """Yields what was touched since the look before, and marks everything idle again, range by range."""
        before, now = self._marked.get(pid, _Samples()), _Samples()
        for vma in vmas:
            addresses = range(vma.start, vma.end, EVERY * vma.page_bytes)
            found = self._procfs.frames(pid, vma.start // vma.page_bytes, vma.pages, EVERY)
            frames, marked = self._frames.heads(found), before.between(vma.start, vma.end)
            known = [
                frame if frame and marked.get(at) == frame else 0 for at, frame in zip(addresses, frames, strict=True)
            ]
            seen = conclude(vma.pages, frames, known, self._frames.idle(known))
            self._frames.mark(filter(None, frames))
            now.add(addresses, frames)
            yield vma, seen
        self._marked = {one: samples for one, samples in self._marked.items() if one != pid} | {pid: now}

    def keep(self, started: Mapping[int, int], *, every_s: float) -> None:
        """Forgets all processes but these."""
        del every_s
        self._marked = {pid: self._marked[pid] for pid in started if pid in self._marked}

    def release(self) -> None:
        """Forgets all processes; bits of frames are nobody's."""
        self._marked = {}


def sees_frames(procfs: Procfs) -> bool:
    """Returns whether frame numbers are told: with CAP_SYS_ADMIN only (pagemap.rst)."""
    block = array("B", b"\1" * (2 * procfs.page_bytes))
    page = -(-block.buffer_info()[0] // procfs.page_bytes)
    try:
        return any(procfs.frames(os.getpid(), page, 1, 1))
    except OSError:
        return False


def conclude(pages: int, frames: list[int], known: list[int], idle: list[bool]) -> Look:
    """Returns what the samples tell of all pages. Pure.

    One that moved meanwhile, or is new, may have been touched; one that is not in memory is no cold memory.
    """
    sure = bytes(TOUCHED if frame and not still else 0 for frame, still in zip(known, idle, strict=True))
    maybe = bytes(
        0 if frame and same and still else TOUCHED for frame, same, still in zip(frames, known, idle, strict=True)
    )
    return Look(sure=_spread(sure, pages), maybe=_spread(maybe, pages))


def _spread(samples: bytes, pages: int) -> bytes:
    spread = bytearray(len(samples) * EVERY)
    for offset in range(EVERY):
        spread[offset::EVERY] = samples
    return bytes(spread[:pages])
