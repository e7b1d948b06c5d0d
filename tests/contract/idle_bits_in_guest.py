"""Runs in a guest: what idle bits tell of a block of memory that is made of folios of each size, told as JSON.

Of each size: how many folios the samples are of, and how many pages of each MiB were touched, by a look at memory that
nobody touched since the look before, and by one after a read of all of `READ`.
"""

import ctypes
import json
import mmap
import os
import sys
from pathlib import Path

from terrace_agent.hostfs import MountedHostFs
from terrace_agent.move_pages.heat import TOUCHED
from terrace_agent.move_pages.idle_pages import EVERY, IdlePageTracker, frames_of
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.vmas import Vma

SIZES_KB = {"pages": 0, "small folios": 64, "folios": 128, "large folios": 512, "huge pages": 2048}
THP = Path("/sys/kernel/mm/transparent_hugepage")
PAGE_BYTES, MIB = os.sysconf("SC_PAGE_SIZE"), 1 << 20
BLOCK_MIB, HUGE_MIB = 8, 2
READ = range(2 * MIB, 4 * MIB)
_PAGES = MIB // PAGE_BYTES


class Block:
    """Memory of this process, which begins where a huge page may."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, (BLOCK_MIB + HUGE_MIB) * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._offset = -address % (HUGE_MIB * MIB)
        start = address + self._offset
        self.vma = Vma(start=start, end=start + BLOCK_MIB * MIB, page_bytes=PAGE_BYTES)
        for at in range(0, BLOCK_MIB * MIB, PAGE_BYTES):
            self._memory[self._offset + at] = 1

    def read(self, part: range) -> None:
        """Reads a byte of each page of a part."""
        for at in part[::PAGE_BYTES]:
            self._memory[self._offset + at]


def flush_tlb() -> None:
    """Changes the protection of more than 33 pages: an emulated CPU sets accessed bits when its TLB does not know."""
    spare = mmap.mmap(-1, MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    spare.write(bytes(MIB))
    address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(spare)))
    libc = ctypes.CDLL(None)
    for protection in (mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE):
        libc.mprotect(address, MIB, protection)


def told_of(size_kb: int) -> dict[str, object]:
    """Returns what looks at a block of folios of this size tell."""
    for folder in THP.glob("hugepages-*kB"):
        if (folder / "enabled").exists():
            (folder / "enabled").write_text("always" if folder.name == f"hugepages-{size_kb}kB" else "never")
    procfs = Procfs()
    frames = frames_of(MountedHostFs(Path("/")), procfs)
    tracker, block = IdlePageTracker(procfs, frames), Block()

    def touched() -> list[int]:
        flush_tlb()
        [(_, look)] = tracker.look(os.getpid(), (block.vma,))
        return [look.sure[at : at + _PAGES].count(TOUCHED) for at in range(0, len(look.sure), _PAGES)]

    samples = procfs.frames(os.getpid(), block.vma.start // PAGE_BYTES, block.vma.pages, EVERY)
    touched()
    quiet = touched()
    flush_tlb()
    block.read(READ)
    return {"folios": len(set(frames.heads(samples))), "quiet": quiet, "read": touched()}


if __name__ == "__main__":
    json.dump({name: told_of(size_kb) for name, size_kb in SIZES_KB.items()}, sys.stdout)
