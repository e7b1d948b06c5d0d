"""Reads the counters that `verify` checks DAMON's own against."""

from terrace_agent.damon.verify import Oracle
from terrace_agent.errors import HostFileMissing
from terrace_agent.hostfs import HostFs

_NODES = "/sys/devices/system/node"
_VMSTAT = "/proc/vmstat"
_HUGE_PAGE = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"


def read_oracle(fs: HostFs) -> Oracle:
    """Returns what the node counts now; a counter that this kernel does not have stays 0."""
    huge = _text(fs, _HUGE_PAGE)
    return Oracle(
        foreign_pages={
            int(name.removeprefix("node")): _count(_text(fs, f"{_NODES}/{name}/numastat"), "numa_foreign")
            for name in fs.names(_NODES)
            if name.removeprefix("node").isdecimal()
        },
        thp_migrations=_count(_text(fs, _VMSTAT), "thp_migration_success"),
        huge_page_bytes=int(huge) if huge.isdecimal() else 2 << 20,
    )


def _text(fs: HostFs, path: str) -> str:
    try:
        return fs.read(path)
    except HostFileMissing:
        return ""


def _count(text: str, name: str) -> int:
    return next((int(words[1]) for line in text.splitlines() if (words := line.split())[:1] == [name]), 0)
