"""Reads which processes belong to which cgroup. After: `watch`."""

import os
from collections.abc import Iterable

from terrace_agent.errors import HostFileMissing, HostFileUnreadable
from terrace_agent.hostfs import HostFs
from terrace_agent.workloads.cgroups import ROOT


def read_pids(fs: HostFs, cgroups: Iterable[str]) -> dict[int, str]:
    """Returns the cgroup of each process of these cgroups, our own left out; what ends meanwhile is left out, too.

    A process outside our pid namespace reads as 0, and a threaded cgroup lists its processes at its root only.
    """
    found = {}
    for path in cgroups:
        for word in _procs(fs, path).split():
            found[int(word)] = path
    return {pid: path for pid, path in found.items() if pid not in {0, os.getpid()}}


def _procs(fs: HostFs, path: str) -> str:
    try:
        return fs.read(f"{ROOT}{path}".rstrip("/") + "/cgroup.procs")
    except (HostFileMissing, HostFileUnreadable):
        return ""
