"""Physical address ranges of a nid from online memory blocks and zone spans. Pure.

Memory blocks leave holes out but may straddle two nids (both list the block); zone spans know the nid but include
holes. Their intersection is right on both counts, needs no `/proc/iomem` (zeros without CAP_SYS_ADMIN), and starts
above page 0, as DAMON wants. Without `CONFIG_MEMORY_HOTPLUG` there are no blocks, and the spans stand alone.
"""

from collections.abc import Iterable

from terrace_agent.topology.facts import NidFacts, Zone
from terrace_agent.topology.values import PhysicalRange

_FIRST_ADDRESS = 4096


def nid_ranges(
    nid: NidFacts, zones: Iterable[Zone], block_bytes: int | None, page_bytes: int
) -> tuple[PhysicalRange, ...]:
    """Returns the ranges of `nid`, ascending and coalesced."""
    spans = _coalesce(
        PhysicalRange(
            start=max(zone.start_pfn * page_bytes, _FIRST_ADDRESS),
            end=(zone.start_pfn + zone.spanned_pages) * page_bytes,
        )
        for zone in zones
        if zone.nid == nid.nid and zone.start_pfn is not None
    )
    if block_bytes is None or not nid.blocks:
        return spans
    blocks = _coalesce(PhysicalRange(start=block * block_bytes, end=(block + 1) * block_bytes) for block in nid.blocks)
    return _coalesce(_intersections(blocks, spans))


def _intersections(some: tuple[PhysicalRange, ...], others: tuple[PhysicalRange, ...]) -> Iterable[PhysicalRange]:
    for one in some:
        for other in others:
            start, end = max(one.start, other.start), min(one.end, other.end)
            if start < end:
                yield PhysicalRange(start=start, end=end)


def _coalesce(ranges: Iterable[PhysicalRange]) -> tuple[PhysicalRange, ...]:
    joined: list[PhysicalRange] = []
    for one in sorted(ranges):
        if joined and one.start <= joined[-1].end:
            joined[-1] = PhysicalRange(start=joined[-1].start, end=max(joined[-1].end, one.end))
        else:
            joined.append(one)
    return tuple(joined)
