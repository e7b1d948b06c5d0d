"""Whether this process may track and move the pages of others, tried on what is there. After: the engine's capability.

Nothing here changes another process; the soft-dirty bits of this one are cleared. What is tried: the pid namespace, a
query of move_pages(2) on ourselves, reading `pagemap` of the host's first process, and whether a write shows in
soft-dirty bits of a page of our own.
"""

import errno
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from terrace_agent.errors import EngineUnavailable
from terrace_agent.move_pages.idle_pages import Frames, IdlePageTracker
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.syscall import query
from terrace_agent.move_pages.trackers import best

_INITIAL_PID_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO (Linux include/linux/proc_ns.h)."""
_CURE = "The chart's value movePages.enabled grants what is needed; by hand, run as root."


def no_host_proc() -> EngineUnavailable:
    """Returns what is missing where the host's processes are not there to be seen."""
    message = f"The agent does not see the host's processes (host's /proc, hostPID). {_CURE}"
    return EngineUnavailable(reason="NoHostProc", message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Privilege:
    """What was found.

    Attributes:
        namespace: as `/proc/self/ns/pid` links to.
        query_errno: of move_pages(2) on ourselves; 0 for none.
        pagemap_errno: of reading `/proc/1/pagemap`.
        tells_pages: whether the kernel tells page by page which were touched, or written.
    """

    namespace: str
    query_errno: int
    pagemap_errno: int
    tells_pages: bool

    @property
    def sees_processes(self) -> bool:
        """Whether pids are the host's, and pages of others may be moved."""
        return self.namespace == _INITIAL_PID_NAMESPACE and not self.query_errno


def look(procfs: Procfs, frames: Frames, root: Path = Path("/proc")) -> Privilege:
    """Returns what this process may do now."""
    return Privilege(
        namespace=str((root / "self/ns/pid").readlink()),
        query_errno=_errno_of_query(),
        pagemap_errno=_errno_of_pagemap(procfs),
        tells_pages=isinstance(best(procfs, frames), IdlePageTracker) or _sees_writes(procfs),
    )


def missing(found: Privilege) -> EngineUnavailable | None:
    """Returns what is missing and how to get it; None if nothing is. Pure."""
    return next((EngineUnavailable(reason=reason, message=f"{why} {_CURE}") for reason, why in _gaps(found)), None)


def _gaps(found: Privilege) -> Iterator[tuple[str, str]]:
    if found.query_errno == errno.ENOSYS:
        yield "NoMovePages", "This kernel has no move_pages(2) (CONFIG_NUMA_MIGRATION or CONFIG_MIGRATION)."
    elif found.query_errno:
        yield "Seccomp", "The seccomp profile of the agent does not let move_pages(2) through."
    if found.namespace != _INITIAL_PID_NAMESPACE:
        yield "NoHostPid", "The agent does not see the host's processes (hostPID)."
    if found.pagemap_errno:
        yield "NoPtrace", "The agent may not read pagemap of other processes (CAP_SYS_PTRACE, CAP_DAC_OVERRIDE)."
    if not found.tells_pages:
        yield (
            "NoTracker",
            "This kernel tells no accesses (CONFIG_DAMON_VADDR, CONFIG_IDLE_PAGE_TRACKING, CONFIG_MEM_SOFT_DIRTY).",
        )


def _errno_of_query() -> int:
    try:
        query(0, array("Q", [0]))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _errno_of_pagemap(procfs: Procfs) -> int:
    try:
        procfs.page_flags(1, 0, 1)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _sees_writes(procfs: Procfs) -> bool:
    """Returns whether a written page of ours is soft-dirty, and was not before it was written."""
    block = array("B", bytes(3 * procfs.page_bytes))
    page = -(-block.buffer_info()[0] // procfs.page_bytes)
    try:
        procfs.clear_refs(os.getpid(), "4")
        before, _ = procfs.page_flags(os.getpid(), page, 1)
        block[page * procfs.page_bytes - block.buffer_info()[0]] = 1
        after, _ = procfs.page_flags(os.getpid(), page, 1)
    except OSError:
        return False
    return before != after
