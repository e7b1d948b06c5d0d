"""The process that calls move_pages(2), and does nothing else.

Before: `pilot` sends one order a line. After: one answer a line.

A process of its own, since a call may hang: it waits for every CPU to drain its lists of pages (`lru_cache_disable()`,
Linux mm/swap.c), and one that spins in a realtime task never does. Then this process hangs, not the agent.
"""

import json
import sys
import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from errno import EACCES, EBUSY, EINVAL, ENOMEM, ESRCH
from itertools import chain, islice
from typing import Any

from terrace_agent.move_pages.batches import FIRST_PAGES, Outcome, next_size, outcome
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.syscall import UNTOLD, move, query

Order = dict[str, Any]
HUGE_PAGES = 512
"""Small pages in a huge one, but for arm64 with its larger ones: there too little may be counted."""
ENOUGH_S = 3.0
"""After which an order ends, with what is left of it for the next one: the agent kills a mover that is late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Pages that are to be moved, and where each was before any call that may have taken it along.

    A huge page goes as a whole with the first of its pages that is asked for.
    """

    pages: "array[int]"
    before: "array[int]"

    def __getitem__(self, part: slice) -> "Ahead":
        return Ahead(pages=self.pages[part], before=self.before[part])


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
            for batch, behind in self._batches(order["pid"], addresses):
                # A process may end between two calls, and its pid may be one by then that must not be moved.
                if self._procfs.started(order["pid"]) != order["started"]:
                    return done + Outcome(gone=1)
                done += self._batch(order, batch, order["limit_pages"] - done.moved)
                if done.full or done.moved >= order["limit_pages"] or time.monotonic() - began >= self._enough_s:
                    done += Outcome(moved=_taken(order, behind, query(order["pid"], behind.pages)))
                    break
        except OSError as error:
            done += _ended(error)
        return done

    def _batches(self, pid: int, addresses: Iterator[int]) -> Iterator[tuple[Ahead, Ahead]]:
        """Yields what one call may take by then, and the pages behind that which it may take along."""
        ahead = Ahead(pages=array("Q"), before=array("i"))
        while True:
            if len(ahead.pages) < self._pages + HUGE_PAGES:
                more = array("Q", islice(addresses, self._pages + HUGE_PAGES))
                ahead = Ahead(pages=ahead.pages + more, before=ahead.before + query(pid, more))
            if not ahead.pages:
                return
            batch, ahead = ahead[: self._pages], ahead[self._pages :]
            yield batch, ahead[:HUGE_PAGES]

    def _batch(self, order: Order, batch: Ahead, limit: int) -> Outcome:
        """Moves those pages of a batch that are on a nid that they are to leave, and counts those that have left it."""
        places = query(order["pid"], batch.pages)
        here = [page for page, nid in zip(batch.pages, places, strict=True) if nid in order["sources"]]
        taken = _taken(order, batch, places)
        leaving, rest = here[: max(0, limit - taken)], here[max(0, limit - taken) :][:HUGE_PAGES]
        there = sum(nid >= 0 for nid in places) - len(here) - taken
        done = Outcome(moved=taken, there=there, gone=sum(nid < 0 for nid in places))
        if not leaving:
            return done
        done += self._move(order["pid"], array("Q", leaving), order["nid"])
        return done + Outcome(moved=_arrived(order, query(order["pid"], array("Q", rest)))) if rest else done

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


def _taken(order: Order, batch: Ahead, places: "array[int]") -> int:
    """Returns how many of the pages, which are on `places` now, another one has taken along."""
    return _arrived(order, (now for was, now in zip(batch.before, places, strict=True) if was in order["sources"]))


def _arrived(order: Order, places: Iterable[int]) -> int:
    """Returns how many pages that were to leave are where they were to go."""
    return sum(nid == order["nid"] and nid not in order["sources"] for nid in places)


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
