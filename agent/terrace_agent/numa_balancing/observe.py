"""Reads what the kernel says of its own tiering; concludes nothing. After: `fitness`, `desired`, `counters`."""

from collections.abc import Mapping
from dataclasses import dataclass

from terrace_agent.flows.balancing import NUMA_BALANCING
from terrace_agent.flows.demotion import DEMOTION_ENABLED
from terrace_agent.hostfs import HostFs, read_optional

RATE_LIMIT = "/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps"
_VMSTAT = "/proc/vmstat"
_COUNTERS = ("pgpromote_", "pgdemote_")
_TIERS = "/sys/devices/virtual/memory_tiering"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The settings as one look found them; None for a file that this kernel does not have.

    Attributes:
        mode: bits of `numa_balancing`.
        rate_limit_mib_s: of promotion into one nid.
        demotion_enabled: true or false.
        pages: the counters `pgpromote_*` and `pgdemote_*` since boot, by name.
        memory_tiers: names of the kernel's memory tiers that have memory.
        node_reclaim: nids that can be asked to reclaim (`nodeN/reclaim`, Linux 6.17).
    """

    mode: int | None = None
    rate_limit_mib_s: int | None = None
    demotion_enabled: str | None = None
    pages: Mapping[str, int]
    memory_tiers: tuple[str, ...] = ()
    node_reclaim: frozenset[int] = frozenset()

    def value(self, path: str) -> str | None:
        """Returns what the file of a setting holds."""
        found = {NUMA_BALANCING: self.mode, RATE_LIMIT: self.rate_limit_mib_s, DEMOTION_ENABLED: self.demotion_enabled}
        value = found[path]
        return None if value is None else str(value)


def observe(fs: HostFs) -> Observed:
    """Returns what is there now.

    Raises:
        HostFileUnreadable: a file cannot be read.
    """
    mode, rate = read_optional(fs, NUMA_BALANCING), read_optional(fs, RATE_LIMIT)
    return Observed(
        mode=int(mode) if mode else None,
        rate_limit_mib_s=int(rate) if rate else None,
        demotion_enabled=read_optional(fs, DEMOTION_ENABLED),
        pages=parse_counters(read_optional(fs, _VMSTAT) or ""),
        memory_tiers=tuple(name for name in fs.names(_TIERS) if read_optional(fs, f"{_TIERS}/{name}/nodelist")),
        node_reclaim=frozenset(_reclaimable(fs)),
    )


def node_reclaim_path(nid: int) -> str:
    """Returns the file that takes how much a nid shall reclaim."""
    return f"/sys/devices/system/node/node{nid}/reclaim"


def parse_counters(text: str) -> dict[str, int]:
    """Returns the counters of promotion and demotion in `/proc/vmstat`, in pages."""
    rows = (line.split() for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[0].startswith(_COUNTERS)}


def _reclaimable(fs: HostFs) -> list[int]:
    numbers = (name.removeprefix("node") for name in fs.folders("/sys/devices/system/node"))
    nids = (int(number) for number in numbers if number.isdecimal())
    return [nid for nid in nids if fs.exists(node_reclaim_path(nid))]
