"""Rules with fastMemory become bounds of pods, for a bounded number of them."""

import pytest

from cases.pods import a_pod, container_path, known, labelled, make_host, make_pod, opted_out, pod_path, uid
from simkernel import LINUX_7_2, SimKernel
from terrace_agent.topology.values import TierOfNids
from terrace_agent.workloads.cgroups import read_cgroups
from terrace_agent.workloads.limits import MOST_LIMITED
from terrace_agent.workloads.resolve import Workloads, resolve
from terrace_agent.workloads.values import Decision, Known
from terrace_api.units import Size
from terrace_api.workloads import FastMemory, Match, WorkloadAction, WorkloadRule

GIB = 1 << 30
TIERS = (TierOfNids(name="fast", nids=(0,), why=""), TierOfNids(name="slow", nids=(1,), why=""))
DB = labelled(app="db")


def limiting(name: str = "limits", match: Match | None = None, **bounds: str) -> WorkloadRule:
    limits = FastMemory(**{end: Size.parse(text) for end, text in bounds.items()})
    return WorkloadRule(name=name, action=WorkloadAction.TIER, match=match, fast_memory=limits)


@pytest.fixture
def kernel() -> SimKernel:
    kernel = SimKernel(LINUX_7_2)
    make_host(kernel)
    return kernel


def of(kernel: SimKernel, pods: Known, *rules: WorkloadRule) -> Workloads:
    return resolve(rules, pods, read_cgroups(kernel), TIERS)


def decision(found: Workloads, number: int) -> Decision:
    return next(decision for decision in found.decisions if decision.uid == uid(number))


def test_each_pod_that_meets_the_rule_has_bounds_and_its_decision_says_which(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    make_pod(kernel, 2)
    found = of(kernel, known(a_pod(1, labels={"app": "db"}), a_pod(2)), limiting(match=DB, max="2Gi", min="512Mi"))
    (limited,) = found.movable.limited
    assert (limited.path, limited.max_bytes, limited.min_bytes) == (pod_path(1), 2 * GIB, GIB // 2)
    assert [cgroup.path for cgroup in limited.cgroups] == [pod_path(1), container_path(1)]
    assert decision(found, 1).why == "Tier by rule limits; at most 2Gi, at least 512Mi of fast memory"
    assert decision(found, 2).why == "no rule matches"


def test_one_bound_is_enough(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    found = of(kernel, known(a_pod(1)), limiting(min="512Mi"))
    assert [(pod.max_bytes, pod.min_bytes) for pod in found.movable.limited] == [(None, GIB // 2)]
    assert decision(found, 1).why == "Tier by rule limits; at least 512Mi of fast memory"


def test_a_pod_that_is_not_tiered_has_no_bounds(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    make_pod(kernel, 2, mems="0")
    found = of(kernel, known(opted_out(1), a_pod(2)), limiting(max="2Gi"))
    assert found.movable.limited == ()
    assert all("fast memory" not in one.why for one in found.decisions)


def test_bounds_alone_are_no_reason_to_list_what_may_move(kernel: SimKernel) -> None:
    make_pod(kernel, 1)
    assert of(kernel, known(a_pod(1)), limiting(max="2Gi")).movable.towards(1) is None


def test_of_too_many_pods_those_of_the_earlier_rule_have_bounds_and_then_the_first_by_uid(kernel: SimKernel) -> None:
    pods = [a_pod(number, labels={"app": "db"} if number > MOST_LIMITED else {}) for number in range(MOST_LIMITED + 2)]
    for number in range(MOST_LIMITED + 2):
        make_pod(kernel, number)
    found = of(kernel, known(*pods), limiting("databases", DB, max="2Gi"), limiting("rest", max="1Gi"))
    without = {number for number in range(MOST_LIMITED + 2) if not decision(found, number).limits}
    assert (len(found.movable.limited), without) == (MOST_LIMITED, {MOST_LIMITED - 1, MOST_LIMITED})
    assert decision(found, MOST_LIMITED).why == (
        "Tier by rule rest; without its fastMemory, since 16 pods here have limits already"
    )
    assert decision(found, MOST_LIMITED).tiered
    assert found.problem
    assert (found.problem.reason, "2 more" in found.problem.message) == ("TooManyLimits", True)


def test_as_many_as_can_be_are_no_problem(kernel: SimKernel) -> None:
    for number in range(MOST_LIMITED):
        make_pod(kernel, number)
    assert of(kernel, known(*map(a_pod, range(MOST_LIMITED))), limiting(max="2Gi")).problem is None


def test_a_pod_that_its_cpuset_keeps_on_one_tier_takes_no_others_place(kernel: SimKernel) -> None:
    make_pod(kernel, 0, mems="0")
    for number in range(1, MOST_LIMITED + 1):
        make_pod(kernel, number)
    found = of(kernel, known(*map(a_pod, range(MOST_LIMITED + 1))), limiting(max="2Gi"))
    assert (found.problem, len(found.movable.limited)) == (None, MOST_LIMITED)
