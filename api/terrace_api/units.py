"""Quantities of the API as values with their unit in the type, and their text forms. Pure.

Before: text in an object (`5ms`, `99.6%`, `200Mi`). After: integers in the kernel's units (us, bp, bytes).
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

_DURATION_UNITS_US = {"h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
_LARGEST_COUNT = 9_999_999
"""Of one unit in a duration: so many digits are few enough for what reads durations elsewhere, as CEL does."""
_DURATION = re.compile(r"(?:[0-9]{1,7}(?:h|ms|m|s|us)){1,4}")
_DURATION_PART = re.compile(r"([0-9]+)(h|ms|m|s|us)")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%")
_SIZE_UNITS = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_SIZE = re.compile(r"([0-9]{1,17})(k|M|G|T|Ki|Mi|Gi|Ti)?")
_LARGEST_SIZE = 2**56
"""Bytes: no processor has wider physical addresses (RISC-V's Sv39 to Sv57 have 56 bits)."""


class UnitError(ValueError):
    """Text that is no quantity of the wanted unit; `str()` says what is accepted."""


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in whole microseconds."""

    us: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the duration that `text` spells.

        Raises:
            UnitError: not of the form `5ms`, `1s`, `1m30s`, or longer than any.
        """
        if not _DURATION.fullmatch(text):
            raise UnitError(f"{text!r} is not a duration; write a whole number and h, m, s, ms or us, as in 5ms")
        us = sum(int(n) * _DURATION_UNITS_US[unit] for n, unit in _DURATION_PART.findall(text))
        if us > _LARGEST_COUNT * _DURATION_UNITS_US["h"]:
            raise UnitError(f"{text!r} is longer than {_LARGEST_COUNT}h; write a shorter duration, as in 5ms")
        return cls(us)

    @property
    def ms(self) -> int:
        """Whole milliseconds, rounded down."""
        return self.us // 1_000

    def __str__(self) -> str:
        for unit, size in _DURATION_UNITS_US.items():
            if self.us and self.us % size == 0 and self.us // size <= _LARGEST_COUNT:
                return f"{self.us // size}{unit}"
        return self._in_several_units() or "0s"

    def _in_several_units(self) -> str:
        text, rest = "", self.us
        for unit in ("h", "m", "s", "us"):
            count, rest = divmod(rest, _DURATION_UNITS_US[unit])
            text += f"{count}{unit}" if count else ""
        return text


@dataclass(frozen=True, slots=True, order=True)
class Percent:
    """A share in basis points: 1/10,000, the kernel's `bp`."""

    bp: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the share that `text` spells.

        Raises:
            UnitError: not of the form `99.6%`, or above 100%.
        """
        match = _PERCENT.fullmatch(text)
        if not match or (bp := int(Decimal(match[1]) * 100)) > 10_000:
            raise UnitError(f"{text!r} is not a share; write 0% to 100% with at most two decimals, as in 99.6%")
        return cls(bp)

    def __str__(self) -> str:
        return f"{Decimal(self.bp) / 100:f}%"


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """An amount of memory in bytes."""

    bytes: int

    @classmethod
    def parse(cls, value: str | int) -> Self:
        """Returns the size that a Kubernetes quantity spells.

        Raises:
            UnitError: not a whole, positive quantity such as `200Mi`, or more than any machine can have.
        """
        match = _SIZE.fullmatch(str(value))
        if not match:
            raise UnitError(f"{value!r} is not a size; write a whole number of bytes or with Ki, Mi, Gi, as in 200Mi")
        count = int(match[1]) * _SIZE_UNITS[match[2] or ""]
        if count > _LARGEST_SIZE:
            raise UnitError(f"{value!r} must be at most {cls(_LARGEST_SIZE)}, what addresses of 56 bits reach")
        return cls(count)

    def __str__(self) -> str:
        for unit in ("Ti", "Gi", "Mi", "Ki"):
            if self.bytes and self.bytes % _SIZE_UNITS[unit] == 0:
                return f"{self.bytes // _SIZE_UNITS[unit]}{unit}"
        return str(self.bytes)


@dataclass(frozen=True, slots=True)
class Portion:
    """Some of a number of things: so many (`5`), or a share of them (`10%`). Exactly one of the two is set."""

    count: int | None = None
    share: Percent | None = None

    @classmethod
    def parse(cls, value: str | int) -> Self:
        """Returns the portion that `value` spells.

        Raises:
            UnitError: neither a whole number above 0 nor of the form `10%`.
        """
        if isinstance(value, str):
            return cls(share=Percent.parse(value))
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UnitError(f"{value!r} is not a portion; write a whole number above 0, or a share as in 10%")
        return cls(count=value)

    def of(self, total: int) -> int:
        """Returns how many of `total` that is: a share is rounded up and at least 1, a count is what it is."""
        if self.share is None:
            return self.count or 1
        return max(1, -(-self.share.bp * total // 10_000))

    @property
    def plain(self) -> str | int:
        """As it is written in an object."""
        return str(self.share) if self.share is not None else self.count or 1


def display_bytes(count: int) -> str:
    """Returns `count` bytes rounded for people: three digits, binary units, as in `250Mi` or `1.2Gi`."""
    value = Decimal(count)
    for unit in ("", "Ki", "Mi", "Gi", "Ti"):
        if value < 1000 or unit == "Ti":
            break
        value /= 1024
    rounded = f"{value:.1f}" if unit and value < 10 else f"{value:.0f}"
    return f"{rounded.removesuffix('.0')}{unit}"
