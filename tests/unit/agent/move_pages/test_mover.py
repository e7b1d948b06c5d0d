"""The mover on this very process, and what the agent does with one that is late, dies, or hangs."""

from __future__ import annotations

import json
import os
import sys
from array import array
from collections.abc import Iterator
from errno import EACCES, EBUSY, ENOENT, ENOMEM
from random import Random

import pytest

from terrace_agent.move_pages import mover as mover_module
from terrace_agent.move_pages.batches import FIRST_PAGES, LEAST_PAGES, MOST_PAGES, Outcome, finished, next_size, outcome
from terrace_agent.move_pages.mover import _MOST_REACHED, HUGE_PAGES, Mover, settled
from terrace_agent.move_pages.pilot import Pilot
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.syscall import UNTOLD, query
from terrace_agent.steps import Move

PAGE = os.sysconf("SC_PAGE_SIZE")
NO_NID = 63
STARTED = Procfs().started(os.getpid())
ANSWERS = json.dumps({"outcome": {"moved": 3}, "longest_s": 0.5, "finished": [0, 3 * PAGE]})


@pytest.fixture
def block() -> array[int]:
    """Memory of this process that is there."""
    return array("B", b"\1" * (64 * PAGE))


def pages(block: array[int]) -> range:
    start = -(-block.buffer_info()[0] // PAGE) * PAGE
    return range(start, start + 63 * PAGE, PAGE)


def order(pid: int = 0, *, started: int = 0, runs: tuple[range, ...] = (), nid: int = 0, limit: int = 100) -> Move:
    return Move(pid=pid, started=started, promotes=True, sources=(NO_NID,), nid=nid, runs=runs, limit_pages=limit)


def told(run: range, *, source: int, nid: int) -> str:
    """An order to move pages of this process, as the mover gets it."""
    runs = [(run.start, run.stop, run.step)]
    wanted = {"pid": os.getpid(), "started": STARTED, "sources": [source], "nid": nid, "runs": runs, "limit_pages": 9}
    return json.dumps(wanted)


@pytest.fixture
def pilot() -> Iterator[Pilot]:
    one = Pilot(answer_within_s=30)
    yield one
    one.close()


def test_the_kernel_tells_where_pages_are(block: array[int]) -> None:
    assert all(nid >= 0 for nid in query(0, array("Q", pages(block))))


def test_pages_that_are_on_no_source_nid_stay(block: array[int]) -> None:
    run = pages(block)
    line = json.dumps(
        {
            "pid": os.getpid(),
            "started": STARTED,
            "sources": [NO_NID],
            "nid": 0,
            "runs": [(run.start, run.stop, run.step)],
            "limit_pages": 9,
        }
    )
    assert json.loads(Mover(Procfs()).answer(line))["outcome"] == outcome_of(there=63)


def test_pages_go_to_the_nid_where_they_are_already_and_the_limit_holds(block: array[int]) -> None:
    run = pages(block)
    [nid] = set(query(0, array("Q", run)))
    line = json.dumps(
        {
            "pid": os.getpid(),
            "started": STARTED,
            "sources": [nid],
            "nid": nid,
            "runs": [(run.start, run.stop, run.step)],
            "limit_pages": 9,
        }
    )
    answer = json.loads(Mover(Procfs()).answer(line))
    assert (answer["outcome"]["moved"], answer["outcome"]["busy"]) == (9, 0)
    assert answer["longest_s"] > 0


@pytest.mark.parametrize(("enough_s", "seen"), [(0.0, FIRST_PAGES + HUGE_PAGES), (60.0, 40 * 63)])
def test_an_order_that_takes_long_ends_after_a_call_and_tells_what_it_did(
    block: array[int], enough_s: float, seen: int
) -> None:
    long = json.loads(told(pages(block), source=NO_NID, nid=0))
    long["runs"] *= 40
    answer = json.loads(Mover(Procfs(), enough_s=enough_s).answer(json.dumps(long)))
    assert answer["outcome"]["there"] == seen


def test_a_process_of_its_own_answers_for_another(pilot: Pilot, block: array[int]) -> None:

    assert pilot.carry_out(order(os.getpid(), started=STARTED, runs=(pages(block),))) == Outcome(there=63)
    assert pilot.carry_out(order(os.getpid(), started=STARTED, runs=(range(PAGE, 3 * PAGE, PAGE),))) == Outcome(gone=2)
    assert pilot.problem == ""


def test_a_process_that_is_gone_is_data(pilot: Pilot, block: array[int]) -> None:
    assert pilot.carry_out(order(2**22 - 1, runs=(pages(block),))) == Outcome(gone=1)


def test_another_process_that_has_the_pid_by_now_is_left_alone(pilot: Pilot, block: array[int]) -> None:
    assert pilot.carry_out(order(os.getpid(), started=STARTED + 1, runs=(pages(block),))) == Outcome(gone=1)


def test_a_process_that_has_ended_and_was_not_waited_for_is_gone(pilot: Pilot, block: array[int]) -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        ended = order(pid, started=Procfs().started(pid), runs=(pages(block),))
        assert pilot.carry_out(ended) == Outcome(gone=1)
    finally:
        os.waitpid(pid, 0)


class Reused(Procfs):
    """A pid that is another process' after it was asked for once."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = 0

    def started(self, pid: int) -> int:
        self._asked += 1
        return STARTED if self._asked == 1 else STARTED + 1


def test_a_pid_that_becomes_another_process_between_two_calls_is_left_alone_from_then_on(block: array[int]) -> None:
    wanted = json.loads(told(pages(block), source=NO_NID, nid=0))
    wanted["runs"] *= 2 * FIRST_PAGES // len(pages(block))
    answer = json.loads(Mover(Reused()).answer(json.dumps(wanted)))
    assert answer["outcome"] == outcome_of(there=FIRST_PAGES + HUGE_PAGES, gone=1)


@pytest.mark.parametrize(
    ("status", "now", "kind"),
    [(UNTOLD, 1, "moved"), (-EBUSY, 1, "moved"), (-EBUSY, 0, "busy"), (-EACCES, 1, "shared"), (UNTOLD, 0, "busy")],
)
def test_where_the_kernel_is_not_sure_of_a_page_the_place_where_it_is_decides(status: int, now: int, kind: str) -> None:
    assert outcome([settled(status, now, 1)], 1) == Outcome(**{kind: 1})


def test_a_target_without_room_fails_the_call_and_ends_the_order_and_what_had_moved_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = range(0, 2 * 63 * PAGE, PAGE)
    arriving, arrived = {*run[:3], *run[63:66]}, set[int]()
    asked: list[int] = []

    def query(pid: int, pages: array[int]) -> array[int]:
        asked.append(len(pages))
        return array("i", [int(page in arrived) for page in pages])

    def move(pid: int, pages: array[int], nid: int) -> array[int]:
        arrived.update(arriving)
        raise OSError(ENOMEM, "there is no room")

    for name, value in (("query", query), ("move", move), ("FIRST_PAGES", 63)):
        monkeypatch.setattr(mover_module, name, value)
    wanted = json.loads(told(run, source=0, nid=1)) | {"limit_pages": 1_000}
    answer = json.loads(Mover(Procfs()).answer(json.dumps(wanted)))
    assert asked == [126, 63, 63, 63]
    assert answer["outcome"] == outcome_of(moved=len(arriving), full=60)


class Mixed:
    """Memory in folios of some size: some are on the target already, some stay busy, some are not there at all."""

    def __init__(self, random: Random, small_pages: int) -> None:
        self.small_pages = small_pages
        self._busy = {folio for folio in range(300) if random.random() < 0.2}
        self._absent = {folio for folio in range(300) if random.random() < 0.1}
        self._nids = {folio: int(random.random() < 0.2) for folio in range(300)}

    def is_fixed(self, page: int) -> bool:
        return self._folio(page) in self._busy | self._absent

    def _folio(self, page: int) -> int:
        return page // PAGE // self.small_pages

    def query(self, pid: int, pages: array[int]) -> array[int]:
        folios = map(self._folio, pages)
        return array("i", [-ENOENT if one in self._absent else self._nids[one] for one in folios])

    def move(self, pid: int, pages: array[int], nid: int) -> array[int]:
        return array("i", [self._moved(self._folio(page), nid) for page in pages])

    def _moved(self, folio: int, nid: int) -> int:
        if folio in self._absent:
            return -ENOENT
        if folio in self._busy or self._nids[folio] == nid:
            return -EBUSY
        self._nids[folio] = nid
        return nid


def mixed(random: Random, monkeypatch: pytest.MonkeyPatch) -> Mixed:
    """Returns memory that the mover asks and moves from now on, in batches of some size."""
    memory = Mixed(random, random.choice([1, 2, 8]))
    monkeypatch.setattr(mover_module, "query", memory.query)
    monkeypatch.setattr(mover_module, "move", memory.move)
    monkeypatch.setattr(mover_module, "next_size", lambda pages, took_s: pages)
    for name, value in (("FIRST_PAGES", random.choice([1, 3, 20])), ("HUGE_PAGES", 8)):
        monkeypatch.setattr(mover_module, name, value)
    return memory


@pytest.mark.parametrize("seed", range(300))
def test_each_page_counts_as_what_became_of_it_and_no_more_than_a_folio_goes_beyond_the_limit(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    memory = mixed(random, monkeypatch)
    wanted = array("Q", [page * PAGE for page in range(200) if random.random() < 0.8])
    limit = random.choice([0, 1, 8, 9, 30, 1_000])
    before = memory.query(0, wanted)
    line = json.loads(told(range(0), source=0, nid=1)) | {"limit_pages": limit}
    line["runs"] = [(page, page + PAGE, PAGE) for page in wanted]
    outcome = json.loads(Mover(Procfs()).answer(json.dumps(line)))["outcome"]
    moved = sum(was == 0 and now == 1 for was, now in zip(before, memory.query(0, wanted), strict=True))
    assert outcome["moved"] == moved < limit + memory.small_pages + (not limit)
    if limit > len(wanted):
        assert (outcome["there"], outcome["gone"]) == (before.tolist().count(1), before.tolist().count(-ENOENT))
        assert sum(outcome.values()) == len(wanted)


@pytest.mark.parametrize("seed", range(100))
def test_orders_for_what_was_left_of_the_ones_before_come_to_every_page(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    memory = mixed(random, monkeypatch)
    left = [page * PAGE for page in range(200) if random.random() < 0.8]
    stay = {page for page in left if memory.is_fixed(page)}
    mover = Mover(Procfs(), enough_s=random.choice([0.0, 60.0]))
    for _ in range(len(left)):
        runs = [range(page, page + PAGE, PAGE) for page in left]
        line = json.loads(told(range(0), source=0, nid=1)) | {"limit_pages": random.choice([1, 5, 50])}
        line["runs"] = [(run.start, run.stop, run.step) for run in runs]
        over = {run.start for run in finished(runs, *json.loads(mover.answer(json.dumps(line)))["finished"])}
        assert all(memory.query(0, array("Q", over - stay)))
        left = [page for page in left if page not in over]
        if not left:
            return
    pytest.fail("an order came to no end of any page")


def test_an_order_whose_limit_is_reached_looks_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    run, asked = range(0, 60 * PAGE, PAGE), set[int]()
    nids = dict.fromkeys(run, 1) | dict.fromkeys(run[:3], 0)

    def query(pid: int, pages: array[int]) -> array[int]:
        asked.update(pages)
        return array("i", [nids[page] for page in pages])

    def move(pid: int, pages: array[int], nid: int) -> array[int]:
        nids.update(dict.fromkeys(pages, nid))
        return array("i", [nid] * len(pages))

    for name, value in (("query", query), ("move", move), ("FIRST_PAGES", 3), ("HUGE_PAGES", 8)):
        monkeypatch.setattr(mover_module, name, value)
    wanted = json.loads(told(run, source=0, nid=1)) | {"limit_pages": 3}
    assert json.loads(Mover(Procfs()).answer(json.dumps(wanted)))["outcome"] == outcome_of(moved=3, there=8)
    assert asked == set(run[:11])


class Still:
    """Memory of which all pages but the last three are where they are to go, or cannot leave."""

    def __init__(self, run: range, stay_on: int) -> None:
        self.nids = dict.fromkeys(run, stay_on) | dict.fromkeys(run[-3:], 0)
        self._fixed = set(run[:-3])

    def query(self, pid: int, pages: array[int]) -> array[int]:
        return array("i", [self.nids[page] for page in pages])

    def move(self, pid: int, pages: array[int], nid: int) -> array[int]:
        self.nids |= {page: nid for page in pages if page not in self._fixed}
        return array("i", [-EACCES if page in self._fixed else nid for page in pages])


@pytest.mark.parametrize("stay_on", [0, 1])
def test_what_stays_keeps_no_order_from_the_pages_behind_it_however_short_its_time_is(
    block: array[int], monkeypatch: pytest.MonkeyPatch, stay_on: int
) -> None:
    still = Still(pages(block), stay_on)
    monkeypatch.setattr(mover_module, "query", still.query)
    monkeypatch.setattr(mover_module, "move", still.move)
    monkeypatch.setattr(mover_module, "next_size", lambda pages, took_s: pages)
    for name, value in (("FIRST_PAGES", 4), ("HUGE_PAGES", 8)):
        monkeypatch.setattr(mover_module, name, value)
    mover, line = Mover(Procfs(), enough_s=0.0), told(pages(block), source=0, nid=1)
    for _ in range(20):
        mover.answer(line)
    assert [still.nids[page] for page in pages(block)[-3:]] == [1, 1, 1]


def test_where_an_order_goes_on_is_kept_apart_from_one_for_another_nid(
    block: array[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mover_module, "FIRST_PAGES", 4)
    monkeypatch.setattr(mover_module, "HUGE_PAGES", 8)
    mover, run = Mover(Procfs(), enough_s=0.0), pages(block)
    begun = [json.loads(mover.answer(told(run, source=NO_NID, nid=nid)))["finished"] for nid in (0, 1, 0, 1)]
    assert [first for first, _ in begun] == [0, 0, begun[0][1], begun[1][1]]
    assert begun[0][1]


def test_no_more_is_kept_of_processes_than_a_bound() -> None:
    mover = Mover(Procfs(), enough_s=0.0)
    for number in range(2 * _MOST_REACHED):
        mover._remember((number, 0, 0), PAGE)
    assert len(mover._reached) <= _MOST_REACHED


def test_a_mover_that_dies_over_an_order_is_started_again() -> None:
    dies = Pilot((sys.executable, "-c", "import sys; sys.stdin.readline()"), answer_within_s=30)
    assert dies.carry_out(order()) == Outcome()
    assert dies.carry_out(order()) == Outcome()
    assert dies.problem == ""


def test_a_mover_that_is_late_is_killed_and_another_one_answers() -> None:
    late = Pilot((sys.executable, "-c", "import time; time.sleep(60)"), answer_within_s=0.2)
    assert late.carry_out(order()) == Outcome()
    assert (late.was_late, late.problem) == (True, "")
    late._command = (sys.executable, "-c", f"input(); print({ANSWERS!r})")
    late._answer_within_s = 30
    run = range(0, 9 * PAGE, PAGE)
    assert late.carry_out(order(runs=(run,))) == Outcome(moved=3)
    assert late.finished == (run[:3],)
    assert (late.was_late, late.problem) == (False, "")
    assert late.longest_call_s == 0.5
    late.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (1, "moved"),
        (0, "busy"),
        (-16, "busy"),
        (-13, "shared"),
        (-12, "full"),
        (-2, "gone"),
        (-14, "gone"),
        (-1, "busy"),
    ],
)
def test_every_page_is_counted_by_what_the_kernel_said_of_it(status: int, kind: str) -> None:
    assert outcome([status], 1) == Outcome(**{kind: 1})


def test_calls_shrink_at_once_when_they_take_too_long_and_grow_slowly() -> None:
    assert next_size(1024, 0.03) == 512
    assert next_size(1024, 0.015) == 1024
    assert next_size(1024, 0.002) == 2048
    assert next_size(LEAST_PAGES, 9.0) == LEAST_PAGES
    assert next_size(MOST_PAGES, 0.0) == MOST_PAGES


def outcome_of(**counts: int) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in ("moved", "there", "busy", "shared", "full", "gone", "denied")}
