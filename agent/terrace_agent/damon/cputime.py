"""Reads how much CPU time kdamonds have used; concludes nothing. After: `easing`."""

import os
from collections.abc import Iterable

from terrace_agent.damon.easing import CpuTimes
from terrace_agent.errors import HostFileMissing, HostFileUnreadable
from terrace_agent.hostfs import HostFs

_NAME = "(kdamond."


def read_cpu_times(fs: HostFs, pids: Iterable[int], *, uptime_s: float) -> CpuTimes:
    """Returns the times of those pids that are kdamonds; without the host's `/proc` there is none."""
    used = {pid: _used_s(fs, pid) for pid in pids}
    return CpuTimes(uptime_s=uptime_s, used_s={pid: seconds for pid, seconds in used.items() if seconds is not None})


def _used_s(fs: HostFs, pid: int) -> float | None:
    try:
        text = fs.read(f"/proc/{pid}/stat")
    except (HostFileMissing, HostFileUnreadable):
        return None
    if _NAME not in text:
        # In another pid namespace the number is somebody else's.
        return None
    # utime and stime, fields 14 and 15 of proc_pid_stat(5), in clock ticks.
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
