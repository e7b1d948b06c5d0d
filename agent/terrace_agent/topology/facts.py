"""What the kernel says about its NUMA nodes, as read and before any conclusion. Pure values.

Before: `read` fills them. After: `discover` and `floor` conclude from them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One zone of `/proc/zoneinfo`, populated or not. Counts are pages.

    Attributes:
        low_pages: the low watermark as printed, boost included; likewise the high one.
        protection: `lowmem_reserve` by the index of the zone that an allocation prefers.
        start_pfn: None for a zone without memory (the kernel prints none).
    """

    nid: int
    name: str
    free_pages: int
    boost_pages: int
    low_pages: int
    high_pages: int
    spanned_pages: int
    protection: tuple[int, ...]
    start_pfn: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """`nodeN/accessM/initiators/*`: what the firmware (HMAT, CDAT) says of the best initiator."""

    read_latency_ns: int
    write_latency_ns: int
    read_bandwidth_mib_s: int
    write_bandwidth_mib_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NidFacts:
    """One nid of `has_memory`.

    Attributes:
        droppable_bytes: page cache that was not used again, less what is to be written back or mapped.
        blocks: numbers of its online memory blocks, ascending.
        memory_tier: N of the `memory_tierN` that lists it.
        performance: None where the firmware says nothing.
    """

    nid: int
    total_bytes: int
    free_bytes: int
    droppable_bytes: int
    cpus: tuple[int, ...]
    distances: dict[int, int]
    blocks: tuple[int, ...]
    memory_tier: int | None = None
    performance: Performance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CxlRegion:
    """One region of the CXL bus (Linux Documentation/ABI/testing/sysfs-bus-cxl).

    Attributes:
        name: such as `region0`.
        nids: `target_node` of its dax devices: where its memory goes when it is onlined.
        start: physical address; None while no address is decoded to it.
        end: exclusive.
    """

    name: str
    nids: tuple[int, ...]
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PmemRegion:
    """One region of the NVDIMM bus: persistent memory, onlined on nid `target_node` if as system memory at all."""

    name: str
    nid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that `read` gathers in one pass.

    Attributes:
        block_bytes: size of a memory block; None without `CONFIG_MEMORY_HOTPLUG`.
        swaps: whether there is swap space.
        generic_initiators: nids with devices that access memory by themselves, such as GPUs.
    """

    nids: tuple[NidFacts, ...]
    zones: tuple[Zone, ...]
    block_bytes: int | None
    page_bytes: int
    swaps: bool = False
    cxl_regions: tuple[CxlRegion, ...] = ()
    pmem_regions: tuple[PmemRegion, ...] = ()
    generic_initiators: tuple[int, ...] = ()
