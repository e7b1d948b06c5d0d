"""Included pods arrive although excluded ones are hotter."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.pods import a_pod, known, make_host, make_pod, opted_out
from simkernel import LINUX_7_2, SimKernel
from terrace_agent.damon.engine import DamonEngine
from terrace_agent.damon.passing import Flows, advance, is_uniform
from terrace_agent.damon.read import SchemeStats
from terrace_agent.damon.tree import Action
from terrace_agent.damon.verify import Look
from terrace_agent.workloads.cgroups import read_cgroups
from terrace_agent.workloads.resolve import resolve
from terrace_agent.workloads.values import EVERYTHING, Movable
from unit.agent.damon.builders import MIB, MemoryJournal, engine_on, guest, settings

PROMOTION = 1
WEIGHTS = "contexts/0/schemes/0/quotas/weights"


def look(tried: int, passed: int | None) -> Look:
    stats = SchemeStats(sz_tried=tried * MIB, sz_ops_filter_passed=None if passed is None else passed * MIB)
    return Look(index=1, pid=101, source_nid=1, scheme=0, action=Action.MIGRATE_HOT, target_nid=0, stats=stats)


def after(*looks: Look) -> bool:
    known: Flows = {}
    for one in looks:
        known = advance(known, (one,))
    return is_uniform(known, 1, promotes=True)


def test_regions_are_weighed_until_something_else_is_known() -> None:
    assert not is_uniform({}, 1, promotes=True)
    assert not after(look(500, 0))


def test_regions_are_not_weighed_while_hardly_anything_passes() -> None:
    assert after(look(0, 0), look(100, 5))
    assert not after(look(0, 0), look(100, 15))


def test_little_that_was_tried_says_nothing_and_adds_up() -> None:
    assert not after(look(0, 0), look(40, 0))
    assert after(look(0, 0), look(40, 0), look(80, 0))


def test_regions_are_weighed_again_when_nearly_everything_passes_not_before() -> None:
    assert after(look(0, 0), look(100, 0), look(200, 60))
    assert not after(look(0, 0), look(100, 0), look(200, 95))


def test_where_weighing_starves_again_and_again_it_is_tried_ever_more_rarely() -> None:
    fell_twice = (look(0, 0), look(100, 0), look(200, 95), look(300, 95))
    assert after(*fell_twice, look(400, 190))
    assert not after(*fell_twice, look(430, 220))
    tried, passed, known, falls = 0, 0, advance({}, (look(0, 0),)), 0
    for _ in range(1000):
        uniform = is_uniform(known, 1, promotes=True)
        tried, passed = tried + 64, passed + (64 if uniform else 0)
        known = advance(known, (look(tried, passed),))
        falls += not uniform
    assert falls <= 10


def test_weighing_that_goes_well_is_trusted_as_before() -> None:
    well = [look(200 + 100 * number, 95 + 50 * number) for number in range(1, 6)]
    assert not after(look(0, 0), look(100, 0), look(200, 95), *well, look(800, 345), look(900, 440))


def test_a_kdamond_that_began_anew_is_judged_from_its_start() -> None:
    assert after(look(0, 0), look(900, 0), look(10, 10), look(80, 10))


def test_schemes_of_single_pods_say_nothing_about_the_general_one() -> None:
    known: Flows = {}
    for tried in (0, 100):
        known = advance(known, (look(tried, tried), replace(look(tried, 0), scheme=1)))
    assert not is_uniform(known, 1, promotes=True)


@pytest.mark.parametrize(("moved", "is_starved"), [(5, True), (15, False)])
def test_a_kernel_that_does_not_count_what_passed_is_judged_by_what_was_moved(moved: int, *, is_starved: bool) -> None:
    tried = look(100, None)
    assert after(look(0, None), replace(tried, stats=replace(tried.stats, sz_applied=moved * MIB))) is is_starved


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=8))
def test_the_judgement_is_a_function_of_what_was_counted(steps: list[tuple[int, int]]) -> None:
    tried = passed = 0
    known: Flows = {}
    for more_tried, more_passed in steps:
        tried, passed = tried + more_tried, passed + min(more_tried, more_passed)
        known = advance(known, (look(tried, passed),))
    assert advance(known, (look(tried, passed),)) == known


class Starved:
    """An excluded pod that is hotter than the included one."""

    def __init__(self) -> None:
        self.kernel = SimKernel(LINUX_7_2)
        make_host(self.kernel)
        make_pod(self.kernel, 1)
        make_pod(self.kernel, 2)
        found = read_cgroups(self.kernel)
        self.excluding = resolve((), known(a_pod(1), opted_out(2)), found, guest().tiers).movable
        self.engine: DamonEngine = engine_on(self.kernel, MemoryJournal())

    def turn(self, movable: Movable, *, tried: int, passed: int) -> dict[str, str]:
        plan = self.engine.plan(settings(), guest(), movable)
        self.notes = plan.effective.notes if plan.effective else ()
        self.engine.apply(plan)
        self.kernel.count(PROMOTION, sz_tried=tried * MIB, sz_ops_filter_passed=passed * MIB)
        self.engine.verify()
        files = self.kernel.running[PROMOTION].files
        return {path.rpartition("/")[2]: text for path, text in files.items() if path.startswith(WEIGHTS)}


def test_an_included_pod_gets_its_turn_beside_an_excluded_one_that_is_hotter() -> None:
    node = Starved()
    weighed = node.turn(node.excluding, tried=100, passed=0)
    assert weighed == {"sz_permil": "0", "nr_accesses_permil": "100", "age_permil": "100"}
    node.turn(node.excluding, tried=100, passed=0)
    assert set(node.turn(node.excluding, tried=100, passed=50).values()) == {"0"}
    assert any("regions are not weighed" in note for note in node.notes)
    pids = {running.pid for running in node.kernel.running.values()}
    assert len(pids) == 2


def test_pages_that_are_not_young_are_no_reason_not_to_weigh_where_nothing_is_excluded() -> None:
    node = Starved()
    for _ in range(3):
        weighed = node.turn(EVERYTHING, tried=100, passed=0)
    assert weighed["nr_accesses_permil"] == "100"
