"""Whether the kernel's own tiering does here what a policy asks, and if not, why and what would help. Pure.

Before: `observe`, settings, topology. After: `engine` raises what is found.

Promotion goes from a memory tier that is not a top tier to the nid of the CPU that touched the page, demotion to the
next memory tier (`should_numa_migrate_memory()` in Linux kernel/sched/fair.c, `establish_demotion_targets()` in
mm/memory-tiers.c). Neither knows a policy's tiers or a pod, so this engine runs only where what it would do is what
is wanted.
"""

from collections.abc import Iterator
from itertools import pairwise

from terrace_agent.errors import EngineMustStop, EngineUnavailable
from terrace_agent.numa_balancing.observe import Observed
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import Movable

_PROMOTIONS = "pgpromote_success"


def unfit_kernel(observed: Observed) -> EngineUnavailable | None:
    """Returns why this kernel cannot tier by itself, whatever is wanted; None if it can."""
    if observed.mode is None:
        return EngineUnavailable(
            reason="NoNumaBalancing",
            message="This kernel has no NUMA balancing (CONFIG_NUMA_BALANCING). A kernel built with it helps.",
        )
    if _PROMOTIONS not in observed.pages or observed.rate_limit_mib_s is None:
        return EngineUnavailable(
            reason="NoTieringMode",
            message=(
                "This kernel's NUMA balancing has no tiering mode whose rate can be bounded "
                "(numa_balancing_promote_rate_limit_MBps). Linux 6.1 or later helps."
            ),
        )
    if observed.demotion_enabled is None or len(observed.memory_tiers) < 2:
        return EngineUnavailable(
            reason="OneMemoryTier",
            message=(
                "The kernel sees one memory tier only (/sys/devices/virtual/memory_tiering), so its own tiering would "
                "move nothing. It tells tiers apart by HMAT from Linux 6.7 on, before that only memory that the kmem "
                "driver brought online (CXL, persistent memory)."
            ),
        )
    return None


def unfit_node(topology: Topology, movable: Movable) -> EngineUnavailable | None:
    """Returns why the kernel's own tiering must not run for these tiers and pods; None if it may."""
    return next((EngineMustStop(reason=reason, message=why) for reason, why in _mismatches(topology, movable)), None)


def _mismatches(topology: Topology, movable: Movable) -> Iterator[tuple[str, str]]:
    if movable.listed:
        yield (
            "CannotExclude",
            "Some pods are not to be moved, or may not be known yet, and the kernel's own tiering moves the memory of "
            "all processes. Without exclusions (workloads, the label terrace.dev/tiering, a cpuset of one tier) it can "
            "be used; DAMON and move_pages can leave pods alone.",
        )
    for faster, slower in pairwise(topology.tiers):
        for upper in map(topology.nid, faster.nids):
            for lower in map(topology.nid, slower.nids):
                if upper.memory_tier is None or lower.memory_tier is None or upper.memory_tier >= lower.memory_tier:
                    yield (
                        "OtherMemoryTiers",
                        f"To the kernel nid {lower.nid} is not slower than nid {upper.nid} (memory tiers "
                        f"{lower.memory_tier} and {upper.memory_tier}), so its own tiering would not do what the tiers "
                        "ask.",
                    )
    for nid in map(topology.nid, topology.tiers[0].nids):
        if not nid.cpus:
            yield (
                "FastTierWithoutCpus",
                f"The kernel promotes to the nid of the CPU that touched a page, and nid {nid.nid} of the fast tier "
                "has no CPU.",
            )
    tiered = {nid for tier in topology.tiers for nid in tier.nids}
    for nid in topology.nids:
        if nid.nid not in tiered and nid.memory_tier is not None:
            yield (
                "UntieredMemory",
                f"nid {nid.nid} is in no tier, and the kernel's own tiering would move memory from or to it all the "
                "same.",
            )
