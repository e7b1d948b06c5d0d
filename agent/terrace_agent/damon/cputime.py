"""Reads how much CPU time kdamonds have used, and since when; concludes nothing. After: `easing`, `watchers`."""

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


def read_start_s(fs: HostFs, pid: int) -> float | None:
    """Returns when a kdamond was started, in seconds since boot; None without the host's `/proc`."""
    fields = _fields(fs, pid)
    # starttime, field 22 of proc_pid_stat(5), in clock ticks since boot.
    return int(fields[19]) / os.sysconf("SC_CLK_TCK") if fields else None


def _used_s(fs: HostFs, pid: int) -> float | None:
    fields = _fields(fs, pid)
    # utime and stime, fields 14 and 15, in clock ticks.
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else None


def _fields(fs: HostFs, pid: int) -> list[str]:
    """Returns the fields of proc_pid_stat(5) from the third on; none if that pid is no kdamond here."""
    try:
        text = fs.read(f"/proc/{pid}/stat")
    except (HostFileMissing, HostFileUnreadable):
        return []
    # In another pid namespace the number is somebody else's.
    return text.rpartition(")")[2].split() if _NAME in text else []
