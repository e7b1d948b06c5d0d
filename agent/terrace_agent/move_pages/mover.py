"""The process that calls move_pages(2), and does nothing else.

Before: `pilot` sends one order a line. After: one answer a line.

A process of its own, since a call may hang: it waits for every CPU to drain its lists of pages (`lru_cache_disable()`,
Linux mm/swap.c), and one that spins in a realtime task never does. Then this process hangs, not the agent.
"""

import json
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import asdict
from errno import EACCES, EBUSY, EINVAL, ENOMEM, ESRCH
from itertools import chain, islice
from typing import Any

from terrace_agent.move_pages.batches import FIRST_PAGES, MOST_PAGES, Outcome, next_size, outcome
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.syscall import UNTOLD, move, query

Order = dict[str, Any]
ENOUGH_S = 3.0
"""After which an order ends, with what is left of it for the next one: the agent kills a mover that is late."""


class Mover:
    """Carries out orders; remembers how many pages a call may take."""

    def __init__(self, procfs: Procfs, *, enough_s: float = ENOUGH_S) -> None:
        self._procfs = procfs
        self._enough_s = enough_s
        self._pages = FIRST_PAGES
        self._longest_s = 0.0

    def answer(self, line: str) -> str:
        """Returns what came of the order that a line holds."""
        self._longest_s = 0.0
        done = self._carry_out(json.loads(line))
        return json.dumps({"outcome": asdict(done), "longest_s": self._longest_s})

    def _carry_out(self, order: Order) -> Outcome:
        done, began = Outcome(), time.monotonic()
        addresses = chain.from_iterable(range(*run) for run in order["runs"])
        try:
            for batch, before in self._batches(order["pid"], addresses):
                # A process may end between two calls, and its pid may be one by then that must not be moved.
                if self._procfs.started(order["pid"]) != order["started"]:
                    return done + Outcome(gone=1)
                done += self._batch(order, batch, before, order["limit_pages"] - done.moved)
                if done.full or done.moved >= order["limit_pages"] or time.monotonic() - began >= self._enough_s:
                    break
        except OSError as error:
            done += _ended(error)
        return done

    def _batches(self, pid: int, addresses: Iterator[int]) -> Iterator[tuple["array[int]", "array[int]"]]:
        """Yields pages in batches of what one call may take by then, and where each was before the calls on all ahead.

        A huge page goes as a whole with the first of its pages that is asked for, and may be in several batches.
        """
        while ahead := array("Q", islice(addresses, MOST_PAGES)):
            before, at = query(pid, ahead), 0
            while at < len(ahead):
                end = at + self._pages
                yield ahead[at:end], before[at:end]
                at = end

    def _batch(self, order: Order, batch: "array[int]", before: "array[int]", limit: int) -> Outcome:
        """Moves those pages of a batch that are on a nid that they are to leave, and counts those that have left it."""
        places, sources = query(order["pid"], batch), order["sources"]
        here = [page for page, nid in zip(batch, places, strict=True) if nid in sources]
        taken = sum(
            was in sources and nid == order["nid"] and nid not in sources
            for was, nid in zip(before, places, strict=True)
        )
        leaving = array("Q", here[: max(0, limit - taken)])
        there = sum(nid >= 0 for nid in places) - len(here) - taken
        rest = Outcome(moved=taken, there=there, gone=sum(nid < 0 for nid in places))
        return rest + self._move(order["pid"], leaving, order["nid"]) if leaving else rest

    def _move(self, pid: int, leaving: "array[int]", nid: int) -> Outcome:
        began = time.monotonic()
        statuses = _moved(pid, leaving, nid)
        took_s = time.monotonic() - began
        self._longest_s = max(self._longest_s, took_s)
        if len(leaving) * 2 >= self._pages or next_size(self._pages, took_s) < self._pages:
            self._pages = next_size(self._pages, took_s)
        if not _UNSURE.isdisjoint(statuses):
            now = query(pid, leaving)
            statuses = array("i", map(settled, statuses, now, [nid] * len(now)))
        return outcome(statuses, nid)


def _moved(pid: int, leaving: "array[int]", nid: int) -> "array[int]":
    """Returns what `move` does; a target that has no room fails the call as a whole, whatever it moved before."""
    try:
        return move(pid, leaving, nid)
    except OSError as error:
        if error.errno != ENOMEM:
            raise
        return array("i", [-ENOMEM]) * len(leaving)


_UNSURE = frozenset({UNTOLD, -EBUSY, -ENOMEM})
"""Where one page of a batch failed, or the target is full, the kernel tells nothing of those that it moved with it; and
the second page of a huge one is busy, for the first one has it taken along (`do_pages_move()`, Linux mm/migrate.c)."""


def settled(status: int, now: int, nid: int) -> int:
    """Returns the status of a page that is on `now`, as it counts: one that is where it was to go has moved. Pure."""
    return nid if status in _UNSURE and now == nid else status


def _ended(error: OSError) -> Outcome:
    # A process that has ended and was not waited for has no memory: EINVAL (`find_mm_struct()`, Linux mm/migrate.c).
    if error.errno in {ESRCH, EINVAL}:
        return Outcome(gone=1)
    return Outcome(denied=1) if error.errno == EACCES else Outcome(busy=1)


def main() -> None:
    """Answers orders on standard input until that is closed."""
    mover = Mover(Procfs())
    for line in sys.stdin:
        sys.stdout.write(mover.answer(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
