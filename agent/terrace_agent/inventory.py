"""What a node has, as its status shows it: NUMA nodes with their tiers, and where the memory of each pod is. Pure.

Before: `topology`, `pods`, `workloads`. After: `report`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal

from terrace_agent.pods import PodMemory
from terrace_agent.topology.values import Nid, TierOfNids, Topology
from terrace_agent.workloads.values import Decision
from terrace_api.node_tiering import NumaNode, PodPlacement


def numa_nodes(topology: Topology) -> tuple[NumaNode, ...]:
    """Returns the NUMA nodes with memory, each with its tier, if any, and how both were found."""
    tiers = {nid: tier for tier in topology.tiers for nid in tier.nids}
    return tuple(
        NumaNode(
            nid=nid.nid,
            tier=tier.name if tier else "",
            kind=nid.kind,
            why=_why(nid, tier),
            total_bytes=nid.total_bytes,
            free_bytes=nid.free_bytes,
            cpus=len(nid.cpus),
            memory_tier=nid.memory_tier,
        )
        for nid in topology.nids
        for tier in (tiers.get(nid.nid),)
    )


def fast_used(topology: Topology) -> str:
    """Returns the share of the fast tier that is used, as text; empty without tiers."""
    if not topology.tiers:
        return ""
    fast = [nid for nid in topology.nids if nid.nid in topology.tiers[0].nids]
    total = sum(nid.total_bytes for nid in fast)
    return share_text(total - sum(nid.free_bytes for nid in fast), total)


def placements(
    pods: Iterable[PodMemory], decisions: Iterable[Decision], topology: Topology, *, is_followed: bool
) -> tuple[PodPlacement, ...]:
    """Returns where the memory of each pod is and, while a policy is followed, what was decided about it."""
    if not topology.tiers:
        return ()
    decided = {decision.uid: decision for decision in decisions}
    return tuple(
        _placement(pod, decided.get(pod.uid, Decision(uid=pod.uid, tiered=False)), topology, is_followed=is_followed)
        for pod in _by_uid(pods)
    )


def share_text(part: int, whole: int) -> str:
    """Returns `part` of `whole` as text such as `81.2%`; empty for a share of nothing."""
    if whole <= 0:
        return ""
    return f"{(Decimal(part) * 100 / whole).quantize(Decimal('0.1'), ROUND_HALF_UP)}%"


def _why(nid: Nid, tier: TierOfNids | None) -> str:
    if tier:
        return f"{tier.name}: {tier.why}; {nid.kind.value}: {nid.kind_why}"
    return f"in no tier; {nid.kind.value}: {nid.kind_why}"


def _by_uid(pods: Iterable[PodMemory]) -> Iterator[PodMemory]:
    """Returns each pod once: after a change of kubelet's cgroup driver it may have two folders."""
    bytes_by_nid: dict[str, Counter[int]] = {}
    for pod in pods:
        bytes_by_nid.setdefault(pod.uid, Counter()).update(pod.bytes_by_nid)
    return (PodMemory(uid=uid, bytes_by_nid=dict(counted)) for uid, counted in bytes_by_nid.items())


def _placement(pod: PodMemory, decision: Decision, topology: Topology, *, is_followed: bool) -> PodPlacement:
    fast, *slower = (tier.nids for tier in topology.tiers)
    on_fast = sum(pod.bytes_by_nid.get(nid, 0) for nid in fast)
    on_slow = sum(pod.bytes_by_nid.get(nid, 0) for nids in slower for nid in nids)
    return PodPlacement(
        uid=pod.uid,
        namespace=decision.namespace,
        name=decision.name,
        fast_bytes=on_fast,
        slow_bytes=on_slow,
        fast_share=share_text(on_fast, on_fast + on_slow),
        tiered=decision.tiered if is_followed else None,
        rule=decision.rule if is_followed else "",
        why=decision.why if is_followed else "",
    )
