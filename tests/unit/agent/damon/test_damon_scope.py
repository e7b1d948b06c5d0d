"""Filters hold a scheme to the cgroups that may move, under the kernel's own way to read a list of filters."""

import itertools

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from cases.pods import (
    HOST,
    a_pod,
    container_path,
    exclude,
    known,
    labelled,
    make_host,
    make_pod,
    opted_out,
    pod_path,
    remove_pod,
    tier,
)
from simkernel import LINUX_6_12, LINUX_7_2, Profile, SimKernel
from simkernel.filters import Page, passes
from terrace_agent.damon.features import Feature
from terrace_agent.damon.scope import scoped
from terrace_agent.damon.tree import Filter, FilterType
from terrace_agent.workloads.cgroups import read_cgroups
from terrace_agent.workloads.resolve import resolve
from terrace_agent.workloads.rules import Rules
from terrace_agent.workloads.values import MOST_LISTED, Cgroup, Found, Known, Movable, Selection
from unit.agent.damon.builders import EVERYTHING, MemoryJournal, engine_on, guest, settings

YOUNG_UP = Filter(type=FilterType.YOUNG, matching=True, allow=True)
YOUNG_DOWN = Filter(type=FilterType.YOUNG, matching=True, allow=False)
UNMAPPED = Filter(type=FilterType.UNMAPPED, matching=True, allow=False)
DEMOTION, PROMOTION = 0, 1
TARGETS = {DEMOTION: 1, PROMOTION: 0}
LABEL = {"terrace.dev/tiering": "disabled"}


def memcg(path: str, *, allow: bool | None = True) -> Filter:
    return Filter(type=FilterType.MEMCG, matching=True, allow=allow, memcg_path=path)


def selected(*allowed: str, barred: tuple[str, ...] = ()) -> Selection:
    return Selection(allowed=allowed, barred=barred)


def test_without_a_selection_filters_stay_as_they_are() -> None:
    assert scoped((YOUNG_UP,), None, EVERYTHING) == (YOUNG_UP,)


def test_promotion_takes_what_is_young_and_of_these_cgroups() -> None:
    assert scoped((YOUNG_UP,), selected("/a", "/b"), EVERYTHING) == (
        Filter(type=FilterType.YOUNG, matching=False, allow=False),
        memcg("/a"),
        memcg("/b"),
    )


def test_demotion_takes_what_is_not_young_and_of_these_cgroups() -> None:
    assert scoped((YOUNG_DOWN,), selected("/a"), EVERYTHING) == (YOUNG_DOWN, memcg("/a"))


def test_other_filters_that_reject_stay_in_front() -> None:
    assert scoped((UNMAPPED, YOUNG_DOWN), selected("/a"), EVERYTHING) == (UNMAPPED, YOUNG_DOWN, memcg("/a"))


def test_with_no_cgroup_to_move_everything_is_rejected() -> None:
    assert scoped((YOUNG_UP,), selected(), EVERYTHING) == (
        Filter(type=FilterType.ANON, matching=True, allow=False),
        Filter(type=FilterType.ANON, matching=False, allow=False),
    )


@pytest.mark.parametrize(("features", "allow"), [(frozenset(), None), (frozenset({Feature.ALLOW_FILTERS}), False)])
def test_with_no_cgroup_to_move_kernels_that_can_only_reject_reject_everything_too(
    features: frozenset[Feature], *, allow: bool | None
) -> None:
    assert scoped((), selected(), features) == (
        Filter(type=FilterType.ANON, matching=True, allow=allow),
        Filter(type=FilterType.ANON, matching=False, allow=allow),
    )


@pytest.mark.parametrize("features", [frozenset(), frozenset({Feature.ALLOW_FILTERS})])
def test_without_lists_what_is_to_be_left_alone_is_rejected_by_name(features: frozenset[Feature]) -> None:
    allow = False if features else None
    young = Filter(type=FilterType.YOUNG, matching=True, allow=allow)
    made = scoped((young,), selected("/a", barred=("/x", "/y")), features)
    assert made == (young, memcg("/x", allow=allow), memcg("/y", allow=allow))


def turn(kernel: SimKernel, movable: Movable, journal: MemoryJournal | None = None) -> None:
    """One turn of an agent that has just started."""
    engine = engine_on(kernel, journal or MemoryJournal())
    engine.apply(engine.plan(settings(), guest(), movable))


def moves(kernel: SimKernel, direction: int, page: Page) -> bool:
    return passes(kernel.running[direction].files, 0, page)


def movable_of(kernel: SimKernel, pods: Known | None, rules: Rules) -> Movable:
    return resolve(rules, pods, read_cgroups(kernel), guest().tiers).movable


@pytest.fixture
def kernel() -> SimKernel:
    kernel = SimKernel(LINUX_7_2)
    make_host(kernel)
    return kernel


def test_an_excluded_pods_pages_stay_and_an_included_ones_move(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    make_pod(kernel, 2)
    turn(kernel, movable_of(kernel, known(a_pod(1), opted_out(2)), ()))
    for path, may_move in ((container_path(1), True), (container_path(2), False), (pod_path(2), False)):
        assert moves(kernel, DEMOTION, Page(memcg=path, young=False)) is may_move
        assert moves(kernel, PROMOTION, Page(memcg=path, young=True)) is may_move


def test_young_pages_still_do_not_go_down_nor_others_up(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    turn(kernel, movable_of(kernel, known(a_pod(1), opted_out(2)), ()))
    assert not moves(kernel, DEMOTION, Page(memcg=container_path(1), young=True))
    assert not moves(kernel, PROMOTION, Page(memcg=container_path(1), young=False))


def test_accessed_bits_are_cleared_ahead_in_the_same_cgroups_only(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    turn(kernel, movable_of(kernel, known(opted_out(1)), ()))
    assert kernel.running[DEMOTION].files["contexts/0/schemes/1/action"] == "stat"
    assert not passes(kernel.running[DEMOTION].files, 1, Page(memcg=container_path(1), young=False))
    assert passes(kernel.running[DEMOTION].files, 1, Page(memcg="/system.slice", young=False))


MANY = tuple(Cgroup(path=f"/{number}") for number in range(MOST_LISTED + 3))


@pytest.mark.parametrize("mode", ["plan", "plan_observe"])
def test_where_what_may_move_is_listed_what_a_list_has_no_room_for_is_a_problem(mode: str) -> None:
    engine = engine_on(SimKernel(LINUX_7_2), MemoryJournal())
    plan = {"plan": engine.plan, "plan_observe": engine.plan_observe}[mode]
    problem = plan(settings(), guest(), Movable(listed=True, allowed=MANY)).problem
    assert problem
    assert (problem.reason, "3 more are left" in problem.message) == ("TooManyCgroups", True)
    assert plan(settings(), guest(), Movable(listed=True, allowed=MANY[3:])).problem is None


def test_of_cgroups_that_nothing_has_to_be_told_from_none_is_too_many() -> None:
    engine = engine_on(SimKernel(LINUX_7_2), MemoryJournal())
    assert engine.plan(settings(), guest(), Movable(allowed=MANY)).problem is None


def test_where_only_what_is_left_alone_is_listed_nothing_is_cut_off() -> None:
    engine = engine_on(SimKernel(LINUX_6_12), MemoryJournal())
    movable = Movable(listed=True, allowed=MANY, barred=(Cgroup(path="/left-alone"),))
    assert engine.plan(settings(), guest(), movable).problem is None


def test_a_list_that_no_scheme_needs_is_no_problem() -> None:
    engine = engine_on(SimKernel(LINUX_7_2), MemoryJournal())
    confined = Movable(allowed=(*MANY, Cgroup(path="/pinned", mems=frozenset({0}))))
    assert engine.plan(settings(demotion=False), guest(), confined).problem is None
    assert engine.plan(settings(), guest(), confined).problem


def test_a_pod_that_came_after_the_commit_stays_until_it_is_listed(kernel: SimKernel) -> None:
    turn(kernel, movable_of(kernel, known(), (exclude("db", labelled(app="db")),)))
    make_pod(kernel, 1)
    assert not moves(kernel, DEMOTION, Page(memcg=container_path(1), young=False))


def test_the_hosts_own_memory_moves_beside_excluded_pods(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    turn(kernel, movable_of(kernel, known(a_pod(1)), (exclude("all"),)))
    assert all(moves(kernel, DEMOTION, Page(memcg=path, young=False)) for path in HOST)
    assert not moves(kernel, DEMOTION, Page(memcg=None, young=False))


PODS = range(4)
LABELS = st.sampled_from([{}, {"app": "db"}, LABEL, LABEL | {"app": "db"}])
RULES = st.lists(
    st.sampled_from([exclude("e"), tier("t"), exclude("ed", labelled(app="db")), tier("td", labelled(app="db"))]),
    max_size=3,
    unique_by=lambda rule: rule.name,
).map(tuple)


@examples(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    named=st.sets(st.sampled_from(PODS)),
    labels=st.tuples(*[LABELS for _ in PODS]),
    mems=st.tuples(*[st.sampled_from(["", "0", "1", "0-1"]) for _ in PODS]),
    rules=RULES,
)
def test_a_page_moves_if_and_only_if_rules_label_and_cpuset_let_it(
    named: set[int], labels: tuple[dict[str, str], ...], mems: tuple[str, ...], rules: Rules
) -> None:
    kernel = SimKernel(LINUX_7_2)
    make_host(kernel)
    for number in PODS:
        make_pod(kernel, number, mems=mems[number])
    pods = known(*(a_pod(number, labels=labels[number]) for number in named))
    turn(kernel, movable_of(kernel, pods, rules))
    for number, direction in itertools.product(PODS, TARGETS):
        is_confined = bool(mems[number]) and str(TARGETS[direction]) not in mems[number]
        wanted = is_tiered(labels[number] if number in named else None, rules) and not is_confined
        for path in (pod_path(number), container_path(number)):
            found = moves(kernel, direction, Page(memcg=path, young=direction == PROMOTION))
            assert found is wanted, (number, direction, path)


def is_tiered(labels: dict[str, str] | None, rules: Rules) -> bool:
    """Returns what is wanted of a pod, told another way: `labels` is None for one that nobody named."""
    if labels is None:
        return not any(rule.action == "Exclude" for rule in rules)
    if labels.get("terrace.dev/tiering") == "disabled":
        return False
    for rule in rules:
        if rule.match is None or labels.get("app") == "db":
            return bool(rule.action == "Tier")
    return True


def test_kernels_that_can_only_reject_leave_alone_what_they_know_of() -> None:
    kernel = SimKernel(LINUX_6_12)
    make_host(kernel)
    make_pod(kernel, 1)
    make_pod(kernel, 2)
    selection = movable_of(kernel, known(a_pod(1), opted_out(2)), ()).towards(1)
    made = scoped((Filter(type=FilterType.YOUNG, matching=True, allow=None),), selection, frozenset())
    assert [one.memcg_path for one in made if one.type is FilterType.MEMCG] == [pod_path(2), container_path(2)]
    assert {one.allow for one in made} == {None}


@pytest.mark.parametrize("profile", [LINUX_6_12, LINUX_7_2], ids=lambda profile: profile.name)
def test_where_pods_cannot_be_told_apart_nobodys_pages_move(profile: Profile) -> None:
    kernel = SimKernel(profile)
    turn(kernel, resolve((), known(a_pod(1)), Found(unified=False), guest().tiers).movable)
    for page in (
        Page(memcg=container_path(1), anon=anon, young=young) for anon in (False, True) for young in (False, True)
    ):
        assert not moves(kernel, DEMOTION, page)
        assert not moves(kernel, PROMOTION, page)


def test_a_pod_that_has_gone_is_no_longer_listed(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    pods = known(a_pod(1), opted_out(2))
    journal = MemoryJournal()
    turn(kernel, movable_of(kernel, pods, ()), journal)
    remove_pod(kernel, 1)
    turn(kernel, movable_of(kernel, pods, ()), journal)
    assert not moves(kernel, DEMOTION, Page(memcg=container_path(1), young=False))
    assert kernel.running[DEMOTION].commits == 1
