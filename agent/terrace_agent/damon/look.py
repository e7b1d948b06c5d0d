"""Reads what `verify` counts with: the counters of our schemes, and those that they are checked against."""

import os
from collections.abc import Collection

from terrace_agent.damon.features import Feature
from terrace_agent.damon.read import TreeReader
from terrace_agent.damon.tree import Action
from terrace_agent.damon.verify import Look, Oracle
from terrace_agent.hostfs import HostFs, read_optional
from terrace_agent.journal import JournalState

_NODES = "/sys/devices/system/node"
_VMSTAT = "/proc/vmstat"
_HUGE_PAGE = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"


def looks_at(reader: TreeReader, state: JournalState, index: int) -> tuple[Look, ...]:
    """Returns the migrating schemes of kdamond `index` if it runs and is ours by its pid, else nothing."""
    claim = next((claim for claim in state.owned if claim.index == index), None)
    if claim is None or claim.pid is None or claim.source_nid is None or reader.pid(index) != claim.pid:
        return ()
    return tuple(
        Look(
            index=index,
            pid=claim.pid,
            source_nid=claim.source_nid,
            scheme=number,
            action=Action(scheme.action),
            target_nid=scheme.target_nid,
            stats=scheme.stats,
            quotas=scheme.quotas,
        )
        for number, scheme in enumerate(reader.schemes(index))
        # A directory that staging has just made names no nid yet.
        if scheme.target_nid is not None and scheme.target_nid >= 0
        if scheme.action in {Action.MIGRATE_HOT, Action.MIGRATE_COLD}
    )


def read_oracle(fs: HostFs, features: Collection[str]) -> Oracle:
    """Returns what the node counts now; a counter that this kernel does not have stays 0."""
    if Feature.THISNODE in features:
        return Oracle(foreign_pages={}, thp_migrations=0)
    huge = read_optional(fs, _HUGE_PAGE) or ""
    return Oracle(
        foreign_pages={
            int(name.removeprefix("node")): _count(read_optional(fs, f"{_NODES}/{name}/numastat"), "numa_foreign")
            for name in fs.names(_NODES)
            if name.removeprefix("node").isdecimal()
        },
        thp_migrations=_count(read_optional(fs, _VMSTAT), "thp_migration_success"),
        page_bytes=os.sysconf("SC_PAGE_SIZE"),
        huge_page_bytes=int(huge) if huge.isdecimal() else 2 << 20,
    )


def _count(text: str | None, name: str) -> int:
    return next((int(words[1]) for line in (text or "").splitlines() if (words := line.split())[:1] == [name]), 0)
