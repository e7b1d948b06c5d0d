"""A guest's memory as a value: NUMA nodes, their CPUs, and how fast each is. *Pure.*

With HMAT the kernel sorts the nids into memory tiers by latency and bandwidth (`memory_tier4` for what is
like DRAM, a higher number for what is slower); without it all memory is of one tier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

REMOTE_DISTANCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NumaNode:
    """One NUMA node; its nid is its place in the topology."""

    mib: int
    cpus: int = 0
    latency_ns: int = 100
    bandwidth_gib: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """All NUMA nodes of a guest. The first one has CPUs."""

    nodes: tuple[NumaNode, ...]
    hmat: bool = True

    @property
    def cpus(self) -> int:
        """The number of CPUs."""
        return sum(node.cpus for node in self.nodes)

    @property
    def mib(self) -> int:
        """The whole memory."""
        return sum(node.mib for node in self.nodes)


FAST = NumaNode(mib=1536, cpus=2)
SLOW = NumaNode(mib=512, latency_ns=400, bandwidth_gib=30)

TWO_TIERS = Topology(nodes=(FAST, SLOW))
"""nid 0 with both CPUs in memory_tier4, nid 1 without any in memory_tier120."""

TWO_NODES_WITHOUT_HMAT = Topology(nodes=(FAST, SLOW), hmat=False)
"""The same memory on a machine whose firmware does not say how fast it is."""

ONE_NODE = Topology(nodes=(NumaNode(mib=1536, cpus=2),), hmat=False)
"""An ordinary machine: nothing to tier."""


def qemu_arguments(topology: Topology) -> list[str]:
    """QEMU's machine, memory and NUMA arguments."""
    words = ["-M", f"q35,hmat={'on' if topology.hmat else 'off'}"]
    words += ["-smp", str(topology.cpus), "-m", f"{topology.mib}M"]
    for option, value in _options(topology):
        words += [option, value]
    return words


def _options(topology: Topology) -> Iterator[tuple[str, str]]:
    first_cpu = 0
    for nid, node in enumerate(topology.nodes):
        yield "-object", f"memory-backend-ram,id=memory{nid},size={node.mib}M"
        words = [f"node,nodeid={nid},memdev=memory{nid}"]
        if node.cpus:
            words.append(f"cpus={first_cpu}-{first_cpu + node.cpus - 1}")
            first_cpu += node.cpus
        if topology.hmat:
            words.append(f"initiator={nid if node.cpus else _nearest_with_cpus(topology, nid)}")
        yield "-numa", ",".join(words)
    yield from _distances(topology)
    if topology.hmat:
        yield from _latencies_and_bandwidths(topology)


def _nearest_with_cpus(topology: Topology, nid: int) -> int:
    with_cpus = [other for other, node in enumerate(topology.nodes) if node.cpus]
    return min(with_cpus, key=lambda other: abs(other - nid))


def _distances(topology: Topology) -> Iterator[tuple[str, str]]:
    for source in range(len(topology.nodes)):
        for target in range(source + 1, len(topology.nodes)):
            yield "-numa", f"dist,src={source},dst={target},val={REMOTE_DISTANCE}"


def _latencies_and_bandwidths(topology: Topology) -> Iterator[tuple[str, str]]:
    for initiator, node in enumerate(topology.nodes):
        if not node.cpus:
            continue
        for target, memory in enumerate(topology.nodes):
            pair = f"hmat-lb,initiator={initiator},target={target},hierarchy=memory"
            yield "-numa", f"{pair},data-type=access-latency,latency={memory.latency_ns}"
            yield "-numa", f"{pair},data-type=access-bandwidth,bandwidth={memory.bandwidth_gib}G"
