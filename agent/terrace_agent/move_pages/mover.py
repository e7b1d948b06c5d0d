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
from dataclasses import asdict, dataclass, replace
from errno import EACCES, EBUSY, EINVAL, ENOMEM, ESRCH
from itertools import chain, compress, islice
from typing import Any

from terrace_agent.move_pages.batches import FIRST_PAGES, Outcome, next_size, outcome, split
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.syscall import UNTOLD, move, query

Order = dict[str, Any]
HUGE_PAGES = 512
"""Of 4 KiB. On arm64 with pages of 16 or 64 KiB it has more, and what is beyond is not counted."""
ENOUGH_S = 3.0
"""After which an order ends, with what is left of it for the next one: the agent kills a mover that is late."""
_MOST_REACHED = 1_000
"""Of how many orders it is kept where they ended; the processes may be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The next pages of an order.

    Attributes:
        passed: what came of those that need no call.
        batch: those on a nid that they are to leave, as many as one call may take.
        behind: those behind it that it may take along: a huge page goes as a whole with the first of its pages.
        reached: where the pages begin that are still to be settled after this stretch; None behind the last one.
    """

    passed: Outcome
    batch: "array[int]"
    behind: "array[int]"
    reached: int | None


class Mover:
    """Carries out orders; remembers how many pages a call may take."""

    def __init__(self, procfs: Procfs, *, enough_s: float = ENOUGH_S) -> None:
        self._procfs = procfs
        self._enough_s = enough_s
        self._pages = FIRST_PAGES
        self._longest_s = 0.0
        self._reached: dict[tuple[int, int, int], int] = {}

    def answer(self, line: str) -> str:
        """Returns what came of the order that a line holds."""
        order, self._longest_s = json.loads(line), 0.0
        way = order["pid"], order["started"], order["nid"]
        first = self._reached.pop(way, 0)
        done, next_one = self._carry_out(order, first)
        if next_one is not None:
            self._remember(way, next_one)
        return json.dumps({"outcome": asdict(done), "longest_s": self._longest_s, "finished": [first, next_one]})

    def _carry_out(self, order: Order, first: int) -> tuple[Outcome, int | None]:
        """Returns what came of the pages from `first` on, and of those before it after them.

        Also the page that is the next to be settled; None for none.
        """
        done, began = Outcome(), time.monotonic()
        later, earlier = split([range(*run) for run in order["runs"]], first)
        addresses = chain.from_iterable(chain(later, earlier))
        try:
            for stretch in self._stretches(order, addresses):
                # A process may end between two calls, and its pid may be one by then that must not be moved.
                if self._procfs.started(order["pid"]) != order["started"]:
                    return done + Outcome(gone=1), None
                done, left = done + stretch.passed, order["limit_pages"] - done.moved
                came, cut = self._batch(order, stretch.batch, left)
                done += came
                late = time.monotonic() - began >= self._enough_s
                if done.full or cut is not None or done.moved >= order["limit_pages"] or late:
                    done += Outcome(moved=_arrived(order, query(order["pid"], stretch.behind)))
                    again = stretch.batch[0] if done.full and came.moved else cut
                    return done, stretch.reached if again is None else again
        except OSError as error:
            done += _ended(error)
        return done, None

    def _remember(self, way: tuple[int, int, int], page: int) -> None:
        """Keeps where the next order goes on that is for the same process and nid: else it might get no further."""
        if len(self._reached) >= _MOST_REACHED:
            self._reached.clear()
        self._reached[way] = page

    def _stretches(self, order: Order, addresses: Iterator[int]) -> Iterator[Stretch]:
        """Yields the order's pages: none is moved before it is known of those behind it where they are."""
        ahead, ready, more, seen_all = array("Q"), 0, array("Q"), False
        while ahead or not seen_all:
            passed = Outcome()
            if ready < self._pages and not seen_all:
                more = array("Q", islice(addresses, self._pages + HUGE_PAGES))
                seen_all = len(more) < self._pages + HUGE_PAGES
                places = query(order["pid"], more)
                is_leaving = [nid in order["sources"] for nid in places]
                passed = _staying(order, places)
                ready = len(ahead) + sum(is_leaving if seen_all else is_leaving[:-HUGE_PAGES])
                ahead += array("Q", compress(more, is_leaving))
            batch, ahead = ahead[: min(self._pages, ready)], ahead[min(self._pages, ready) :]
            ready -= len(batch)
            reached = ahead[0] if ahead else None if seen_all else more[-1] + 1
            yield Stretch(passed=passed, batch=batch, behind=ahead[:HUGE_PAGES], reached=reached)

    def _batch(self, order: Order, batch: "array[int]", limit: int) -> tuple[Outcome, int | None]:
        """Moves the pages of a batch that no other one has taken along, and counts those that it has.

        Returns:
            What came of them, and the first one that the limit cuts off; None where it cuts off none.
        """
        places = query(order["pid"], batch)
        here = [page for page, nid in zip(batch, places, strict=True) if nid in order["sources"]]
        taken = _arrived(order, places)
        left = max(0, limit - taken)
        leaving, rest = here[:left], here[left:][:HUGE_PAGES]
        staying = _staying(order, places)
        done = replace(staying, moved=taken, there=staying.there - taken)
        if leaving:
            done += self._move(order["pid"], array("Q", leaving), order["nid"])
        if rest:
            done += Outcome(moved=_arrived(order, query(order["pid"], array("Q", rest))))
        return done, rest[0] if rest else None

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


def _staying(order: Order, places: Iterable[int]) -> Outcome:
    """Returns what is to be said of pages that are on none of the nids that they are to leave."""
    staying = [nid for nid in places if nid not in order["sources"]]
    gone = sum(nid < 0 for nid in staying)
    return Outcome(there=len(staying) - gone, gone=gone)


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
