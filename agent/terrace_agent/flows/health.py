"""Reads how the node bears what is done to it; concludes nothing. After: `guards`."""

import re
from dataclasses import dataclass

from terrace_agent.errors import HostFileMissing, HostFileUnreadable
from terrace_agent.hostfs import HostFs

_UPTIME = "/proc/uptime"
_PRESSURE = "/proc/pressure/memory"
_VMSTAT = "/proc/vmstat"
_STAT = "/proc/stat"
_SOME_AVG60 = re.compile(r"^some .*avg60=(\d+)\.(\d\d)", re.MULTILINE)
_BTIME = re.compile(r"^btime (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One look.

    Attributes:
        uptime_s: when; seconds since boot.
        pressure_bp: share of the last minute in which some task waited for memory; None where it is not measured.
        huge_moved: huge pages that were migrated whole, since boot.
        huge_split: huge pages that had to be split for it, since boot.
        booted_s: when this boot was, by the clock, in seconds since 1970; None where that cannot be read.
    """

    uptime_s: float
    pressure_bp: int | None = None
    huge_moved: int = 0
    huge_split: int = 0
    booted_s: int | None = None


def read_health(fs: HostFs) -> Health:
    """Returns how the node is now; a counter that this kernel does not have stays 0."""
    pressure, booted = _SOME_AVG60.search(_text(fs, _PRESSURE)), _BTIME.search(_text(fs, _STAT))
    counters = dict(line.split()[:2] for line in _text(fs, _VMSTAT).splitlines() if len(line.split()) > 1)
    return Health(
        uptime_s=read_uptime_s(fs),
        pressure_bp=int(pressure[1]) * 100 + int(pressure[2]) if pressure else None,
        huge_moved=int(counters.get("thp_migration_success", 0)),
        huge_split=int(counters.get("thp_migration_split", 0)),
        booted_s=int(booted[1]) if booted else None,
    )


def read_uptime_s(fs: HostFs) -> float:
    """Returns how long ago this boot was; 0 where that cannot be read."""
    return float((_text(fs, _UPTIME) or "0").split()[0])


def _text(fs: HostFs, path: str) -> str:
    try:
        return fs.read(path)
    except (HostFileMissing, HostFileUnreadable):
        # Pressure is EOPNOTSUPP on a kernel that was booted with psi=0.
        return ""
