"""Reads and stores below `/proc/PID`; concludes nothing. A process may end at any time: that is an empty answer.

Before: pids. After: `vmas`, trackers. Each of these files needs `ptrace` access to the process, and where it runs as
another user, CAP_DAC_OVERRIDE, since they belong to that user and are for its eyes only.
"""

import contextlib
import os
from array import array
from collections.abc import Iterator
from pathlib import Path

_ENTRY_BYTES = 8
_FRAME, _PRESENT = (1 << 55) - 1, 1 << 63
_GONE = (FileNotFoundError, ProcessLookupError)


class Procfs:
    """The files of other processes, of the pid namespace that `root` was mounted in.

    Attributes:
        page_bytes: size of a page on this machine; None as an argument asks the kernel.
    """

    def __init__(self, root: Path = Path("/proc"), *, page_bytes: int | None = None) -> None:
        self.page_bytes = page_bytes or os.sysconf("SC_PAGE_SIZE")
        self._root = root

    def smaps(self, pid: int) -> Iterator[str]:
        """Yields the lines of `smaps`, one at a time, for a process may have very many; none of one that is gone.

        Raises:
            OSError: it may not be read.
        """
        return self._lines(pid, "smaps")

    def numa_maps(self, pid: int) -> Iterator[str]:
        """Yields the lines of `numa_maps`; see `smaps`."""
        return self._lines(pid, "numa_maps")

    def resident_bytes(self, pid: int) -> int:
        """Returns what the process has in memory; 0 for one that is gone."""
        fields = self._text(pid, "statm").split()
        return int(fields[1]) * self.page_bytes if len(fields) > 1 else 0

    def started(self, pid: int) -> int:
        """Returns when the process started, in ticks since boot: a pid may be another process' by now."""
        after_name = self._text(pid, "stat").rpartition(")")[2].split()
        return int(after_name[19]) if len(after_name) > 19 else 0

    def page_flags(self, pid: int, start: int, pages: int) -> tuple[bytes, bytes]:
        """Returns of consecutive pages whether they are soft-dirty and whether they are present: 0x80 or 0 each.

        An entry of `pagemap` is eight bytes, little endian; soft-dirty is bit 55 and present is bit 63, so each is the
        highest bit of one byte (Documentation/admin-guide/mm/pagemap.rst). Pages that are not there read as neither.

        Raises:
            OSError: it may not be read.
        """
        entries = self._pagemap(pid, start, pages).ljust(pages * _ENTRY_BYTES, b"\0")
        return entries[6::_ENTRY_BYTES].translate(_HIGHEST), entries[7::_ENTRY_BYTES].translate(_HIGHEST)

    def frames(self, pid: int, start: int, pages: int, every: int) -> "array[int]":
        """Returns the page frame number of every so manieth page; 0 for one that is not there.

        Bits 0 to 54 of an entry; without CAP_SYS_ADMIN the kernel says 0 for all (pagemap.rst).

        Raises:
            OSError: it may not be read.
        """
        entries = array("Q", self._pagemap(pid, start, pages).ljust(pages * _ENTRY_BYTES, b"\0"))
        return array("Q", (entry & _FRAME if entry & _PRESENT else 0 for entry in entries[::every]))

    def clear_refs(self, pid: int, what: str) -> None:
        """Stores in `clear_refs`: 1 clears accessed bits, 4 soft-dirty bits (soft-dirty.rst).

        Raises:
            OSError: it may not be stored to.
        """
        with contextlib.suppress(*_GONE):
            descriptor = os.open(self._root / str(pid) / "clear_refs", os.O_WRONLY)
            try:
                os.write(descriptor, what.encode())
            finally:
                os.close(descriptor)

    def _text(self, pid: int, name: str) -> str:
        with contextlib.suppress(*_GONE):
            return (self._root / str(pid) / name).read_text(encoding="utf-8", errors="replace")
        return ""

    def _lines(self, pid: int, name: str) -> Iterator[str]:
        path = self._root / str(pid) / name
        with contextlib.suppress(*_GONE), path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for line in file:
                yield line.removesuffix("\n")

    def _pagemap(self, pid: int, start: int, pages: int) -> bytes:
        with contextlib.suppress(*_GONE), (self._root / str(pid) / "pagemap").open("rb", buffering=0) as file:
            file.seek(start * _ENTRY_BYTES)
            return file.read(pages * _ENTRY_BYTES) or b""
        return b""


_HIGHEST = bytes(value & 0x80 for value in range(256))
