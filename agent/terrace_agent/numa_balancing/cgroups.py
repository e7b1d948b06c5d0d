"""Reads what leaf cgroups have on which nid. After: `room`."""

from collections.abc import Iterable

from terrace_agent.errors import HostFileMissing
from terrace_agent.hostfs import HostFs
from terrace_agent.numa_balancing.room import CgroupMemory
from terrace_agent.pods import parse_rows
from terrace_agent.workloads.cgroups import ROOT


def read_memory(fs: HostFs, paths: Iterable[str]) -> tuple[CgroupMemory, ...]:
    """Returns the memory of those that take orders to reclaim; one that ends meanwhile is left out."""
    able = (path for path in paths if fs.exists(reclaim_path(path)))
    return tuple(found for path in able if (found := _read(fs, path)))


def reclaim_path(cgroup: str) -> str:
    """Returns the file that takes how much a cgroup shall reclaim."""
    return f"{ROOT}{cgroup}".rstrip("/") + "/memory.reclaim"


def _read(fs: HostFs, path: str) -> CgroupMemory | None:
    try:
        rows = parse_rows(fs.read(f"{ROOT}{path}".rstrip("/") + "/memory.numa_stat"))
    except HostFileMissing:
        return None
    return CgroupMemory(path=path, anon_bytes=rows.get("anon", {}), file_bytes=sum(rows.get("file", {}).values()))
