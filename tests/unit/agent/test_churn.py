"""Pods come and go under a running engine: lists follow, nothing fails, nothing is committed too often."""

import dataclasses
import io
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest

from cases.pods import container_path, make_host, make_pod, pod_path, remove_pod, uid
from simkernel import LINUX_6_12, LINUX_7_0, LINUX_7_2, LINUX_7_3, Profile, SimKernel, SimMemory, SimNid
from simkernel.filters import Page, passes
from terrace_agent.conditions import conditions
from terrace_agent.cycle import Cycle
from terrace_agent.damon.engine import DamonEngine
from terrace_agent.damon.patience import Patience
from terrace_agent.decide import Outcome
from terrace_agent.errors import SchemesRefused
from terrace_agent.steplog import StepLog
from terrace_agent.turn import Turn
from terrace_agent.workloads.roster import Roster
from terrace_agent.workloads.values import MOST_LISTED
from unit.agent.damon.builders import MIB, MemoryJournal
from unit.agent.orders import manage, order
from unit.agent.sim_host import SimHost

EXCLUDE_DATABASES = {
    "name": "databases",
    "match": {"podSelector": {"matchLabels": {"app": "db"}}},
    "action": "Exclude",
}
DEMOTION, PROMOTION = 0, 1


def manifest(number: int, **labels: str) -> dict[str, Any]:
    metadata = {"uid": uid(number), "name": f"web-{number}", "namespace": "shop", "labels": labels}
    return {"metadata": metadata, "spec": {}, "status": {"phase": "Running", "qosClass": "Burstable"}}


class Node:
    """A machine, its agent and its API server."""

    def __init__(self, profile: Profile = LINUX_7_2) -> None:
        self.host = SimHost(profile)
        self.now = 0.0
        self.rules = [EXCLUDE_DATABASES]
        make_host(self.kernel)
        log = StepLog(io.StringIO())
        self.roster = Roster(None, log)
        self.roster.replace([])
        patience = Patience(sleep=lambda _: None)
        engine = DamonEngine(self.host, MemoryJournal(), patience, clock=lambda: self.now)
        self.cycle = Cycle(self.host, (engine,), log, self.roster)
        self.last: Turn | None = None

    @property
    def kernel(self) -> SimKernel:
        return self.host.kernel

    def start(self, number: int, **labels: str) -> None:
        make_pod(self.kernel, number)
        self.roster.put(manifest(number, **labels))

    def end(self, number: int) -> None:
        remove_pod(self.kernel, number)
        self.roster.remove(manifest(number))

    def turn(self, seconds: float = 5.0, **wanted: Any) -> Turn:
        self.now += seconds
        self.last = self.cycle.turn(order(manage(**({"workloads": self.rules} | wanted))), self.last)
        return self.last

    def schemes(self, index: int) -> int:
        return int(self.kernel.running[index].files["contexts/0/schemes/nr_schemes"])

    def count(self, index: int, *applied: int) -> None:
        for scheme, size in enumerate(applied):
            self.kernel.count(index, scheme, sz_tried=size, sz_applied=size)

    def meanwhile(self, word: str, act: Callable[[], None]) -> None:
        """Lets something happen once, right before the kernel takes the next command `word`."""

        def happen(command: str) -> None:
            if command == word:
                self.kernel.meanwhile = None
                act()

        self.kernel.meanwhile = happen

    def before_each(self, word: str, acts: Iterable[Callable[[], None]]) -> None:
        """Lets one thing after the other happen, each right before the kernel takes a command `word`."""
        left = list(acts)

        def happen(command: str) -> None:
            if command == word and left:
                left.pop(0)()

        self.kernel.meanwhile = happen

    def demotes(self, number: int) -> bool:
        page = Page(memcg=container_path(number), young=False)
        return passes(self.kernel.running[DEMOTION].files, 0, page)


@pytest.fixture
def node() -> Node:
    node = Node()
    node.start(1)
    node.start(2)
    return node


def test_pods_are_listed_as_they_come_and_dropped_as_they_go(node: Node) -> None:
    node.turn()
    assert (node.demotes(1), node.demotes(3)) == (True, False)
    node.start(3)
    node.end(1)
    turn = node.turn()
    assert turn.failure is None
    assert (node.demotes(1), node.demotes(3)) == (False, True)


@pytest.mark.parametrize(
    ("profile", "resolved", "ready"),
    [(LINUX_7_2, "TooManyCgroups", "TooManyCgroups"), (LINUX_6_12, "Resolved", "Enforcing")],
)
def test_a_node_with_many_cgroups_is_not_ready_only_where_a_list_is_cut_off(
    profile: Profile, resolved: str, ready: str
) -> None:
    node = Node(profile)
    for number in range(MOST_LISTED // 2):
        make_pod(node.kernel, number)
    node.roster.replace([manifest(number) for number in range(MOST_LISTED // 2)])
    found = conditions(node.turn().situation(""), generation=1, now="", before=())
    reasons = {one.type: one.reason for one in found}
    assert (reasons["WorkloadsResolved"], reasons["Ready"]) == (resolved, ready)


def test_a_list_that_is_committed_with_an_allowance_is_whole() -> None:
    node = Node(LINUX_7_0)
    node.start(1)
    node.start(2, app="db")
    node.turn()
    nids = {0: SimNid(total=1536 * MIB, other=1024 * MIB), 1: SimNid(total=512 * MIB)}
    SimMemory(kernel=node.kernel, nids=nids).run(1_000)
    node.start(3)
    assert node.turn(seconds=1).failure is None
    promotion = node.kernel.running[PROMOTION]
    assert promotion.commits == 1
    assert [passes(promotion.files, 0, Page(memcg=container_path(number))) for number in (1, 2, 3)] == [
        True,
        False,
        True,
    ]


def test_a_pod_that_gets_the_label_is_left_alone_from_the_next_turn_on(node: Node) -> None:
    node.turn()
    node.roster.put(manifest(1, **{"terrace.dev/tiering": "disabled"}))
    turn = node.turn()
    assert not node.demotes(1)
    assert [decision.why for decision in turn.workloads.decisions if not decision.tiered] == [
        "label terrace.dev/tiering: disabled"
    ]


OPT_OUT = {"terrace.dev/tiering": "disabled"}


def deleted(node: Node, number: int, **labels: str) -> None:
    node.roster.remove(manifest(number, **labels))


def failed(node: Node, number: int, **labels: str) -> None:
    node.roster.put(manifest(number, **labels) | {"status": {"phase": "Failed"}})


def not_listed(node: Node, number: int, **labels: str) -> None:
    del labels
    node.roster.replace([manifest(other) for other in (1, 2) if other != number])


@pytest.mark.parametrize("vanish", [deleted, failed, not_listed])
@pytest.mark.parametrize(
    ("rules", "labels"), [([], OPT_OUT), ([EXCLUDE_DATABASES], {"app": "db"}), ([EXCLUDE_DATABASES], OPT_OUT)]
)
def test_a_pod_that_is_left_alone_stays_so_while_its_containers_outlive_its_object(
    node: Node, vanish: Callable[..., None], rules: list[dict[str, Any]], labels: dict[str, str]
) -> None:
    node.rules = rules
    node.start(3, **labels)
    node.turn()
    vanish(node, 3, **labels)
    for turn in (node.turn(), node.turn()):
        assert turn.workloads.movable.listed
        assert [one.name for one in turn.workloads.decisions if not one.tiered] == ["web-3"]
    assert (node.demotes(1), node.demotes(3)) == (True, False)
    remove_pod(node.kernel, 3)
    assert node.turn().workloads.movable.listed == bool(rules)
    assert not node.roster.known().gone


def test_a_pod_that_goes_while_cgroups_are_read_is_known_at_the_next_look(node: Node) -> None:
    node.rules = []
    node.roster.put(manifest(3, **OPT_OUT))
    node.turn()

    def come_and_go() -> None:
        make_pod(node.kernel, 3)
        deleted(node, 3, **OPT_OUT)

    node.host.once_looked_at["/sys/fs/cgroup/system.slice"] = come_and_go
    node.turn()
    assert [one.name for one in node.turn().workloads.decisions if not one.tiered] == ["web-3"]


def test_a_pod_with_bounds_keeps_them_while_its_containers_outlive_its_object(limited: Node) -> None:
    limited.roster.remove(manifest(1))
    limited.turn()
    assert (limited.schemes(PROMOTION), limited.schemes(DEMOTION)) == (1 + 2, GENERAL + 4)


@pytest.mark.parametrize("word", ["on", "commit"])
def test_a_pod_that_goes_right_before_a_command_is_left_out_and_the_command_repeated(node: Node, word: str) -> None:
    if word == "commit":
        node.turn()
        node.start(3)
    node.meanwhile(word, lambda: node.end(1))
    turn = node.turn()
    assert turn.failure is None
    assert len(node.kernel.running) == 2
    assert (node.demotes(1), node.demotes(2)) == (False, True)


def test_a_kernel_that_ends_its_kdamond_over_a_cgroup_that_has_gone_starts_it_again() -> None:
    node = Node(dataclasses.replace(LINUX_7_2, invalid_commit_kills=True))
    node.start(1)
    node.turn()
    node.start(2)
    node.meanwhile("commit", lambda: node.end(1))
    turn = node.turn()
    assert turn.failure is None
    assert len(node.kernel.running) == 2
    assert node.demotes(2)


@pytest.mark.parametrize("word", ["on", "commit"])
def test_pods_that_go_one_before_each_try_are_no_failure(node: Node, word: str) -> None:
    if word == "commit":
        node.turn()
    for number in range(3, 9):
        node.start(number)
    node.before_each(word, [partial(node.end, number) for number in range(1, 7)])
    turn = node.turn()
    assert turn.failure is None
    assert [node.demotes(number) for number in (6, 7, 8)] == [False, True, True]
    assert len(node.kernel.running) == 2


def test_what_stands_in_for_a_pod_that_has_gone_is_dropped_at_the_next_look(node: Node) -> None:
    node.turn()
    node.start(3)
    node.meanwhile("commit", lambda: node.end(1))
    node.turn()
    node.start(4)
    node.turn()
    pods = [path for path in listed(node, DEMOTION) if "-pod" in path]
    assert pods == sorted(path for number in (2, 3, 4) for path in (pod_path(number), container_path(number)))
    node.now += 60
    assert not node.turn().steps


def listed(node: Node, index: int) -> list[str]:
    files = node.kernel.running[index].files
    return sorted(text for path, text in files.items() if "/schemes/0/" in path and path.endswith("/memcg_path"))


@pytest.mark.parametrize("kills", [False, True])
def test_pods_that_are_left_alone_stay_so_when_another_one_goes_between_look_and_commit(*, kills: bool) -> None:
    node = Node(dataclasses.replace(LINUX_6_12, invalid_commit_kills=kills))
    for number in (1, 2, 3):
        node.start(number, app="db")
    node.turn()
    pids = node.host.pids()
    node.start(4, app="db")
    node.meanwhile("update_schemes_stats" if kills else "commit", lambda: node.end(1))
    assert node.turn().failure is None
    assert node.kernel.meanwhile is None
    assert [node.demotes(number) for number in (2, 3, 4)] == [False] * 3
    assert node.host.pids() == pids


def test_schemes_that_are_refused_at_every_try_are_a_failure_and_the_next_turn_goes_on(limited: Node) -> None:
    limited.before_each("commit", [partial(limited.end, number) for number in (1, 2, 3)])
    for number in (3, 4):
        limited.start(number)
    turn = limited.turn()
    assert isinstance(turn.failure, SchemesRefused)
    assert turn.outcome is Outcome.UNCHANGED
    assert limited.turn().failure is None
    assert limited.schemes(PROMOTION) == 1 + 1


def test_a_scheme_that_is_refused_although_every_cgroup_is_there_is_a_failure(node: Node) -> None:
    node.host.tree.files["/sys/fs/cgroup/unknown-to-damon/memory.stat"] = ""
    assert isinstance(node.turn().failure, SchemesRefused)


def test_many_pods_at_once_are_one_commit_and_the_next_ones_wait(node: Node) -> None:
    node.turn()
    node.turn()
    for number in range(3, 9):
        node.start(number)
    node.turn()
    assert {running.commits for running in node.kernel.running.values()} == {1}
    node.start(9)
    node.turn(seconds=2)
    assert not node.demotes(9)
    assert {running.commits for running in node.kernel.running.values()} == {1}
    node.turn(seconds=3)
    assert node.demotes(9)


def test_a_changed_policy_does_not_wait_for_lists(node: Node) -> None:
    node.turn()
    node.turn()
    node.start(3)
    node.turn()
    node.now += 1
    changed = manage(revision="r2", workloads=[EXCLUDE_DATABASES], youngFilter=False)
    assert node.cycle.turn(order(changed), node.last).steps > 0


def test_ten_minutes_of_churn_fail_nothing_kill_nothing_and_keep_what_was_learnt(node: Node) -> None:
    node.turn()
    pids = node.host.pids()
    for count in range(120):
        node.start(3 + count)
        if count >= 3:
            node.end(count)
        assert node.turn().failure is None
    assert node.host.pids() == pids
    assert node.demotes(122)


LIMIT = {"name": "limits", "action": "Tier", "fastMemory": {"max": "256Mi", "min": "128Mi"}}
GENERAL = 2
"""Demotion's general scheme, and what clears accessed bits for it."""


@pytest.fixture
def limited() -> Node:
    node = Node(LINUX_7_3)
    node.rules = [EXCLUDE_DATABASES, LIMIT]
    for number in (1, 2):
        node.start(number)
    node.turn()
    return node


def test_schemes_of_pods_come_and_go_with_them_and_nothing_begins_anew(limited: Node) -> None:
    pids = limited.host.pids()
    assert (limited.schemes(PROMOTION), limited.schemes(DEMOTION)) == (1 + 2, GENERAL + 4)
    limited.start(3)
    assert limited.turn().failure is None
    assert (limited.schemes(PROMOTION), limited.schemes(DEMOTION)) == (1 + 3, GENERAL + 6)
    limited.end(1)
    limited.end(2)
    assert limited.turn().failure is None
    assert (limited.schemes(PROMOTION), limited.schemes(DEMOTION)) == (1 + 1, GENERAL + 2)
    assert limited.host.pids() == pids
    assert {running.commits for running in limited.kernel.running.values()} == {2}


def test_what_pods_schemes_moved_is_counted_whatever_comes_and_goes(limited: Node) -> None:
    limited.count(PROMOTION, 1 * MIB, 2 * MIB, 4 * MIB)
    limited.count(DEMOTION, 1 * MIB, 0, 2 * MIB, 4 * MIB, 8 * MIB, 16 * MIB)
    assert moved(limited.turn()) == (7, 31)
    limited.count(PROMOTION, 8 * MIB, 8 * MIB, 8 * MIB)
    limited.end(1)
    assert moved(limited.turn()) == (31, 31)
    limited.count(PROMOTION, 0, 1 * MIB)
    limited.start(3)
    assert moved(limited.turn()) == (32, 31)
    limited.count(PROMOTION, 0, 1 * MIB, 2 * MIB)
    limited.count(DEMOTION, 1 * MIB, 0, 1 * MIB, 1 * MIB, 1 * MIB)
    turn = limited.turn()
    assert moved(turn) == (35, 35)
    assert {one.direction: one.applied_bytes // MIB for one in turn.moved.kdamonds} == {"promotion": 35, "demotion": 35}


def moved(turn: Turn) -> tuple[int, int]:
    return turn.moved.promoted_bytes // MIB, turn.moved.demoted_bytes // MIB


def test_a_kernel_that_refreshes_counters_by_itself_counts_nothing_twice() -> None:
    node = Node(LINUX_7_3)
    node.rules = [LIMIT]
    node.start(1)
    node.turn(demotion={"enabled": False})
    node.count(0, 1 * MIB, 2 * MIB)
    for pods in (1, 2, 2):
        if pods == 2:
            node.start(2)
        refreshed(node.kernel)
        assert moved(node.turn(demotion={"enabled": False})) == (3, 0)
    assert node.schemes(0) == 3


def refreshed(kernel: SimKernel) -> None:
    """Brings counters up to date as the kernel does by itself."""
    kernel.store("/sys/kernel/mm/damon/admin/kdamonds/0/state", "update_schemes_stats")


def test_a_general_scheme_less_makes_those_of_pods_begin_anew_and_keeps_what_they_moved(limited: Node) -> None:
    limited.count(DEMOTION, 1 * MIB, 0, 2 * MIB, 4 * MIB, 8 * MIB, 16 * MIB)
    assert moved(limited.turn()) == (0, 31)
    assert limited.schemes(DEMOTION) == GENERAL + 4
    assert moved(limited.turn(revision="r2", youngFilter=False)) == (0, 31)
    assert limited.schemes(DEMOTION) == GENERAL - 1 + 4
    assert limited.kernel.running[DEMOTION].stats == {}
    limited.count(DEMOTION, 1 * MIB, 2 * MIB)
    turn = limited.turn(revision="r2", youngFilter=False)
    assert moved(turn) == (0, 34)
    assert {one.applied_bytes // MIB for one in turn.moved.kdamonds if one.direction == "demotion"} == {34}


def test_schemes_of_pods_wait_like_lists_do_and_goals_beside_them_do_not(limited: Node) -> None:
    limited.turn()
    limited.start(3)
    limited.turn()
    limited.start(4)
    limited.turn(seconds=2)
    assert limited.schemes(PROMOTION) == 1 + 3
    limited.turn(seconds=3)
    assert limited.schemes(PROMOTION) == 1 + 4
    assert {running.commits for running in limited.kernel.running.values()} == {2}


@pytest.mark.parametrize("word", ["on", "commit", "commit_schemes_quota_goals"])
def test_a_pod_with_bounds_that_goes_right_before_a_command_is_left_out_and_the_command_repeated(word: str) -> None:
    node = Node(LINUX_7_3)
    node.rules = [LIMIT]
    node.start(1)
    node.start(2)
    wanted: dict[str, Any] = {}
    if word != "on":
        node.turn()
    if word == "commit":
        node.start(3)
    elif word == "commit_schemes_quota_goals":
        wanted = {"promotion": {"fastUsedTarget": "80%"}}
        node.turn(seconds=1)
    node.meanwhile(word, lambda: node.end(1))
    turn = node.turn(seconds=1 if word == "commit_schemes_quota_goals" else 5, **wanted)
    assert node.kernel.meanwhile is None
    assert turn.failure is None
    paths = {path for running in node.kernel.running.values() for path in memcg_goals(running.files)}
    assert paths == {pod_path(2)} | ({pod_path(3)} if word == "commit" else set())


def memcg_goals(files: dict[str, str]) -> set[str]:
    return {text for path, text in files.items() if "/goals/" in path and path.endswith("/path") and text}
