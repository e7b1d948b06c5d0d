"""Rules, pods and cgroups become what may move."""

import pytest

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
    tier,
    uid,
)
from simkernel import LINUX_7_2, SimKernel
from terrace_agent.topology.values import TierOfNids
from terrace_agent.workloads.cgroups import read_cgroups
from terrace_agent.workloads.resolve import Workloads, resolve
from terrace_agent.workloads.rules import Rules
from terrace_agent.workloads.values import MOST_LISTED, Decision, Found, Known, Selection

FAST, SLOW = 0, 1
TIERS = (TierOfNids(name="fast", nids=(FAST,), why=""), TierOfNids(name="slow", nids=(SLOW,), why=""))
THREE_TIERS = (*TIERS, TierOfNids(name="slower", nids=(2,), why=""))


@pytest.fixture
def kernel() -> SimKernel:
    kernel = SimKernel(LINUX_7_2)
    make_host(kernel)
    return kernel


def of(kernel: SimKernel, pods: Known | None, rules: Rules = (), tiers: tuple[TierOfNids, ...] = TIERS) -> Workloads:
    return resolve(rules, pods, read_cgroups(kernel), tiers)


def selection(found: Workloads, nid: int = SLOW) -> Selection:
    selected = found.movable.towards(nid)
    assert selected
    return selected


def decision(found: Workloads, number: int) -> Decision:
    return next(decision for decision in found.decisions if decision.uid == uid(number))


def test_where_nothing_is_excluded_all_memory_may_move(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    found = of(kernel, known(a_pod(1)))
    assert (found.movable.towards(FAST), found.movable.towards(SLOW), found.problem) == (None, None, None)


def test_where_a_pod_is_excluded_everything_else_is_listed(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    make_pod(kernel, 2)
    found = selection(of(kernel, known(a_pod(1), opted_out(2))))
    assert set(found.allowed) == {
        *HOST,
        "/kubepods.slice/kubepods-burstable.slice",
        pod_path(1),
        container_path(1),
    }
    assert found.barred == (pod_path(2), container_path(2))


def test_a_rule_that_excludes_makes_a_list_before_any_pod_meets_it(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    found = of(kernel, known(a_pod(1)), (exclude("databases", labelled(app="db")),))
    assert container_path(1) in selection(found).allowed
    assert decision(found, 1).tiered


def test_an_excluded_pod_makes_a_list_before_it_has_a_cgroup(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    assert selection(of(kernel, known(a_pod(1), opted_out(2)))).barred == ()


@pytest.mark.parametrize("is_current", [True, False])
def test_a_pod_that_has_gone_is_decided_as_before_while_it_has_a_cgroup(kernel: SimKernel, *, is_current: bool) -> None:
    make_pod(kernel, 1)
    make_pod(kernel, 2)
    pods = known(a_pod(1), gone=(opted_out(2),), is_current=is_current)
    found = of(kernel, pods)
    assert selection(found).barred == (pod_path(2), container_path(2))
    assert (decision(found, 2).name, decision(found, 2).why) == ("web-2", "label terrace.dev/tiering: disabled")
    assert found.problem is None


def test_an_excluded_pod_that_has_gone_makes_no_list_without_a_cgroup(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    assert of(kernel, known(a_pod(1), gone=(opted_out(2),))).movable.towards(SLOW) is None


def test_a_pod_that_is_not_named_yet_is_left_out_of_a_list(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    make_pod(kernel, 2)
    found = of(kernel, known(a_pod(1)), (exclude("databases", labelled(app="db")),))
    assert container_path(2) not in selection(found).allowed
    assert (decision(found, 2).tiered, found.problem) == (False, None)


def test_while_the_api_server_is_away_known_pods_go_on_and_others_are_left_alone(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    away = of(kernel, known(a_pod(1), is_current=False))
    assert (away.movable.towards(SLOW), away.problem) == (None, None)
    make_pod(kernel, 2)
    found = of(kernel, known(a_pod(1), is_current=False))
    assert container_path(1) in selection(found).allowed
    assert container_path(2) not in selection(found).allowed
    assert found.problem
    assert found.problem.reason == "PodsUnknown"


def test_by_hand_pods_have_no_names_so_rules_that_exclude_leave_all_of_them_alone(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    assert of(kernel, None).movable.towards(SLOW) is None
    found = of(kernel, None, (exclude(),))
    assert set(selection(found).allowed) == {*HOST, "/kubepods.slice/kubepods-burstable.slice"}
    assert found.problem
    assert found.problem.reason == "PodsUnknown"


def test_a_pod_that_the_memory_manager_pinned_does_not_leave_its_nid(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    make_pod(kernel, 2, mems=str(FAST))
    found = of(kernel, known(a_pod(1), a_pod(2)))
    assert found.movable.towards(FAST) is None
    assert {pod_path(2), container_path(2)} == set(selection(found, SLOW).barred)
    assert container_path(1) in selection(found, SLOW).allowed
    assert not decision(found, 2).tiered
    assert decision(found, 2).why == "cpuset.mems confines it to nids 0"


def test_one_pinned_container_pins_what_its_pod_inherits_from_it(kernel: SimKernel) -> None:
    make_pod(kernel, 1, "app", "sidecar")
    kernel.make_cgroup(container_path(1, "app"), mems="1")
    found = selection(of(kernel, known(a_pod(1))), FAST)
    assert set(found.barred) == {pod_path(1), container_path(1, "app"), container_path(1, "sidecar")}


def test_a_pod_that_may_use_two_of_three_tiers_is_tiered_between_them(kernel: SimKernel) -> None:
    make_pod(kernel, 1, mems="0-1")
    found = of(kernel, known(a_pod(1)), tiers=THREE_TIERS)
    assert (found.movable.towards(FAST), found.movable.towards(SLOW)) == (None, None)
    assert container_path(1) in selection(found, 2).barred
    assert (decision(found, 1).tiered, decision(found, 1).why) == (True, "cpuset.mems confines it to nids 0-1")


def test_a_cpuset_that_allows_every_tier_confines_nothing(kernel: SimKernel) -> None:
    make_pod(kernel, 1, mems="0-1")
    found = of(kernel, known(a_pod(1)))
    assert (found.movable.towards(FAST), found.movable.towards(SLOW), decision(found, 1).why) == (None, None, "")


def test_the_hosts_own_cpusets_count_too(kernel: SimKernel) -> None:
    kernel.make_cgroup("/system.slice", mems="0")
    found = selection(of(kernel, known()), SLOW)
    assert {"/system.slice", "/system.slice/kubelet.service"} == set(found.barred)


def test_on_cgroup_v1_nothing_moves_and_it_is_said_why(kernel: SimKernel) -> None:
    found = resolve((), known(a_pod(1)), Found(unified=False), TIERS)
    assert selection(found).allowed == ()
    assert found.problem
    assert found.problem.reason == "CgroupV1"
    assert resolve((), None, Found(unified=False), TIERS) == Workloads()


def test_a_list_is_bounded_pods_come_first_and_an_engine_has_to_say_whether_it_needs_it(kernel: SimKernel) -> None:
    for number in range(MOST_LISTED // 2):
        make_pod(kernel, number)
    found = of(kernel, known(*map(a_pod, range(MOST_LISTED // 2))), (exclude("db", labelled(app="db")), tier("rest")))
    assert len(selection(found).allowed) == MOST_LISTED
    assert "/" not in selection(found).allowed
    assert (selection(found).unlisted, found.problem) == (6, None)
