"""Reads what sysfs and proc say about NUMA nodes; concludes nothing.

Before: `HostFs`. After: `discover`.
"""

import os
from collections.abc import Iterator, Mapping

from terrace_agent.errors import UnexpectedContent
from terrace_agent.hostfs import HostFs, read_optional
from terrace_agent.topology.blocks import OnlineBlocks
from terrace_agent.topology.buses import read_cxl_regions, read_pmem_regions
from terrace_agent.topology.cpulist import parse_list
from terrace_agent.topology.facts import Facts, NidFacts, Performance, Zone
from terrace_agent.topology.zoneinfo import parse_zoneinfo

_NODE = "/sys/devices/system/node"
_MEMORY = "/sys/devices/system/memory"
_TIERS = "/sys/devices/virtual/memory_tiering"
_ZONEINFO = "/proc/zoneinfo"
_SWAPS = "/proc/swaps"
_TIER_PREFIX = "memory_tier"


def read_facts(fs: HostFs, *, blocks: OnlineBlocks | None = None, page_bytes: int | None = None) -> Facts:
    """Returns what the kernel says now; who asks again and again keeps one `blocks` for it.

    Raises:
        HostFileMissing: a file that every kernel has is not there.
        HostFileUnreadable: a file cannot be read.
        UnexpectedContent: a file is in a form that no kernel had so far.
    """
    tiers = _read_memory_tiers(fs)
    blocks = blocks or OnlineBlocks(fs)
    return Facts(
        nids=tuple(_read_nids(fs, tiers, blocks)),
        zones=_read_zones(fs),
        block_bytes=_read_block_bytes(fs),
        page_bytes=page_bytes or os.sysconf("SC_PAGE_SIZE"),
        swaps=len((read_optional(fs, _SWAPS) or "").splitlines()) > 1,
        cxl_regions=read_cxl_regions(fs),
        pmem_regions=read_pmem_regions(fs),
        # Linux 5.10 and later (894c26a1c274).
        generic_initiators=_read_list(fs, f"{_NODE}/has_generic_initiator"),
    )


def _read_nids(fs: HostFs, tiers: Mapping[int, int], blocks: OnlineBlocks) -> Iterator[NidFacts]:
    """Yields nids with memory: one of which the kernel manages no page is none, and no share of it can be told."""
    for nid in _read_list(fs, f"{_NODE}/has_memory"):
        found = _read_nid(fs, nid, tiers.get(nid), blocks)
        if found.total_bytes:
            yield found


def _read_nid(fs: HostFs, nid: int, memory_tier: int | None, blocks: OnlineBlocks) -> NidFacts:
    folder = f"{_NODE}/node{nid}"
    meminfo = _read_meminfo(fs, f"{folder}/meminfo")
    return NidFacts(
        nid=nid,
        total_bytes=meminfo["MemTotal"],
        free_bytes=meminfo["MemFree"],
        droppable_bytes=_droppable_bytes(meminfo),
        cpus=_read_list(fs, f"{folder}/cpulist"),
        distances=_read_distances(fs, f"{folder}/distance"),
        blocks=blocks.read(folder, total_bytes=meminfo["MemTotal"]),
        memory_tier=memory_tier,
        performance=_read_performance(fs, folder),
    )


def _read_list(fs: HostFs, path: str) -> tuple[int, ...]:
    text = read_optional(fs, path)
    try:
        return parse_list(text or "")
    except ValueError as error:
        raise UnexpectedContent(path=path, content=text or "") from error


def _read_meminfo(fs: HostFs, path: str) -> dict[str, int]:
    # Rows are of the form `Node 0 MemTotal: 16212548 kB`; counts of huge pages have no unit.
    text = fs.read(path)
    rows = (line.split() for line in text.splitlines())
    sizes = {row[2].rstrip(":"): int(row[3]) * 1024 for row in rows if len(row) == 5 and row[3].isdigit()}
    if not {"MemTotal", "MemFree", "Inactive(file)"} <= sizes.keys():
        raise UnexpectedContent(path=path, content=text)
    return sizes


def _droppable_bytes(meminfo: dict[str, int]) -> int:
    # Rather too little: what is mapped or to be written back may be on the kernel's other lists.
    others = sum(meminfo.get(name, 0) for name in ("Mapped", "Dirty", "Writeback"))
    return max(0, meminfo["Inactive(file)"] - others)


def _read_distances(fs: HostFs, path: str) -> dict[int, int]:
    # One column per online nid, in ascending order, nids without memory included (node_read_distance()).
    row = (read_optional(fs, path) or "").split()
    return dict(zip(_read_list(fs, f"{_NODE}/online"), map(int, row), strict=False))


def _read_block_bytes(fs: HostFs) -> int | None:
    text = read_optional(fs, f"{_MEMORY}/block_size_bytes")
    return int(text, 16) if text else None


def _read_performance(fs: HostFs, folder: str) -> Performance | None:
    # access1 is about CPU initiators only; access0 may name a device (Documentation/admin-guide/mm/numaperf.rst).
    for access in ("access1", "access0"):
        numbers = [
            read_optional(fs, f"{folder}/{access}/initiators/{name}")
            for name in ("read_latency", "write_latency", "read_bandwidth", "write_bandwidth")
        ]
        if all(number and number.isdigit() and int(number) for number in numbers):
            latency, write_latency, bandwidth, write_bandwidth = (int(number or 0) for number in numbers)
            return Performance(
                read_latency_ns=latency,
                write_latency_ns=write_latency,
                read_bandwidth_mib_s=bandwidth,
                write_bandwidth_mib_s=write_bandwidth,
            )
    return None


def _read_memory_tiers(fs: HostFs) -> dict[int, int]:
    tiers: dict[int, int] = {}
    for name in fs.names(_TIERS):
        suffix = name.removeprefix(_TIER_PREFIX)
        if name.startswith(_TIER_PREFIX) and suffix.isdigit():
            tiers.update(dict.fromkeys(_read_list(fs, f"{_TIERS}/{name}/nodelist"), int(suffix)))
    return tiers


def _read_zones(fs: HostFs) -> tuple[Zone, ...]:
    text = fs.read(_ZONEINFO)
    try:
        return parse_zoneinfo(text)
    except ValueError as error:
        raise UnexpectedContent(path=_ZONEINFO, content=str(error)) from error
