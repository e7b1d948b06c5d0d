"""How much of a nid must stay free, whatever a policy wishes. Pure.

kernel fact 21: kswapd holds the high watermarks free, and on top of them what `lowmem_reserve` (`protection` in
`/proc/zoneinfo`) keeps from movable allocations in the lower zones. Promotion that goes below fights kswapd for ever.
The quota window of the promoters comes on top; the engine adds it, since it knows the quota.
"""

from collections.abc import Iterable
from enum import Enum

from terrace_agent.topology.facts import Zone

_MOVABLE = "Movable"


class Watermark(Enum):
    """Below low kswapd wakes, at high it sleeps again."""

    LOW = "low"
    HIGH = "high"

    def pages(self, zone: Zone) -> int:
        """Returns it without the boost."""
        return (zone.low_pages if self is Watermark.LOW else zone.high_pages) - zone.boost_pages


def floor_bytes(zones: Iterable[Zone], nid: int, page_bytes: int, watermark: Watermark = Watermark.HIGH) -> int:
    """Returns the free bytes of `nid` that page placement must leave alone to stay above that watermark.

    The watermark boost is left out: it comes and goes with fragmentation, and kswapd answers it with clean page cache
    only (`balance_pgdat()`, mm/vmscan.c).
    """
    mine = [zone for zone in zones if zone.nid == nid]
    movable = _movable_index(mine)
    return page_bytes * sum(
        watermark.pages(zone) + min(zone.free_pages, _protection(zone, movable))
        for zone in mine
        if zone.start_pfn is not None
    )


def _movable_index(zones: list[Zone]) -> int | None:
    # protection[] is indexed by zone type, and zoneinfo prints all types in that order, the empty ones too.
    return next((index for index, zone in enumerate(zones) if zone.name == _MOVABLE), None)


def _protection(zone: Zone, movable: int | None) -> int:
    if movable is None or movable >= len(zone.protection):
        return max(zone.protection, default=0)
    return zone.protection[movable]
