"""A process' memory as ranges of addresses, and which of them may be moved. Pure.

Before: `procfs` reads `numa_maps` and `smaps`. After: trackers look at them, `choose` picks pages.

Left alone are ranges that a policy binds (`bind:`, `prefer:`, ... in numa_maps: somebody placed them on purpose), huge
pages of hugetlbfs, which move_pages(2) would split from their pool's nid, everything that a file backs: it is
shared, and MPOL_MF_MOVE moves what this process alone maps, and ranges of a few pages.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

PIECE_PAGES = 1 << 16
"""256 MiB of pages of 4 KiB, whose entries of `pagemap` are 512 KiB."""

_HEADER = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ([rwxsp-]{4}) ")
_BY_NID = re.compile(r"N(\d+)=(\d+)")
_SPARSEST = 8
_LEAST_PAGES = 16
"""In memory: smaller ranges cost more to keep in mind than their pages are worth, and processes may have very many."""
_FREE_POLICIES = ("default", "local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vma:
    """One range of addresses.

    Attributes:
        resident_bytes: of it in memory; of a piece: of the whole.
        referenced_bytes: touched since accessed bits were last cleared (`Referenced` of smaps); likewise.
        page_bytes: size of a page on this machine: up to 64 KiB on arm64.
        piece_of: the addresses of the whole; empty of what is no piece.
    """

    start: int
    end: int
    resident_bytes: int = 0
    referenced_bytes: int = 0
    page_bytes: int = 4_096
    piece_of: range = range(0)

    @property
    def whole(self) -> range:
        """The addresses of the whole range."""
        return self.piece_of or range(self.start, self.end)

    @property
    def pages(self) -> int:
        """How many pages, in memory or not."""
        return (self.end - self.start) // self.page_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One line of numa_maps: where the pages of a range are, by nid, and whether it may and is worth to be moved."""

    start: int
    policy: str
    movable: bool
    pages_by_nid: Mapping[int, int] = field(default_factory=dict)


def parse_smaps(lines: Iterable[str], page_bytes: int) -> Iterator[Vma]:
    """Yields the private ranges of `/proc/PID/smaps`, on a machine with pages of that size.

    Raises:
        ValueError: a size is no number.
    """
    bounds: tuple[int, int] | None = None
    sizes: dict[str, int] = {}
    for line in lines:
        if match := _HEADER.match(line):
            if bounds:
                yield _vma(bounds, sizes, page_bytes)
            bounds = (int(match[1], 16), int(match[2], 16)) if match[3][3] == "p" else None
            sizes = {}
        elif line.endswith(" kB"):
            name, _, size = line.removesuffix(" kB").partition(":")
            sizes[name] = int(size) * 1024
    if bounds:
        yield _vma(bounds, sizes, page_bytes)


def parse_numa_maps(lines: Iterable[str]) -> Iterator[Placement]:
    """Yields what the lines of `/proc/PID/numa_maps` say.

    Raises:
        ValueError: a line does not begin with an address and a policy.
    """
    return (_parse_placement(line) for line in lines if line)


def movable(vmas: Iterable[Vma], placements: Iterable[Placement]) -> tuple[Vma, ...]:
    """Returns the ranges that nobody placed on purpose, and of which enough is in memory to be worth a look."""
    free = {one.start for one in placements if one.movable}
    return tuple(vma for vma in vmas if vma.start in free and _is_dense(vma))


def pieces(vma: Vma) -> Iterator[Vma]:
    """Yields a range in pieces of at most `PIECE_PAGES`, so that a look at it takes little memory at a time.

    They are cut at multiples of their size: a range that grows has the same ones. Each has the whole's sizes in memory.
    """
    size = PIECE_PAGES * vma.page_bytes
    for start in range(vma.start - vma.start % size, vma.end, size):
        yield replace(vma, start=max(start, vma.start), end=min(start + size, vma.end), piece_of=vma.whole)


def _is_dense(vma: Vma) -> bool:
    """Returns whether a range is not mostly empty: runtimes reserve ranges of many GiB, which cost two bytes a page."""
    return 0 < vma.end - vma.start <= vma.resident_bytes * _SPARSEST


def _vma(bounds: tuple[int, int], sizes: Mapping[str, int], page_bytes: int) -> Vma:
    return Vma(
        start=bounds[0],
        end=bounds[1],
        resident_bytes=sizes.get("Rss", 0),
        referenced_bytes=sizes.get("Referenced", 0),
        page_bytes=page_bytes,
    )


def _parse_placement(line: str) -> Placement:
    address, policy, *details = line.split()
    blocked = any(word == "huge" or word.startswith("file=") for word in details)
    counts = {int(match[1]): int(match[2]) for word in details if (match := _BY_NID.fullmatch(word))}
    free = policy in _FREE_POLICIES and not blocked and sum(counts.values()) >= _LEAST_PAGES
    return Placement(start=int(address, 16), policy=policy, movable=free, pages_by_nid=counts)
