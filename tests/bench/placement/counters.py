"""What a kernel counted by a moment: pages moved, and who used how much CPU time. Pure.

Before: `rig`, which reads the files. After: `figures`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

READ = "cat /proc/uptime; echo; cat /proc/vmstat; echo; cat /proc/[0-9]*/stat 2>/dev/null || true"
"""The script whose output `parse` takes. A process may end between its name and its file."""
_PAGE_BYTES = 4096
_TICKS_A_SECOND = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """One moment.

    Attributes:
        migrated_bytes: in any direction and for any reason, reclaim's demotion and compaction included.
        kdamond_s: CPU time of all kdamonds, likewise of kswapd and of the session of the contestant's own process.
    """

    monotonic_s: float
    migrated_bytes: int
    kdamond_s: float
    kswapd_s: float
    agent_s: float


def parse(text: str, *, session: int) -> Counters:
    """Returns what the output of `READ` says.

    Args:
        text: three parts with an empty line between them.
        session: the session that the contestant's process leads; 0 if it has none.
    """
    uptime, vmstat, stats = text.split("\n\n", 2)
    counts = dict(line.split() for line in vmstat.splitlines())
    processes = [_Process.of(line) for line in stats.splitlines()]
    return Counters(
        monotonic_s=float(uptime.split()[0]),
        migrated_bytes=int(counts["pgmigrate_success"]) * _PAGE_BYTES,
        kdamond_s=_seconds(one for one in processes if one.name.startswith("kdamond")),
        kswapd_s=_seconds(one for one in processes if one.name.startswith("kswapd")),
        agent_s=_seconds(one for one in processes if session and one.session == session),
    )


@dataclass(frozen=True, slots=True)
class _Process:
    name: str
    session: int
    ticks: int

    @classmethod
    def of(cls, line: str) -> _Process:
        """Reads /proc/PID/stat (proc_pid_stat(5)): the name is in brackets and may hold anything; with its children."""
        name, _, rest = line.partition("(")[2].rpartition(")")
        fields = rest.split()
        return cls(name, int(fields[3]), sum(int(field) for field in fields[11:15]))


def _seconds(processes: Iterable[_Process]) -> float:
    return sum(one.ticks for one in processes) / _TICKS_A_SECOND
