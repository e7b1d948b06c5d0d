"""How hot pages are, from a few looks at them: two bytes a page, over plain bytes. Pure.

Before: a tracker says of each page whether it was surely touched since the look before, and whether it may have been.
After: `choose` picks what to move.

Each page has the last eight looks as bits of one byte, the newest in the highest bit, once for what is sure and once
for what may be (a tracker that sees writes only knows no page to be untouched that might have been read). A page is
hot when enough of its last looks surely touched it, the newest among them; cold when none of enough looks may have.
What is neither stays where it is: that gap is the hysteresis.

A tracked GiB of 4 KiB pages costs 512 KiB (`allowance` bounds it). Everything below is one pass in C over bytes:
`bytes.translate`, and integers of any length for what takes two operands.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

TOUCHED = 0x80
"""A page of a look; 0 for one that was not touched."""
LOOKS = 8

_SHIFTED = bytes(value >> 1 for value in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look saw of consecutive pages, one byte for each: `TOUCHED` or 0.

    Attributes:
        sure: touched for sure.
        maybe: touched perhaps; includes what is sure.
    """

    sure: bytes
    maybe: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """The history of consecutive pages.

    Attributes:
        looks: how many there were, up to `LOOKS`.
    """

    sure: bytes
    maybe: bytes
    looks: int = 0

    @property
    def pages(self) -> int:
        """How many pages."""
        return len(self.sure)


def blank(pages: int) -> Look:
    """Returns a look that saw nothing: of no page it is known whether it was touched."""
    return Look(sure=bytes(pages), maybe=bytes([TOUCHED]) * pages)


def unknown(pages: int) -> Heat:
    """Returns the heat of pages that were never looked at."""
    return Heat(sure=bytes(pages), maybe=bytes(pages))


def seen(heat: Heat, look: Look) -> Heat:
    """Returns the heat after one more look.

    Raises:
        ValueError: the look is of another number of pages.
    """
    if not len(look.sure) == len(look.maybe) == heat.pages:
        raise ValueError(f"a look at {len(look.sure)} pages for {heat.pages}")
    return Heat(
        sure=either(heat.sure.translate(_SHIFTED), look.sure),
        maybe=either(heat.maybe.translate(_SHIFTED), look.maybe),
        looks=min(LOOKS, heat.looks + 1),
    )


def resized(heat: Heat, *, before: int, pages: int) -> Heat:
    """Returns the heat of a range that now begins `before` pages earlier (later if negative) and has `pages` pages.

    Of pages that are new nothing is known: they may have been touched in every look so far.
    """
    return Heat(
        sure=_resized(heat.sure, before, pages, new=b"\0"),
        maybe=_resized(heat.maybe, before, pages, new=b"\xff"),
        looks=heat.looks,
    )


def marked(heat: Heat, moved: Iterable[range], *, hot: bool) -> Heat:
    """Returns the heat with pages that an order has just come to an end with, whether they moved or stay.

    Nothing is known of them any more: they have to be seen hot or cold for as long as any before they are ordered
    again. Those that were ordered as hot are taken for touched all the time, so that they do not move back before.
    """
    sure, maybe = bytearray(heat.sure), bytearray(heat.maybe)
    for run in moved:
        sure[run.start : run.stop] = bytes(len(run))
        maybe[run.start : run.stop] = (b"\xff" if hot else bytes([TOUCHED])) * len(run)
    return Heat(sure=bytes(sure), maybe=bytes(maybe), looks=heat.looks)


def hot(heat: Heat, *, touches: int, looks: int) -> bytes:
    """Returns 1 of each page that the newest look and at least `touches` of the last `looks` surely touched, else 0."""
    return heat.sure.translate(_hot_table(touches, looks))


def cold(heat: Heat, *, looks: int) -> bytes:
    """Returns 1 of each page that none of the last `looks` may have touched, else 0; all 0 while there were fewer."""
    if heat.looks < looks:
        return bytes(heat.pages)
    return heat.maybe.translate(_cold_table(looks))


def runs(flags: bytes) -> Iterator[range]:
    """Yields the runs of pages whose flag is 1."""
    start = flags.find(1)
    while start >= 0:
        end = flags.find(0, start)
        end = len(flags) if end < 0 else end
        yield range(start, end)
        start = flags.find(1, end)


def either(one: bytes, other: bytes) -> bytes:
    """Returns the bytes of both, or-ed; they are of the same length."""
    merged = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    return merged.to_bytes(len(one), "little")


@cache
def _hot_table(touches: int, looks: int) -> bytes:
    return bytes(value >= TOUCHED and _newest(value, looks).bit_count() >= touches for value in range(256))


@cache
def _cold_table(looks: int) -> bytes:
    return bytes(not _newest(value, looks) for value in range(256))


def _newest(value: int, looks: int) -> int:
    return value >> (LOOKS - looks)


def _resized(history: bytes, before: int, pages: int, *, new: bytes) -> bytes:
    kept = new * max(0, before) + history[max(0, -before) :]
    return kept[:pages].ljust(pages, new)
