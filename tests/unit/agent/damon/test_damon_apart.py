"""Pods with bounds have schemes of their own, with stops of their own, beside general ones that leave them alone."""

import errno
import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import LINUX_7_2, SimKernel
from simkernel.filters import Page, passes
from terrace_agent.damon.desired import Desired, DesiredKdamond, desired
from terrace_agent.damon.engine import DamonEngine
from terrace_agent.damon.features import Feature
from terrace_agent.damon.ownership import owner_of
from terrace_agent.damon.read import ObservedKdamond
from terrace_agent.damon.seen import Seen
from terrace_agent.damon.stores import kdamond_stores
from terrace_agent.damon.tree import Action, Context, GoalMetric, Kdamond, QuotaGoal, Quotas, Scheme
from terrace_agent.errors import SchemesRefused
from terrace_agent.journal import OwnedKdamond
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import MOST_LISTED, Cgroup, Limited, Movable
from terrace_api.policy import Settings
from unit.agent.damon.builders import EVERYTHING, GIB, MIB, MemoryJournal, engine_on, guest, nid, settings, topology

STATE = "/sys/kernel/mm/damon/admin/kdamonds/0/state"
ONE_WAY = settings(demotion=False)
FAST_BYTES, BP = 1536 * MIB, 10_000
DEMOTION, PROMOTION = 0, 1
USED, FREE = GoalMetric.NODE_MEMCG_USED_BP, GoalMetric.NODE_MEMCG_FREE_BP


def pod(path: str, most: int | None = None, least: int | None = None, mems: frozenset[int] | None = None) -> Limited:
    cgroups = (Cgroup(path=path, mems=mems), Cgroup(path=f"{path}/app", mems=mems))
    return Limited(path=path, cgroups=cgroups, max_bytes=most, min_bytes=least)


def movable(*pods: Limited) -> Movable:
    return Movable(allowed=(*(cgroup for pod in pods for cgroup in pod.cgroups), Cgroup(path="/")), limited=pods)


def compiled(
    *pods: Limited,
    where: Topology | None = None,
    features: Iterable[Feature] = EVERYTHING,
    chosen: Settings | None = None,
) -> Desired:
    return desired(chosen or settings(), where or guest(), frozenset(features), Seen(movable=movable(*pods)))


def schemes(kdamond: DesiredKdamond) -> tuple[Scheme, ...]:
    return kdamond.tree.contexts[0].schemes


def own(found: Desired, index: int) -> tuple[Scheme, ...]:
    kdamond = found.kdamonds[index]
    return schemes(kdamond)[kdamond.general :]


def goal(scheme: Scheme) -> QuotaGoal:
    return scheme.quotas.goals[0]


def metrics(scheme: Scheme) -> list[str]:
    return [goal.target_metric.value for goal in scheme.quotas.goals]


def listed(scheme: Scheme) -> set[str]:
    return {one.memcg_path for one in scheme.ops_filters or () if one.memcg_path}


def test_a_pod_with_a_max_is_promoted_apart_until_it_has_that() -> None:
    found = compiled(pod("/a", 512 * MIB))
    (mine,) = own(found, PROMOTION)
    assert (mine.action, mine.target_nid, listed(mine)) == (Action.MIGRATE_HOT, 0, {"/a", "/a/app"})
    assert (goal(mine).target_metric, goal(mine).path, goal(mine).nid) == (USED, "/a", 0)
    assert metrics(mine)[1:] == ["node_mem_used_bp", "some_mem_psi_us"]
    assert listed(schemes(found.kdamonds[PROMOTION])[0]) == {"/"}


def test_what_a_pod_has_above_its_max_is_demoted_whatever_is_free_and_the_rest_of_it_like_all_else() -> None:
    found = compiled(pod("/a", 512 * MIB))
    (mine,) = own(found, DEMOTION)
    assert (goal(mine).target_metric, goal(mine).target_value) == (FREE, BP - 512 * BP // 1536)
    assert metrics(mine)[1:] == ["node_mem_used_bp", "some_mem_psi_us"]
    assert listed(schemes(found.kdamonds[DEMOTION])[0]) == set()


def test_a_pod_with_a_min_is_demoted_apart_where_there_is_not_enough_free_until_it_has_that() -> None:
    found = compiled(pod("/a", least=512 * MIB))
    (mine,) = own(found, DEMOTION)
    assert goal(mine).target_metric is FREE
    assert metrics(mine)[1:] == ["node_mem_free_bp", "node_mem_used_bp", "some_mem_psi_us"]
    assert listed(mine) == {"/a", "/a/app"}
    assert listed(schemes(found.kdamonds[DEMOTION])[0]) == {"/"}
    assert own(found, PROMOTION) == ()
    assert listed(schemes(found.kdamonds[PROMOTION])[0]) == set()


def test_a_pod_with_both_has_a_scheme_for_each() -> None:
    found = compiled(pod("/a", 512 * MIB, 256 * MIB))
    assert [len(metrics(scheme)) for scheme in own(found, DEMOTION)] == [4, 3]
    assert len(own(found, PROMOTION)) == 1


SIZES = st.integers(1, 3_000).map(lambda mib: mib * MIB)


@given(st.lists(SIZES, min_size=1, max_size=16), st.integers(0, 100), st.sampled_from(["0s", "50ms"]))
def test_stops_are_where_no_window_makes_a_pod_cross_its_bounds_or_both_directions_move_it(
    sizes: list[int], share: int, time: str
) -> None:
    pods = [pod(f"/{number}", size, max(1, size * share // 100)) for number, size in enumerate(sizes)]
    found = compiled(*pods, chosen=settings(time=time))
    for number, one in enumerate(pods):
        up = own(found, PROMOTION)[number]
        down, above = own(found, DEMOTION)[2 * number : 2 * number + 2]
        most, least = one.max_bytes or 0, one.min_bytes or 0
        stops_at = goal(up).target_value
        assert stops_at >= 1
        assert stops_at == 1 or stops_at * FAST_BYTES // BP + up.quotas.bytes <= most
        kept = FAST_BYTES * (BP - goal(down).target_value) // BP
        assert kept - down.quotas.bytes >= least or goal(down).target_value == 1
        assert goal(above).target_value <= BP - stops_at or stops_at == 1
        assert FAST_BYTES * (BP - goal(above).target_value) // BP - above.quotas.bytes >= least or (
            goal(above).target_value == 1
        )


@given(st.integers(0, 16))
def test_all_schemes_of_a_direction_move_no_more_together_than_the_policys_rate(number: int) -> None:
    pods = [pod(f"/{one}", 512 * MIB, 256 * MIB) for one in range(number)]
    found = compiled(*pods)
    for kdamond in found.kdamonds:
        moving = [scheme.quotas.bytes for scheme in schemes(kdamond) if scheme.action is not Action.STAT]
        assert sum(moving) <= kdamond.flows[0].quota_bytes


def test_no_scheme_of_a_pod_has_a_quota_that_keeps_its_stop_ajar() -> None:
    found = compiled(pod("/a", 512 * MIB, 256 * MIB))
    assert {scheme.quotas.ms for index in (DEMOTION, PROMOTION) for scheme in own(found, index)} == {0}
    assert schemes(found.kdamonds[DEMOTION])[0].quotas.ms > 0


def test_each_of_several_fast_nids_gets_an_equal_part() -> None:
    distances = {0: 10, 1: 20, 2: 20}
    where = topology(
        (nid(0, 16 * GIB, distances=distances), nid(1, 16 * GIB, start=16 * GIB, distances=distances)),
        (nid(2, 64 * GIB, start=32 * GIB, distances=distances),),
    )
    found = compiled(pod("/a", 4 * GIB), where=where)
    values = {goal(scheme).nid: goal(scheme).target_value for index in (0, 1) for scheme in own(found, index)}
    assert values == {0: BP - 2 * BP // 16, 1: BP - 2 * BP // 16}


def test_bounds_are_of_the_fastest_tier_only() -> None:
    distances = {0: 10, 1: 15, 2: 20}
    where = topology(
        (nid(0, 16 * GIB, distances=distances),),
        (nid(1, 64 * GIB, start=16 * GIB, distances=distances),),
        (nid(2, 256 * GIB, start=80 * GIB, distances=distances),),
    )
    found = compiled(pod("/a", 4 * GIB, GIB), where=where)
    named = {goal(scheme).nid for index in range(3) for scheme in own(found, index)}
    assert named == {0}
    assert [len(own(found, index)) for index in range(3)] == [2, 1, 0]


def test_a_pod_whose_cpuset_keeps_it_off_a_nid_has_no_scheme_for_the_way_there() -> None:
    found = compiled(pod("/a", 512 * MIB, mems=frozenset({0})))
    assert (own(found, DEMOTION), len(own(found, PROMOTION))) == ((), 1)


@pytest.mark.parametrize(
    ("lacks", "says"),
    [(Feature.MEMCG_GOALS, "no memcg_goals, Linux 6.19 has it"), (Feature.TEMPORAL, "no temporal, Linux 7.1 has it")],
)
def test_a_kernel_that_cannot_keep_bounds_tiers_without_them_and_says_so(lacks: Feature, says: str) -> None:
    found = compiled(pod("/a", 512 * MIB, 256 * MIB), features=EVERYTHING - {lacks})
    assert own(found, DEMOTION) + own(found, PROMOTION) == ()
    assert all(flow.selection is None for kdamond in found.kdamonds for flow in kdamond.flows)
    assert found.effective
    assert [note for note in found.effective.notes if "fastMemory" in note] == [
        f"workloads[].fastMemory: 1 pods are tiered without limits, which this kernel cannot keep ({says})"
    ]


def test_where_bounds_are_kept_nothing_is_to_be_said_and_words_say_what_is_done() -> None:
    found = compiled(pod("/a", 512 * MIB, 256 * MIB))
    assert found.effective
    assert not any("fastMemory" in note for note in found.effective.notes)
    assert [line for line in found.words if "/a" in line] == [
        "demote /a while it has more than 256Mi of nid 0",
        "demote what is cold of what /a has above 512Mi of nid 0, while less than 91.01% of nid 1 are used",
        "promote /a until it has 512Mi of nid 0",
    ]


TIB = 1024 * GIB
VAST = topology((nid(0, 4 * TIB, floor_bytes=GIB),), (nid(1, 4 * TIB, start=4 * TIB, floor_bytes=GIB),))
"""A basis point of each nid is 419.4Mi."""


@given(st.lists(st.integers(1, 2_000).map(lambda mib: mib * MIB), min_size=1, max_size=16))
def test_no_pod_is_promoted_beyond_a_max_that_the_kernel_cannot_tell_from_nothing(sizes: list[int]) -> None:
    found = compiled(*(pod(f"/{number}", size) for number, size in enumerate(sizes)), where=VAST)
    up = {goal(scheme).path: goal(scheme).target_value * 4 * TIB for scheme in own(found, PROMOTION)}
    assert up.keys() == {f"/{number}" for number, size in enumerate(sizes) if size * BP >= 4 * TIB}
    assert all(up.get(f"/{number}", 0) <= size * BP for number, size in enumerate(sizes))
    assert listed(schemes(found.kdamonds[PROMOTION])[0]) == {"/"}
    assert {goal(scheme).target_value for scheme in own(found, DEMOTION)} <= set(range(BP - 5, BP))


def test_pods_that_are_not_promoted_take_no_part_of_the_quota() -> None:
    (flow,) = compiled(pod("/a", 64 * MIB), where=VAST).kdamonds[PROMOTION].flows
    assert flow.general_bytes == flow.quota_bytes


def test_words_and_notes_say_what_holds_of_bounds_below_what_the_kernel_can_tell() -> None:
    found = compiled(pod("/a", 64 * MIB), pod("/b", least=64 * MIB), where=VAST)
    assert [line for line in found.words if "/a" in line or "/b" in line] == [
        "demote what is cold of what /a has above 419Mi of nid 0, while less than 99% of nid 1 are used",
        "demote /b while it has more than 419Mi of nid 0",
        "promote nothing of /a: the kernel counts what it has of nid 0 in steps of 419Mi, and its max is less",
    ]
    assert found.effective
    assert [note for note in found.effective.notes if "fastMemory" in note] == [
        "workloads[].fastMemory: the kernel counts what a pod has of nid 0 in steps of 419Mi; nothing is promoted of 1 "
        "pods with a smaller max, and they keep up to that"
    ]


def test_a_max_is_told_from_nothing_by_its_part_on_each_of_several_nids() -> None:
    distances = {0: 10, 1: 20, 2: 20}
    where = topology(
        tuple(nid(number, TIB, start=number * TIB, distances=distances) for number in (0, 1)),
        (nid(2, TIB, start=2 * TIB, distances=distances),),
    )
    promoted = [len(own(compiled(pod("/a", size * MIB), where=where), -1)) for size in (200, 220)]
    assert promoted == [0, 1]


def test_a_pods_pages_go_through_its_own_scheme_and_through_no_other() -> None:
    kernel = SimKernel(LINUX_7_2)
    pods = (pod("/a", 512 * MIB, 256 * MIB), pod("/b", 512 * MIB))
    for path in ("/", "/a", "/a/app", "/b", "/b/app"):
        kernel.make_cgroup(path)
    engine = engine_on(kernel, MemoryJournal())
    engine.apply(engine.plan(settings(), guest(), movable(*pods)))
    passing = {
        (index, path): [
            number
            for number in range(int(kernel.running[index].files["contexts/0/schemes/nr_schemes"]))
            if kernel.running[index].files[f"contexts/0/schemes/{number}/action"] != "stat"
            and passes(kernel.running[index].files, number, Page(memcg=path, young=index == PROMOTION))
        ]
        for index in (DEMOTION, PROMOTION)
        for path in ("/", "/a/app", "/b/app")
    }
    # Behind the general demotion is what clears accessed bits; above its max a pod may be demoted by either scheme.
    assert passing == {
        (PROMOTION, "/"): [0],
        (PROMOTION, "/a/app"): [1],
        (PROMOTION, "/b/app"): [2],
        (DEMOTION, "/"): [0],
        (DEMOTION, "/a/app"): [2, 3],
        (DEMOTION, "/b/app"): [0, 4],
    }


def test_goals_do_not_wait_for_lists_while_a_goal_names_a_cgroup_that_has_gone() -> None:
    kernel = SimKernel(LINUX_7_2)
    for path in ("/", "/a", "/a/app", "/b", "/b/app"):
        kernel.make_cgroup(path)
    engine = engine_on(kernel, MemoryJournal(), clock=lambda: 0.0)
    engine.apply(engine.plan(settings(), guest(), movable(pod("/a", 512 * MIB), pod("/b", 512 * MIB))))
    kernel.remove_cgroup("/a")
    engine.apply(engine.plan(settings(), guest(fast_floor_bytes=90 * MIB), movable(pod("/b", 512 * MIB))))
    assert {running.commits for running in kernel.running.values()} == {1}


def test_a_goal_that_was_one_of_a_cgroup_and_keeps_its_path_is_ours_still() -> None:
    def tree(path: str) -> Kdamond:
        goal = QuotaGoal(target_metric=GoalMetric.NODE_MEM_USED_BP, target_value=1, path=path)
        return Kdamond(contexts=(Context(schemes=(Scheme(quotas=Quotas(goals=(goal,))),)),))

    files = tuple((store.path, store.value) for store in kdamond_stores(tree(""), 0))
    claim = OwnedKdamond(index=0, source_nid=0, files=files, made_from="")
    assert owner_of(ObservedKdamond(index=0, on=False, pid=None, tree=tree("/gone")), (claim,)) is claim


def test_schemes_of_pods_cool_down_like_all_others() -> None:
    seen = Seen(movable=movable(pod("/a", 512 * MIB, 256 * MIB)), cools_down=True)
    found = desired(settings(), guest(), EVERYTHING, seen)
    assert {scheme.quotas.bytes for index in (DEMOTION, PROMOTION) for scheme in own(found, index)} == {4_096}


def test_cgroups_that_are_too_many_to_list_beside_pods_with_bounds_are_said() -> None:
    others = tuple(Cgroup(path=f"/{number}") for number in range(MOST_LISTED + 3))
    limited = pod("/a", least=256 * MIB)
    found = desired(
        settings(), guest(), EVERYTHING, Seen(movable=Movable(allowed=(*others, *limited.cgroups), limited=(limited,)))
    )
    assert found.effective
    assert [note for note in found.effective.notes if "fastMemory" in note] == [
        "workloads: 3 cgroups too many to be listed beside pods with fastMemory stay where they are on nid 0"
    ]
    assert found.problem is None


def promoting(kernel: SimKernel) -> DamonEngine:
    """Returns an engine that promotes only, so that the kernel refreshes its files; each turn is a minute later."""
    now_s = itertools.count(0.0, 60.0)
    engine = engine_on(kernel, MemoryJournal(), lambda: next(now_s))
    engine.apply(engine.plan(ONE_WAY, guest(), movable(pod("/a", 512 * MIB))))
    kernel.count(0, sz_applied=10 * MIB)
    assert refreshed(kernel, engine) == 10 * MIB
    return engine


def with_cgroups(*paths: str) -> SimKernel:
    kernel = SimKernel(LINUX_7_2)
    for path in paths:
        kernel.make_cgroup(path)
        kernel.make_cgroup(f"{path}/app")
    return kernel


def test_what_arrived_is_counted_once_though_a_commit_that_made_schemes_was_refused() -> None:
    kernel = with_cgroups("/a")
    engine = promoting(kernel)
    plan = engine.plan(ONE_WAY, guest(), movable(pod("/a", 512 * MIB), pod("/gone", 512 * MIB)))
    with pytest.raises(SchemesRefused):
        engine.apply(plan)
    assert engine.verify().promoted_bytes == 10 * MIB
    assert refreshed(kernel, engine) == 10 * MIB


@pytest.mark.parametrize("refused", [None, errno.EBUSY])
def test_directories_of_new_schemes_say_nothing_until_the_kernel_has_filled_them(refused: int | None) -> None:
    kernel = with_cgroups("/a", "/b")
    engine = promoting(kernel)
    engine.apply(engine.plan(ONE_WAY, guest(), movable(pod("/a", 512 * MIB), pod("/b", 512 * MIB))))
    kernel.update_errno = refused
    engine.verify()
    kernel.update_errno = None
    assert engine.verify().promoted_bytes == 10 * MIB
    assert refreshed(kernel, engine) == 10 * MIB


def refreshed(kernel: SimKernel, engine: DamonEngine) -> int:
    """Returns what has been promoted, after the kernel brought its files up to date, as it does by itself."""
    kernel.store(STATE, "update_schemes_stats")
    return engine.verify().promoted_bytes
