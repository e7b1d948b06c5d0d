"""Of which kind a nid's memory is, and why. Pure.

Before: `read`, `buses`. After: `discover`, which chooses nids by kind, and the inventory of the report. A kind is told
by a device or by speed, never guessed: CPU-less memory that nothing tells of is `Slow`, since no kernel so far puts
faster memory beside CPUs without saying so.

Evidence in this order:

1. CPUs: DRAM. (Memory of another kind directly at CPUs looks the same to the kernel, and is the fast memory there.)
2. a generic initiator of the same nid: a device's own memory, as of GPUs (`has_generic_initiator`; ACPI SRAT type 5);
3. a region of the CXL bus, by the target node of its dax devices or by its addresses (firmware may have onlined it);
4. a region of the NVDIMM bus with that target node: PMEM;
5. a faster memory tier, or a faster access class, than that of every nid with CPUs: HBM.
"""

from collections.abc import Iterator

from terrace_agent.topology.facts import CxlRegion, Facts, NidFacts
from terrace_agent.topology.speed import DRAM_CLASS, access_class
from terrace_api.node_tiering import MemoryKind


def kind_of(facts: Facts, nid: NidFacts) -> tuple[MemoryKind, str]:
    """Returns the kind of the nid's memory, and what told it."""
    if nid.cpus:
        return MemoryKind.DRAM, "has CPUs"
    if nid.nid in facts.generic_initiators:
        return MemoryKind.DEVICE, "memory of a device, which is a generic initiator"
    return next(_told(facts, nid), (MemoryKind.SLOW, "no CPUs, and nothing tells its kind"))


def _told(facts: Facts, nid: NidFacts) -> Iterator[tuple[MemoryKind, str]]:
    for region in facts.cxl_regions:
        if nid.nid in region.nids or _holds(region, nid, facts.block_bytes):
            yield MemoryKind.CXL, f"CXL {region.name}"
    for pmem in facts.pmem_regions:
        if pmem.nid == nid.nid:
            yield MemoryKind.PMEM, f"NVDIMM {pmem.name}"
    if why := _faster_than_dram(facts.nids, nid):
        yield MemoryKind.HBM, why


def _holds(region: CxlRegion, nid: NidFacts, block_bytes: int | None) -> bool:
    if region.start is None or region.end is None or not block_bytes:
        return False
    return any(region.start <= block * block_bytes < region.end for block in nid.blocks)


def _faster_than_dram(nids: tuple[NidFacts, ...], nid: NidFacts) -> str:
    dram_tiers = [one.memory_tier for one in nids if one.cpus and one.memory_tier is not None]
    if nid.memory_tier is not None and dram_tiers and nid.memory_tier < min(dram_tiers):
        return f"memory_tier{nid.memory_tier}, faster than DRAM's memory_tier{min(dram_tiers)}"
    mine = access_class(nids, nid) if any(one.cpus and one.performance for one in nids) else None
    return f"access class {mine}, faster than DRAM's {DRAM_CLASS}" if mine is not None and mine < DRAM_CLASS else ""
