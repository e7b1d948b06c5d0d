"""Where hardly a page is not young, demotion makes room all the same."""

import pytest

from simkernel import LINUX_6_12, LINUX_7_2, Profile, SimKernel
from terrace_agent.damon.lenience import Trials, advance, enough_bytes, is_lenient
from terrace_agent.damon.read import SchemeStats
from terrace_agent.damon.tree import Action
from terrace_agent.damon.verify import Look
from unit.agent.damon.builders import MIB, MemoryJournal, engine_on, guest, settings

DEMOTION = 0
ENOUGH_MIB = 128


def look(tried: int, applied: int, *, pid: int = 100, action: Action = Action.MIGRATE_COLD) -> Look:
    stats = SchemeStats(sz_tried=tried * MIB, sz_applied=applied * MIB)
    return Look(index=0, pid=pid, source_nid=0, scheme=0, action=action, target_nid=1, stats=stats)


def after(*looks: tuple[float, Look]) -> bool:
    known: Trials = {}
    for at_s, one in looks:
        known = advance(known, (one,), {0: ENOUGH_MIB * MIB}, at_s)
    return is_lenient(known, 0)


STARVED = ((0.0, look(0, 0)), (10.0, look(200, 4)))


def test_young_pages_are_turned_away_until_enough_was_tried_in_vain_for_a_while() -> None:
    assert not is_lenient({}, 0)
    assert not after((0.0, look(0, 0)), (10.0, look(100, 0)))
    assert not after((0.0, look(0, 0)), (9.0, look(200, 0)))
    assert not after((0.0, look(0, 0)), (10.0, look(200, 30)))
    assert after(*STARVED)
    assert after((0.0, look(0, 0)), (9.0, look(100, 0)), (18.0, look(200, 0)))


def test_what_is_promoted_in_vain_says_nothing() -> None:
    hot = Action.MIGRATE_HOT
    assert not after((0.0, look(0, 0, action=hot)), (10.0, look(900, 0, action=hot)))


def test_it_stays_so_while_there_is_something_to_demote_and_ends_a_minute_after() -> None:
    going_on = (*STARVED, (20.0, look(300, 14)), (70.0, look(301, 15)))
    assert after(*going_on)
    assert after(*going_on, (129.0, look(301, 15)))
    assert not after(*going_on, (131.0, look(301, 15)))


def test_time_in_which_nothing_was_tried_does_not_count() -> None:
    rested = ((0.0, look(0, 0)), (500.0, look(0, 0)), (509.0, look(200, 4)))
    assert not after(*rested)
    assert after(*rested, (510.0, look(200, 4)))


def test_a_kdamond_that_begins_anew_keeps_what_was_known_and_is_judged_from_its_start() -> None:
    assert after(*STARVED, (11.0, look(0, 0, pid=101)))
    assert not after((0.0, look(900, 0)), (10.0, look(10, 0, pid=101)), (20.0, look(100, 0, pid=101)))


@pytest.mark.parametrize(("cleans", "part"), [(True, 16), (False, 1)])
def test_without_cleaned_bits_every_page_has_to_have_been_tried(cleans: bool, part: int) -> None:
    found = enough_bytes(guest(), cleans=cleans)
    assert found[0] == max(64 * MIB, guest().nid(0).total_bytes // part)


class Warm:
    """A node of which counters are set by hand."""

    def __init__(self, profile: Profile) -> None:
        self.kernel = SimKernel(profile)
        self.now_s = 0.0
        self.engine = engine_on(self.kernel, MemoryJournal(), lambda: self.now_s)
        self.notes: tuple[str, ...] = ()

    def turn(self, tried: int, applied: int) -> int:
        """Returns how many schemes of the fast nid's kdamond mind what is young, in a turn that tries that much."""
        self.now_s += 10
        plan = self.engine.plan(settings(), guest())
        self.notes = plan.effective.notes if plan.effective else ()
        self.engine.apply(plan)
        self.kernel.count(DEMOTION, sz_tried=tried * MIB, sz_applied=applied * MIB)
        self.engine.verify()
        files = self.kernel.running[DEMOTION].files
        return sum(path.endswith("/type") and text == "young" for path, text in files.items())


def test_what_is_coldest_makes_room_where_hardly_a_page_is_not_young() -> None:
    node = Warm(LINUX_7_2)
    assert node.turn(0, 0) == node.turn(400, 4) == 2
    pids = {running.pid for running in node.kernel.running.values()}
    assert node.turn(400, 400) == 0
    assert any(note.startswith("youngFilter") for note in node.notes)
    assert [node.turn(0, 0) for _ in range(8)][-1] == 2
    assert {running.pid for running in node.kernel.running.values()} == pids


def test_where_bits_were_not_cleaned_the_first_tries_are_not_judged() -> None:
    node = Warm(LINUX_6_12)
    node.turn(0, 0)
    assert node.turn(1000, 0) == node.turn(500, 0) == 1
    assert node.turn(100, 0) == 1
    assert [node.turn(0, 0) for _ in range(2)][-1] == 0
