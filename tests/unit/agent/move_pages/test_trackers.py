"""The ladder of trackers: the first that works looks, and what takes over knows nothing at first."""

import errno
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from terrace_agent.errors import StoreRefused
from terrace_agent.move_pages.heat import TOUCHED, Look, blank
from terrace_agent.move_pages.trackers import TrackerLadder
from terrace_agent.move_pages.vmas import Vma

PID = 41
VMA = Vma(start=0x10000, end=0x12000, resident_bytes=8192)
SEEN = Look(sure=bytes([TOUCHED, 0]), maybe=bytes([TOUCHED, 0]))


@dataclass
class Tracking:
    """A tracker that has always seen the same."""

    name: str
    can: bool = True
    blind_spot: str = "none"
    blind_looks: int = 0
    longest_stall_s: float = 0.0
    left_out: int = 0
    kept: Mapping[int, int] = field(default_factory=dict)
    refuses: bool = False

    @property
    def holds(self) -> bool:
        return bool(self.kept)

    def works(self) -> bool:
        return self.can

    def may_track(self, resident_bytes: int) -> bool:
        return resident_bytes > 0

    def begin(self, pid: int) -> None:
        pass

    def look(self, pid: int, vmas: Iterable[Vma]) -> Iterator[tuple[Vma, Look]]:
        return ((vma, SEEN) for vma in vmas)

    def keep(self, started: Mapping[int, int], *, every_s: float) -> None:
        self.kept = started

    def release(self) -> None:
        if self.refuses:
            raise StoreRefused(path="state", value="off", errno=errno.EBUSY)
        self.kept = {}


def turn(ladder: TrackerLadder) -> Look:
    ladder.settle()
    [(_, found)] = ladder.look(PID, (VMA,))
    ladder.begin(PID)
    ladder.keep({PID: 7}, every_s=1)
    return found


def test_the_first_that_works_looks_and_the_others_keep_nothing() -> None:
    best, last = Tracking("best"), Tracking("last")
    ladder = TrackerLadder((best, last))
    turn(ladder)
    assert (ladder.name, best.kept, last.kept) == ("best", {PID: 7}, {})
    best.can = False
    turn(ladder)
    assert (ladder.name, best.kept, last.kept) == ("last", {}, {PID: 7})
    best.can = True
    assert ladder.settle() is best


def test_what_takes_over_knows_nothing_of_a_process_before_it_began_with_it() -> None:
    best = Tracking("best")
    ladder = TrackerLadder((best, Tracking("last")))
    assert [turn(ladder), turn(ladder)] == [blank(2), SEEN]
    best.can = False
    assert [turn(ladder), turn(ladder)] == [blank(2), SEEN]


def test_a_process_that_was_forgotten_is_begun_with_anew() -> None:
    ladder = TrackerLadder((Tracking("only"),))
    assert [turn(ladder), turn(ladder)] == [blank(2), SEEN]
    ladder.keep({}, every_s=1)
    assert turn(ladder) == blank(2)
    ladder.release()
    assert turn(ladder) == blank(2)


def test_to_choose_another_one_lets_nobody_go_yet() -> None:
    best = Tracking("best")
    ladder = TrackerLadder((best, Tracking("last")))
    turn(ladder)
    best.can = False
    ladder.settle()
    assert ladder.holds


def test_a_release_that_one_of_them_refuses_is_an_error_and_the_others_are_released() -> None:
    best, last = Tracking("best", refuses=True), Tracking("last")
    ladder = TrackerLadder((best, last))
    best.can = False
    turn(ladder)
    with pytest.raises(StoreRefused):
        ladder.release()
    assert last.kept == {}
