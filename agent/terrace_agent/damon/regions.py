"""Which physical addresses a kdamond monitors, and in how many regions. Pure.

Before: `topology`, the policy's `monitoring.ranges`. After: `desired`.
"""

from collections.abc import Iterable, Iterator

from terrace_agent.damon.tree import Range, Region
from terrace_agent.errors import SettingsRejected
from terrace_agent.topology.values import Nid
from terrace_api.policy import AddressRange, Regions

_PAGE_BYTES = 4_096
_BYTES_PER_REGION = 256 << 20
_LEAST_BYTES_PER_REGION = 4 << 20
_FEWEST_REGIONS, _MOST_FEWEST_REGIONS, _ENOUGH_REGIONS = 100, 2_000, 1_000
_FEWEST_EASED = 10


def monitored(source: Nid, ranges: tuple[AddressRange, ...] | None) -> tuple[Region, ...]:
    """Returns what of the nid's online memory is to be monitored, without page 0, in whole pages."""
    return tuple(
        Region(start=start, end=end)
        for block in source.ranges
        for start, end in _within(max(_PAGE_BYTES, block.start), block.end, ranges)
    )


def check(sources: Iterable[Nid], ranges: tuple[AddressRange, ...] | None) -> None:
    """Checks that every range holds memory of a source, and every source has some of a range.

    Raises:
        SettingsRejected: names the range, or the nid.
    """
    sources = tuple(sources)
    names = ", ".join(str(nid.nid) for nid in sources)
    for one in ranges or ():
        if not any(monitored(nid, (one,)) for nid in sources):
            raise _rejected(f"{one.start} to {one.end} holds no online memory of nids {names}")
    for nid in sources:
        if ranges and not monitored(nid, ranges):
            where = ", ".join(f"{block.start:#x} to {block.end:#x}" for block in nid.ranges)
            raise _rejected(f"nothing of nid {nid.nid} ({where}) would be monitored, and pages are to move from it")


def nr_regions(wish: Regions | None, regions: tuple[Region, ...], easing: int) -> Range:
    """Returns the policy's bounds, or those that fit the size of what is monitored; halved at each step of `easing`.

    One region per 256 MiB tells hot from cold well enough on large nids, and each costs an rmap walk per sample, so a
    small nid gets no more than one per 4 MiB, or the 200 that every nid may have. Up to 7.2 regions stop splitting at
    half of the maximum (`kdamond_split_regions()`, Linux mm/damon/core.c), hence twice the need.
    """
    if wish:
        return Range(min=wish.min, max=max(wish.min, wish.max >> easing))
    span = sum(region.end - region.start for region in regions)
    fewest = max(_FEWEST_REGIONS, min(span // _BYTES_PER_REGION, _MOST_FEWEST_REGIONS))
    most = max(2 * fewest, min(_ENOUGH_REGIONS, span // _LEAST_BYTES_PER_REGION))
    return Range(min=max(_FEWEST_EASED, fewest >> easing), max=max(2 * _FEWEST_EASED, most >> easing))


def _within(start: int, end: int, ranges: tuple[AddressRange, ...] | None) -> Iterator[tuple[int, int]]:
    wanted = [(start, end)] if ranges is None else sorted((_up(r.start.bytes), _down(r.end.bytes)) for r in ranges)
    reached = start
    for first, last in wanted:
        # Ranges may overlap: what one before has covered is not covered again.
        part = max(first, reached), min(last, end)
        if part[0] < part[1]:
            yield part
            reached = part[1]


def _up(address: int) -> int:
    return -(-address // _PAGE_BYTES) * _PAGE_BYTES


def _down(address: int) -> int:
    return address // _PAGE_BYTES * _PAGE_BYTES


def _rejected(problem: str) -> SettingsRejected:
    return SettingsRejected(reason="RangeWithoutMemory", message=f"monitoring.ranges: {problem}. Nothing was changed.")
