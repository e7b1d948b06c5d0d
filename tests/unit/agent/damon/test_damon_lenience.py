"""Where hardly a page is not young, demotion makes room all the same."""

from dataclasses import replace

import pytest

from simkernel import LINUX_6_18, LINUX_7_2, Profile, SimKernel
from terrace_agent.damon.desired import desired
from terrace_agent.damon.lenience import Tried, Tries, advance, is_lenient
from terrace_agent.damon.read import SchemeStats
from terrace_agent.damon.seen import Seen
from terrace_agent.damon.tree import Action, FilterType
from terrace_agent.damon.verify import Look
from terrace_agent.workloads.values import Cgroup, Limited, Movable
from unit.agent.damon.builders import EVERYTHING, MIB, MemoryJournal, engine_on, guest, settings

DEMOTION = 0


def look(tried: float, applied: float, *, pid: int = 100, action: Action = Action.MIGRATE_COLD) -> Look:
    stats = SchemeStats(sz_tried=int(tried * MIB), sz_applied=int(applied * MIB))
    return Look(index=0, pid=pid, source_nid=0, scheme=0, action=action, target_nid=1, stats=stats)


def after(*looks: tuple[float, Look], min_age_s: float = 5) -> bool:
    known: Tries = {}
    for at_s, one in looks:
        known = advance(known, (one,), min_age_s=min_age_s, at_s=at_s)
    return is_lenient(known, 0)


STARVED = ((0.0, look(0, 0)), (10.0, look(200, 19)))


def test_young_pages_are_turned_away_until_enough_was_tried_in_vain_for_a_while() -> None:
    assert not is_lenient({}, 0)
    assert after(*STARVED)
    assert not after((0.0, look(0, 0)), (9.0, look(200, 19)))
    assert not after((0.0, look(0, 0)), (10.0, look(200, 21)))
    assert not after((0.0, look(0, 0)), (10.0, look(63, 0)))


def test_what_was_turned_away_once_gets_a_second_try_at_the_age_that_is_asked_for() -> None:
    assert not after(*STARVED, min_age_s=60)
    assert after(*STARVED, (120.0, look(200, 19)), min_age_s=60)


def test_a_little_in_each_of_many_windows_says_nothing() -> None:
    assert not after(*((10.0 * number, look(60 * number, 0)) for number in range(100)))


def test_what_is_promoted_in_vain_says_nothing() -> None:
    hot = Action.MIGRATE_HOT
    assert not after((0.0, look(0, 0, action=hot)), (10.0, look(900, 0, action=hot)))


def test_of_several_schemes_of_a_demotion_the_first_is_judged() -> None:
    known: Tries = {}
    for at_s, one in ((0.0, look(0, 0)), (10.0, look(200, 0))):
        known = advance(known, (replace(one, scheme=2), look(0, 0)), min_age_s=5, at_s=at_s)
    assert not is_lenient(known, 0)


def test_it_stays_so_while_there_is_something_to_demote_and_ends_after_a_minute_of_rest() -> None:
    busy = (*STARVED, (70.0, look(400, 219)))
    assert after(*busy)
    assert after(*busy, (129.0, look(400, 219)))
    assert not after(*busy, (130.0, look(400, 219)))


def test_a_page_per_window_which_a_time_quota_lets_past_the_stop_is_rest() -> None:
    assert not after(*STARVED, (70.0, look(200 + 15, 19)))
    assert after(*STARVED, (70.0, look(200 + 17, 19)))


@pytest.mark.parametrize("min_age_s", [60, 300, 3600])
def test_what_rest_tries_in_vain_is_never_enough_however_long_the_window_is(min_age_s: int) -> None:
    rest_mib_per_s = 5 / 256 * 8
    known: Tries = {}
    for number in range(800):
        known = advance(known, (look(10 * number * rest_mib_per_s, 0),), min_age_s=min_age_s, at_s=10.0 * number)
        assert not is_lenient(known, 0)


def test_the_filter_is_tried_again_after_five_minutes() -> None:
    busy = tuple((10.0 + 60 * minute, look(200 + 500 * minute, 400 * minute)) for minute in range(1, 6))
    assert after(*STARVED, *busy[:4])
    assert not after(*STARVED, *busy)


@pytest.mark.parametrize("pid", [100, 101])
def test_five_minutes_end_whatever_the_window_is_and_whoever_counts(pid: int) -> None:
    busy = tuple((10.0 + 59 * number, look(200 + 50 * number, 40 * number)) for number in range(1, 6))
    assert after(*STARVED, *busy)
    assert not after(*STARVED, *busy, (310.0, look(1000, 500, pid=pid)))


def test_counters_that_go_back_begin_a_new_window() -> None:
    assert not after((0.0, look(300, 0)), (9.0, look(100, 0)), (18.0, look(290, 0)))
    assert after((0.0, look(300, 0)), (9.0, look(100, 0)), (19.0, look(290, 0)))


def test_a_kdamond_that_begins_anew_keeps_what_was_known_and_is_judged_from_its_start() -> None:
    assert after(*STARVED, (11.0, look(0, 0, pid=101)))
    assert not after((0.0, look(100, 0)), (10.0, look(300, 0, pid=101)))


class Warm:
    """A node of which counters are set by hand."""

    def __init__(self, profile: Profile) -> None:
        self.kernel = SimKernel(profile)
        self.now_s = 0.0
        self.engine = engine_on(self.kernel, MemoryJournal(), lambda: self.now_s)
        self.notes: tuple[str, ...] = ()

    def turn(self, tried: int, applied: int, *, young_filter: bool = True) -> int:
        """Returns how many schemes of the fast nid's kdamond mind what is young, in a turn that tries that much."""
        self.now_s += 10
        plan = self.engine.plan(replace(settings(), young_filter=young_filter), guest())
        self.notes = plan.effective.notes if plan.effective else ()
        self.engine.apply(plan)
        self.kernel.count(DEMOTION, sz_tried=tried * MIB, sz_applied=applied * MIB)
        self.engine.verify()
        files = self.kernel.running[DEMOTION].files
        return sum(path.endswith("/type") and text == "young" for path, text in files.items())


def test_what_looks_cold_makes_room_where_hardly_a_page_is_not_young() -> None:
    node = Warm(LINUX_7_2)
    assert [node.turn(200, 4) for _ in range(3)] == [2, 2, 2]
    pids = {running.pid for running in node.kernel.running.values()}
    assert [node.turn(400, 400) for _ in range(5)][-1] == 0
    assert any(note.startswith("youngFilter") for note in node.notes)
    assert [node.turn(0, 0) for _ in range(14)][-1] == 2
    assert {running.pid for running in node.kernel.running.values()} == pids


def test_without_a_young_filter_there_is_nothing_to_leave_out() -> None:
    node = Warm(LINUX_7_2)
    assert [node.turn(200, 4, young_filter=False) for _ in range(8)] == [0] * 8
    assert not any(note.startswith("youngFilter") for note in node.notes)


def test_what_failed_without_the_filter_is_not_held_against_it_once_it_is_wanted() -> None:
    node = Warm(LINUX_7_2)
    for _ in range(6):
        node.turn(200, 4, young_filter=False)
    assert node.turn(200, 190) == 2


def test_where_the_agent_hands_out_amounts_the_filter_stays() -> None:
    node = Warm(LINUX_6_18)
    assert [node.turn(400, 0) for _ in range(8)] == [2] * 8


def minds_young(*pods: Limited, lenient: bool) -> list[tuple[Action, bool]]:
    """Returns the action of each scheme of the fast nid's kdamond, and whether it minds what is young."""
    known = Tried(pid=100, tried_bytes=0, applied_bytes=0, at_s=0.0, lenient_since_s=0.0 if lenient else None)
    movable = Movable(allowed=(*(cgroup for pod in pods for cgroup in pod.cgroups), Cgroup(path="/")), limited=pods)
    seen = Seen(movable=movable, tries=dict.fromkeys((0, 1), known))
    kdamonds = desired(settings(), guest(), frozenset(EVERYTHING), seen).kdamonds
    schemes = [scheme for kdamond in kdamonds for scheme in kdamond.tree.contexts[0].schemes]
    return [(one.action, any(f.type is FilterType.YOUNG for f in one.ops_filters or ())) for one in schemes]


def test_promotion_minds_what_is_young_all_the_same() -> None:
    cold, hot = Action.MIGRATE_COLD, Action.MIGRATE_HOT
    assert minds_young(lenient=False) == [(cold, True), (Action.STAT, True), (hot, True)]
    assert minds_young(lenient=True) == [(cold, False), (hot, True)]


def test_where_pods_are_demoted_apart_all_mind_it() -> None:
    pod = Limited(path="/a", cgroups=(Cgroup(path="/a"),), max_bytes=512 * MIB, min_bytes=256 * MIB)
    assert minds_young(pod, lenient=True) == minds_young(pod, lenient=False)
    assert sum(young for _, young in minds_young(pod, lenient=True)) == 6
