"""Processes with pages on two nids, which a tracker can look at and a mover can move."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from terrace_agent.move_pages.batches import Outcome, finished
from terrace_agent.move_pages.pilot import Pilot
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.steps import Move

BASE = 0x7F00_0000_0000


@dataclass
class SimRange:
    """One range of a process; flags of its pages are those of `clear_refs`."""

    pages: int
    nid: int
    start: int = BASE
    policy: str = "default"
    backed: bool = False
    nids: list[int] = field(default_factory=list)
    dirty: bytearray = field(default_factory=bytearray)
    referenced: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.nids = [self.nid] * self.pages
        self.dirty, self.referenced = bytearray(self.pages), bytearray(self.pages)

    def touch(self, pages: Iterable[int], *, write: bool) -> None:
        """Reads or writes pages."""
        for page in pages:
            self.referenced[page] = 1
            self.dirty[page] |= 0x80 if write else 0

    def on(self, nid: int) -> int:
        """How many pages are on a nid."""
        return self.nids.count(nid)


@dataclass
class SimProcess:
    """A process; ranges do not overlap."""

    ranges: list[SimRange]
    started: int = 7
    shared: set[int] = field(default_factory=set)


class SimProcfs(Procfs):
    """The files of simulated processes, and the machine's nids."""

    def __init__(self, free_pages: dict[int, int], page_bytes: int = 4096) -> None:
        super().__init__(Path("/nowhere"), page_bytes=page_bytes)
        self.free_pages = free_pages
        self.processes: dict[int, SimProcess] = {}
        self.refused: set[int] = set()

    def smaps(self, pid: int) -> Iterator[str]:
        kib = self.page_bytes // 1024
        for one in self._ranges(pid):
            yield f"{one.start:x}-{one.start + one.pages * self.page_bytes:x} rw-p 00000000 00:00 0"
            yield f"Rss: {one.pages * kib} kB"
            yield f"Referenced: {sum(one.referenced) * kib} kB"
            yield "VmFlags: rd wr"

    def numa_maps(self, pid: int) -> Iterator[str]:
        for one in self._ranges(pid):
            backed = "file=/lib.so " if one.backed else ""
            nids = f"N0={one.on(0)} N1={one.on(1)}"
            yield f"{one.start:x} {one.policy} {backed}anon={one.pages} {nids} kernelpagesize_kB=4"

    def resident_bytes(self, pid: int) -> int:
        return sum(one.pages for one in self._ranges(pid)) * self.page_bytes

    def started(self, pid: int) -> int:
        return self.processes[pid].started if pid in self.processes else 0

    def page_flags(self, pid: int, start: int, pages: int) -> tuple[bytes, bytes]:
        for one in self._ranges(pid):
            if one.start == start * self.page_bytes:
                return bytes(one.dirty[:pages]), b"\x80" * pages
        return bytes(pages), bytes(pages)

    def clear_refs(self, pid: int, what: str) -> None:
        if pid in self.refused:
            raise PermissionError(13, "Permission denied")
        for one in self._ranges(pid):
            flags = one.dirty if what == "4" else one.referenced
            flags[:] = bytes(one.pages)

    def _ranges(self, pid: int) -> list[SimRange]:
        return self.processes[pid].ranges if pid in self.processes else []


class SimPilot(Pilot):
    """Moves pages of simulated processes, as move_pages(2) would."""

    def __init__(self, procfs: SimProcfs) -> None:
        super().__init__()
        self._procfs = procfs
        self.orders: list[Move] = []

    def carry_out(self, order: Move) -> Outcome:
        self.orders.append(order)
        self.finished = order.runs
        process = self._procfs.processes.get(order.pid)
        if process is None or process.started != order.started:
            return Outcome(gone=1)
        done = Outcome()
        for run in order.runs:
            for address in run:
                if done.moved >= order.limit_pages:
                    self.finished = finished(order.runs, 0, address)
                    return done
                done += self._page(process, address, order)
        return done

    def _page(self, process: SimProcess, address: int, order: Move) -> Outcome:
        for one in process.ranges:
            page = (address - one.start) // self._procfs.page_bytes
            if 0 <= page < one.pages:
                if one.nids[page] not in order.sources:
                    return Outcome(there=1)
                if address in process.shared:
                    return Outcome(shared=1)
                if self._procfs.free_pages[order.nid] <= 0:
                    return Outcome(full=1)
                self._procfs.free_pages[order.nid] -= 1
                self._procfs.free_pages[one.nids[page]] += 1
                one.nids[page] = order.nid
                return Outcome(moved=1)
        return Outcome(gone=1)
