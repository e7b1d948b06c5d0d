"""Which nids are fast and which are slow, and why. Pure.

Before: `read`. After: every engine and the report. The first of these that tells nids apart decides; it is
written into `TierOfNids.why`:

1. the policy's own `tiers`, by nid or by the kind of memory that `kinds` tells;
2. the kernel's memory tiers, if two or more have memory (`/sys/devices/virtual/memory_tiering`);
3. latency and bandwidth of `accessM/initiators`, in the kernel's own classes;
4. nids without CPUs are slower than nids with (a plain CXL or PMEM nid without HMAT shares `memory_tier4` with DRAM).

Memory of devices, such as GPUs, is in no tier unless the policy names its nid. Distances never make a tier: a far
socket is not slower memory, and a policy may still say so with `tiers`. They choose among targets, which is an engine's
business.
"""

from collections.abc import Iterable

from terrace_agent.errors import SettingsRejected
from terrace_agent.topology.facts import Facts, NidFacts
from terrace_agent.topology.floor import Watermark, floor_bytes
from terrace_agent.topology.kinds import kind_of
from terrace_agent.topology.order import Ranking, against_kernel, by_cpus, by_memory_tier, by_performance
from terrace_agent.topology.ranges import nid_ranges
from terrace_agent.topology.values import Nid, TierOfNids, Topology
from terrace_api.node_tiering import MemoryKind
from terrace_api.policy import Tier
from terrace_api.units import display_bytes


def discover(facts: Facts, tiers: tuple[Tier, ...] | None) -> Topology:
    """Returns the topology, with the policy's `tiers` if it names any.

    Raises:
        SettingsRejected: `tiers` names a nid that has no memory here, or names one twice.
    """
    nids = tuple(_nid(facts, nid) for nid in facts.nids)
    if tiers:
        named = _named_tiers(facts, nids, tiers)
        against = against_kernel(facts.nids, named)
        return Topology(nids=nids, tiers=named, swaps=facts.swaps, against_kernel=against)
    of_devices = {nid.nid for nid in nids if nid.kind is MemoryKind.DEVICE}
    found = _found_tiers(tuple(nid for nid in facts.nids if nid.nid not in of_devices))
    return Topology(nids=nids, tiers=found, swaps=facts.swaps)


def describe_nids(facts: Facts) -> str:
    """Returns what exists, for messages: `nid 0 (1.5Gi, 2 CPUs) and nid 1 (512Mi, no CPUs)`."""
    names = [f"nid {nid.nid} ({display_bytes(nid.total_bytes)}, {_count_cpus(nid)})" for nid in facts.nids]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else "no NUMA node"


def _nid(facts: Facts, nid: NidFacts) -> Nid:
    kind, kind_why = kind_of(facts, nid)
    return Nid(
        nid=nid.nid,
        kind=kind,
        kind_why=kind_why,
        total_bytes=nid.total_bytes,
        free_bytes=nid.free_bytes,
        cpus=nid.cpus,
        distances=nid.distances,
        ranges=nid_ranges(nid, facts.zones, facts.block_bytes, facts.page_bytes),
        floor_bytes=floor_bytes(facts.zones, nid.nid, facts.page_bytes),
        low_bytes=floor_bytes(facts.zones, nid.nid, facts.page_bytes, Watermark.LOW),
        droppable_bytes=nid.droppable_bytes,
        memory_tier=nid.memory_tier,
    )


def _named_tiers(facts: Facts, nids: tuple[Nid, ...], tiers: tuple[Tier, ...]) -> tuple[TierOfNids, ...]:
    """Returns the policy's tiers without those of types that this node does not have: fleets differ."""
    by_nid = _nids_by_name(facts, tiers)
    found = [_named_tier(tier, tuple(nid for nid in nids if nid.nid not in by_nid)) for tier in tiers]
    return tuple(tier for tier in found if tier.nids)


def _named_tier(tier: Tier, others: tuple[Nid, ...]) -> TierOfNids:
    if tier.types is None:
        return TierOfNids(name=tier.name, nids=tuple(sorted(tier.nids or ())), why="named by the policy")
    types = {kind.value for kind in tier.types}
    chosen = tuple(nid.nid for nid in others if nid.kind.value in types)
    return TierOfNids(name=tier.name, nids=chosen, why="chosen by type")


def _nids_by_name(facts: Facts, tiers: tuple[Tier, ...]) -> dict[int, str]:
    known = {nid.nid for nid in facts.nids}
    taken: dict[int, str] = {}
    for tier, nid in ((one, nid) for one in tiers for nid in one.nids or ()):
        if nid not in known:
            raise _rejected(
                "NidNotFound", f"tier {tier.name!r} names nid {nid}, which is not online or has no memory", facts
            )
        if nid in taken:
            raise _rejected("TiersOverlap", f"nid {nid} is in tier {taken[nid]!r} and in tier {tier.name!r}", facts)
        taken[nid] = tier.name
    return taken


def _rejected(reason: str, problem: str, facts: Facts) -> SettingsRejected:
    return SettingsRejected(
        reason=reason, message=f"{problem}; this node has {describe_nids(facts)}. Nothing was changed."
    )


def _found_tiers(nids: tuple[NidFacts, ...]) -> tuple[TierOfNids, ...]:
    known = tuple(nid.nid for nid in nids)
    for rank in (by_memory_tier, by_performance, by_cpus):
        if (ranking := rank(nids)).tells_apart(known):
            return _grouped(ranking)
    why = "all memory is of one kind: one memory tier, and no NUMA node is without CPUs"
    return (TierOfNids(name="memory", nids=known, why=why),) if nids else ()


def _grouped(ranking: Ranking) -> tuple[TierOfNids, ...]:
    ranks = sorted(ranking.names.items())
    return tuple(
        TierOfNids(name=name, nids=tuple(nid for nid, found in ranking.by_nid.items() if found == rank), why=why)
        for name, (rank, why) in zip(_names(len(ranks)), ranks, strict=True)
    )


def _names(count: int) -> Iterable[str]:
    match count:
        case 0 | 1:
            return ("memory",)[:count]
        case 2:
            return ("fast", "slow")
        case 3:
            return ("fast", "middle", "slow")
        case _:
            return ("fast", *(f"middle{number}" for number in range(1, count - 1)), "slow")


def _count_cpus(nid: NidFacts) -> str:
    match len(nid.cpus):
        case 0:
            return "no CPUs"
        case 1:
            return "1 CPU"
        case count:
            return f"{count} CPUs"
