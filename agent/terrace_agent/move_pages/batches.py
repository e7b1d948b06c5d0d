"""How many pages go into one call, and what came of it. Pure.

Before: `choose`. After: `mover` makes the calls, the engine counts.

Each call drains the CPUs' lists of pages first (`lru_cache_disable()`, Linux mm/migrate.c), so small batches are
expensive, and holds up whoever touches a page of it, so large ones are, too: their size follows a limit of 20 ms.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from errno import EACCES, EBUSY, EFAULT, ENOENT, ENOMEM

LEAST_PAGES, MOST_PAGES = 64, 16_384
FIRST_PAGES = 1_024
LIMIT_S = 0.020


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of pages that were to be moved, in pages.

    Attributes:
        moved: are on the target now, and were not before.
        there: were on the target already, or on a nid that they are not to leave.
        busy: pinned, locked or under write-back.
        shared: mapped by others, too.
        full: the target had no room.
        gone: not in memory any more, or never were; all of a process that ended.
        denied: the cpuset of the process excludes the target.
    """

    moved: int = 0
    there: int = 0
    busy: int = 0
    shared: int = 0
    full: int = 0
    gone: int = 0
    denied: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(Outcome)})


_REASONS = {
    "busy": "pinned or busy",
    "shared": "shared with other processes",
    "full": "for which the target had no room",
    "denied": "whose cpuset excludes the target",
}


def obstacles(done: Outcome) -> str:
    """Returns in words what kept pages from moving; empty if nothing did."""
    return ", ".join(f"{count} {words}" for kind, words in _REASONS.items() if (count := getattr(done, kind)))


_KINDS = {-EBUSY: "busy", -EACCES: "shared", -ENOMEM: "full", -ENOENT: "gone", -EFAULT: "gone"}


def outcome(statuses: Iterable[int], nid: int) -> Outcome:
    """Returns what the status of each page of a call says, all of which were elsewhere before."""
    counts = dict.fromkeys((one.name for one in fields(Outcome)), 0)
    for status in statuses:
        kind = "moved" if status == nid else "busy" if status >= 0 else _KINDS.get(status, "busy")
        counts[kind] += 1
    return Outcome(**counts)


def split(runs: Sequence[range], page: int) -> tuple[tuple[range, ...], tuple[range, ...]]:
    """Returns the runs of pages from `page` on, and those before it."""
    cuts = [(run, bisect_left(run, page)) for run in runs]
    return tuple(run[cut:] for run, cut in cuts if cut < len(run)), tuple(run[:cut] for run, cut in cuts if cut)


def finished(runs: Sequence[range], first: int, next_one: int | None) -> tuple[range, ...]:
    """Returns the runs of an order of which it is known what became of them.

    Args:
        runs: of the order.
        first: the page it began with; those before it come after the others.
        next_one: the page that would have been the next; None for none.
    """
    if next_one is None:
        return tuple(runs)
    later, earlier = split(runs, first)
    if next_one >= first:
        return split(later, next_one)[1]
    return (*later, *split(earlier, next_one)[1])


def next_size(pages: int, took_s: float) -> int:
    """Returns how many pages the next call takes: half after one that took too long, more after a short one."""
    if took_s > LIMIT_S:
        return max(LEAST_PAGES, pages // 2)
    return min(MOST_PAGES, pages * 2) if took_s < LIMIT_S / 3 else pages
