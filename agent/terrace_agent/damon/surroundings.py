"""What else on this node has to do with DAMON or with moving memory: read, and concluded nothing from."""

from dataclasses import dataclass

from terrace_agent.damon.read import ObservedKdamond, TreeReader
from terrace_agent.flows.balancing import NUMA_BALANCING
from terrace_agent.flows.demotion import DEMOTION_ENABLED
from terrace_agent.hostfs import HostFs, read_optional

DAMON_STAT = "/sys/module/damon_stat/parameters/enabled"
_NUMA_STAT = "/proc/sys/vm/numa_stat"

_EXCLUSIVE_MODULES = (
    "damon_reclaim",
    "damon_lru_sort",
    "damon_tier",
    "damon_sample_mtier",
    "damon_sample_prcl",
    "damon_sample_wsse",
)
"""Modules that start a kdamond which tolerates no other; damon_stat is treated on its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The node as one look found it; None for a file that this kernel does not have.

    Attributes:
        damon_stat: Y or N.
        demotion_enabled: true or false.
        numa_balancing: its bits.
        numa_stat: whether allocations are counted by nid.
        exclusive: names of the modules that are enabled and tolerate no kdamond beside theirs.
    """

    kdamonds: tuple[ObservedKdamond, ...]
    damon_stat: str | None = None
    demotion_enabled: str | None = None
    numa_balancing: int | None = None
    numa_stat: bool | None = None
    exclusive: tuple[str, ...] = ()


def observe(fs: HostFs, reader: TreeReader) -> Observed:
    """Returns what is there now.

    Raises:
        HostFileUnreadable: a file cannot be read.
    """
    balancing, counts = read_optional(fs, NUMA_BALANCING), read_optional(fs, _NUMA_STAT)
    return Observed(
        kdamonds=reader.kdamonds() if reader.exists() else (),
        damon_stat=read_optional(fs, DAMON_STAT),
        demotion_enabled=read_optional(fs, DEMOTION_ENABLED),
        numa_balancing=int(balancing) if balancing and balancing.isdecimal() else None,
        numa_stat=counts != "0" if counts else None,
        exclusive=tuple(
            name for name in _EXCLUSIVE_MODULES if read_optional(fs, f"/sys/module/{name}/parameters/enabled") == "Y"
        ),
    )
