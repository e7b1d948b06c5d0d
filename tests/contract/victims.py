"""Processes in a guest whose pages a mover is to move: made, killed and asked by the programs that run there."""

import ctypes
import mmap
import os
import signal
import subprocess
import time
from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.syscall import query
from terrace_agent.move_pages.vmas import parse_numa_maps
from terrace_agent.steps import Move

MIB = 1 << 20
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CGROUPS = Path("/sys/fs/cgroup")
_LARGE_PAGES = 1_000


@dataclass(frozen=True, kw_only=True)
class Victim:
    """A child of this process, with a block of memory that is there."""

    pid: int
    started: int
    block: range

    def order(self, *, source: int, nid: int) -> Move:
        """Returns the order to move all of the block."""
        return Move(
            pid=self.pid,
            started=self.started,
            promotes=nid < source,
            sources=(source,),
            nid=nid,
            runs=(self.block,),
            limit_pages=len(self.block),
        )

    def end(self) -> None:
        """Kills it, unless somebody has, and reaps it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def victim(mib: int, cgroup: str = "") -> Victim:
    """Returns a child that has filled so much memory, and waits to be killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        _fill_and_wait(mib, cgroup, writing)
    os.close(writing)
    with os.fdopen(reading) as told:
        start = int(told.readline())
    return Victim(pid=pid, started=Procfs().started(pid), block=range(start, start + mib * MIB, PAGE_BYTES))


def _fill_and_wait(mib: int, cgroup: str, writing: int) -> None:
    if cgroup:
        (CGROUPS / cgroup / "cgroup.procs").write_text(str(os.getpid()))
    block = mmap.mmap(-1, mib * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for offset in range(0, len(block), MIB):
        block[offset : offset + MIB] = b"\1" * MIB
    start = ctypes.addressof(ctypes.c_char.from_buffer(block))
    os.write(writing, f"{start}\n".encode())
    while True:
        signal.pause()


def hot(mib: int, cgroup: str) -> subprocess.Popen[bytes]:
    """Starts a process of a cgroup that touches so much memory of nid 1 all the time."""
    words = f"/opt/hotcold --hot-mib {mib} --cold-mib 0 --hot-nid 1 --interval-s 600 --cpu 1"
    script = f"echo $$ > {CGROUPS}/{cgroup}/cgroup.procs; exec {words}"
    return subprocess.Popen(["sh", "-c", script], stdout=subprocess.DEVNULL)


def places(one: Victim) -> dict[int, int]:
    """Returns where the pages of its block are."""
    return dict(Counter(query(one.pid, array("Q", one.block))))


def pages_by_nid(pid: int) -> dict[int, int]:
    """Returns where the pages of the large ranges of a process are; nothing of one that is gone."""
    found: Counter[int] = Counter()
    for one in parse_numa_maps(Procfs().numa_maps(pid)):
        if sum(one.pages_by_nid.values()) >= _LARGE_PAGES:
            found.update(one.pages_by_nid)
    return dict(found)


def wait_for(pid: int, mib: int) -> None:
    """Waits until a process has so much memory."""
    while sum(pages_by_nid(pid).values()) * PAGE_BYTES < mib * MIB:
        time.sleep(0.1)


def make_cgroup(path: str, *, mems: str = "") -> None:
    """Makes a cgroup two levels below the root, with a cpuset if it gets nids."""
    folder = CGROUPS / path
    folder.mkdir(parents=True, exist_ok=True)
    for parent in (CGROUPS, folder.parent):
        (parent / "cgroup.subtree_control").write_text("+cpuset +memory")
    if mems:
        (folder / "cpuset.mems").write_text(mems)


def footprint(pid: int) -> tuple[int, int]:
    """Returns the open files of a process, and its memory in MiB."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), Procfs().resident_bytes(pid) // MIB
