"""Files of 64-bit words about frames, read and stored in stretches: a call for each word costs more than the word.

Words of the bitmap of idle bits are not free either: the kernel walks the mappings of all idle frames of each
(`page_idle_bitmap_read()`, Linux mm/page_idle.c). So each word is asked for once, however many of its frames are meant.
"""

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

WORD_BYTES = 8
MOST = 512
"""Words of one call: files of sysfs give and take no more than a page (`kernfs_file_read_iter()`, Linux
fs/kernfs/file.c), of 4 KiB or more."""


def read(path: Path, numbers: Iterable[int], *, gap: int = 0) -> dict[int, int]:
    """Returns words by number; those that the file does not have are missing.

    Args:
        path: the file.
        numbers: of the words, in any order.
        gap: how many words between two of them are rather read, too, than skipped.

    Raises:
        OSError: it may not be read.
    """
    found: dict[int, int] = {}
    with path.open("rb", buffering=0) as file:
        for stretch in stretches(numbers, gap=gap):
            first = stretch[0]
            data = os.pread(file.fileno(), (stretch[-1] - first + 1) * WORD_BYTES, first * WORD_BYTES)
            words = array("Q", data[: len(data) // WORD_BYTES * WORD_BYTES])
            found |= {number: words[number - first] for number in stretch if number - first < len(words)}
    return found


def store(path: Path, words: Mapping[int, int]) -> None:
    """Stores words by number.

    Raises:
        OSError: it may not be stored to.
    """
    with path.open("r+b", buffering=0) as file:
        for stretch in stretches(words):
            os.pwrite(file.fileno(), array("Q", map(words.__getitem__, stretch)), stretch[0] * WORD_BYTES)


def stretches(numbers: Iterable[int], *, gap: int = 0) -> Iterator[list[int]]:
    """Yields the numbers once each, in order, those together that one call reads: no more than `MOST` words. Pure."""
    stretch: list[int] = []
    for number in sorted(set(numbers)):
        if stretch and (number - stretch[-1] > gap + 1 or number - stretch[0] >= MOST):
            yield stretch
            stretch = []
        stretch.append(number)
    if stretch:
        yield stretch
