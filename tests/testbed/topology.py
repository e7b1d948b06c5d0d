"""A guest's memory as a value: NUMA nodes, their CPUs, and how fast each is. *Pure.*

With HMAT the kernel sorts the nids into memory tiers by latency and bandwidth (`memory_tier4` for what is
like DRAM, a higher number for what is slower); without it all memory is of one tier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

REMOTE_DISTANCE = 20
"""Between any two nids, where a topology does not say."""


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
    distances: tuple[tuple[int, ...], ...] = ()
    """From each nid to each, as the firmware's SLIT has them."""
    below_4g_mib: int | None = None
    """How much of the memory, counted from nid 0, is below 4 GiB and so in the zones DMA and DMA32; None leaves that to
    QEMU, which has up to 2 GiB there."""

    @property
    def cpus(self) -> int:
        """The number of CPUs."""
        return sum(node.cpus for node in self.nodes)

    @property
    def mib(self) -> int:
        """The whole memory."""
        return sum(node.mib for node in self.nodes)

    def distance(self, source: int, target: int) -> int:
        """How far one nid is from another."""
        return self.distances[source][target] if self.distances else REMOTE_DISTANCE


FAST = NumaNode(mib=1536, cpus=2)
SLOW = NumaNode(mib=512, latency_ns=400, bandwidth_gib=30)

TWO_TIERS = Topology(nodes=(FAST, SLOW))
"""nid 0 with both CPUs in memory_tier4, nid 1 without any in memory_tier120."""

LARGE_SLOW_TIER = Topology(nodes=(FAST, replace(SLOW, mib=1024)))
"""The same with more memory on nid 1."""

TWO_NODES_WITHOUT_HMAT = Topology(nodes=(FAST, SLOW), hmat=False)
"""The same memory on a machine whose firmware does not say how fast it is."""

ONE_NODE = Topology(nodes=(NumaNode(mib=1536, cpus=2),), hmat=False)
"""An ordinary machine: nothing to tier."""

HBM_DRAM_CXL = Topology(
    nodes=(
        NumaNode(mib=1024, cpus=2),
        NumaNode(mib=512, latency_ns=200, bandwidth_gib=100),
        NumaNode(mib=512, latency_ns=400, bandwidth_gib=30),
    ),
    distances=((10, 15, 25), (15, 10, 20), (25, 20, 10)),
)
"""Three tiers in a row, the fastest with the CPUs."""

TWO_SOCKETS = Topology(
    nodes=(
        NumaNode(mib=768, cpus=1),
        NumaNode(mib=768, cpus=1),
        NumaNode(mib=384, latency_ns=400, bandwidth_gib=30),
        NumaNode(mib=384, latency_ns=400, bandwidth_gib=30),
    ),
    distances=((10, 21, 14, 24), (21, 10, 24, 14), (14, 24, 10, 26), (24, 14, 26, 10)),
)
"""nid 2 is socket 0's, nid 3 is socket 1's, and each socket's own memory is nearer than the other's."""

TWO_ZONES = Topology(nodes=(FAST, SLOW), below_4g_mib=512)
"""nid 0 is of DMA32 and Normal, as on any machine with more than 4 GiB."""


def qemu_arguments(topology: Topology) -> list[str]:
    """QEMU's machine, memory and NUMA arguments."""
    below = f",max-ram-below-4g={topology.below_4g_mib}M" if topology.below_4g_mib else ""
    words = ["-M", f"q35,hmat={'on' if topology.hmat else 'off'}{below}"]
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
    return min(with_cpus, key=lambda other: (topology.distance(nid, other), abs(other - nid)))


def _distances(topology: Topology) -> Iterator[tuple[str, str]]:
    for source in range(len(topology.nodes)):
        for target in range(source + 1, len(topology.nodes)):
            yield "-numa", f"dist,src={source},dst={target},val={topology.distance(source, target)}"


def _latencies_and_bandwidths(topology: Topology) -> Iterator[tuple[str, str]]:
    for initiator, node in enumerate(topology.nodes):
        if not node.cpus:
            continue
        for target, memory in enumerate(topology.nodes):
            pair = f"hmat-lb,initiator={initiator},target={target},hierarchy=memory"
            yield "-numa", f"{pair},data-type=access-latency,latency={memory.latency_ns}"
            yield "-numa", f"{pair},data-type=access-bandwidth,bandwidth={memory.bandwidth_gib}G"
