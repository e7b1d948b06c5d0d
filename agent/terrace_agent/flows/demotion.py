"""The kernel's own demotion: its switch, and whom it would move against their cpusets. Pure.

Reclaim demotes to the next memory tier instead of dropping pages while `demotion_enabled` is true
(`can_demote()`, Linux mm/vmscan.c). It heeds `cpuset.mems` since 6.16 only (`mem_cgroup_node_allowed()` there); before,
kswapd demotes pinned pods like any other. Every engine wants it on as the safety net of a full fast nid, and none may
switch it on where it would move such a pod.
"""

from terrace_agent.journal import JournalState, original
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import Movable

DEMOTION_ENABLED = "/sys/kernel/mm/numa/demotion_enabled"


def confined(topology: Topology, movable: Movable) -> tuple[str, ...]:
    """Returns the cgroups, movable or not, that demotion before 6.16 would move against their cpusets."""
    slow = frozenset(nid for tier in topology.tiers[1:] for nid in tier.nids)
    return movable.confined(slow)


def may_switch_off(state: JournalState, found: str | None) -> bool:
    """Returns whether the switch, as `found` now, is off or was switched on by this engine, whose journal says so."""
    return found != "true" or original(state, DEMOTION_ENABLED) is not None
