"""A bad connection to a real API server: the operator catches up by itself; nothing is written twice, nothing lost."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.fault_proxy import FaultProxy, Request, proxying, reads, writes
from cluster.operating import World, a_node, a_policy, installed, written_specs
from terrace_api import API_VERSION
from testbed.cluster import Cluster

NODES = tuple(f"node-{number:02}" for number in range(20))
pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def behind_a_proxy(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, FaultProxy]]:
    """An operator that reaches the API server through a proxy only, and twenty nodes."""
    with installed(cluster, "crds", "operator-rbac"), proxying(cluster) as proxy:
        found = World(cluster=cluster, directory=tmp_path_factory.mktemp("faults"))
        found.apply(*map(a_node, NODES))
        found.start_operator(server=proxy.url)
        found.until(lambda: found.all_follow(NODES, None), "twenty NodeTierings", 60)
        found.hear_from(NODES)
        yield found, proxy
        for daemon in found.running:
            daemon.stop()
        found.delete("nodes", "-l", "test=operator")


@pytest.fixture
def proxy(behind_a_proxy: tuple[World, FaultProxy]) -> Iterator[FaultProxy]:
    found = behind_a_proxy[1]
    yield found
    found.delay_s, found.lose = 0.0, lambda _: False


@pytest.fixture
def world(behind_a_proxy: tuple[World, FaultProxy], proxy: FaultProxy) -> Iterator[World]:
    """The operator, a policy on all nodes, and a count of who is told what from here on."""
    found = behind_a_proxy[0]
    found.edit(a_policy("batch"))
    found.until(lambda: found.all_follow(NODES, "batch"), "the policy", 60)
    yield found
    found.running[0].expect_running()
    found.delete("tieringpolicies", "--all")
    found.until(lambda: found.all_follow(NODES, None), "all nodes to be restored", 60)


def edit(world: World, size: str) -> None:
    world.edit(a_policy("batch", quota={"size": size}))


def told(world: World, size: str) -> bool:
    return world.all_have(NODES, size)


def times_told(world: World, before: int, size: str) -> Counter[str]:
    """Returns how often each node was told this size, by the audit log after its first `before` writes.

    The API server writes that log a moment after it answers.
    """

    def logged() -> Counter[str]:
        since = written_specs(world.cluster)[before:]
        return Counter(one.node for one in since if one.spec["settings"].get("quota") == {"size": size})

    world.until(lambda: logged().keys() >= set(NODES), "the audit log")
    return logged()


def generations(world: World) -> dict[str, int]:
    """Returns by node how often its spec was changed since it was made, and one more."""
    found = {one["metadata"]["name"]: one["metadata"]["generation"] for one in world.every("nodetiering")}
    return {name: found[name] for name in NODES}


ONCE = Counter(NODES)


def of_kopf(request: Request) -> bool:
    """Whether kopf makes it; who looks at the policies beside it is not meant."""
    return request.client.startswith("kopf/")


def watches_policies(request: Request) -> bool:
    """Whether it watches our policies."""
    return of_kopf(request) and request.watch and request.path.endswith("/tieringpolicies")


def test_watches_that_are_cut_lose_nothing(world: World, proxy: FaultProxy) -> None:
    before = len(written_specs(world.cluster))
    for size in ("1Mi", "2Mi", "3Mi", "4Mi"):
        proxy.cut()
        edit(world, size)
        proxy.cut()
    world.until(lambda: told(world, "4Mi"), "the last edit", 60)
    assert times_told(world, before, "4Mi") == ONCE


def test_a_resource_version_that_is_too_old_means_new_lists_and_no_writes(world: World, proxy: FaultProxy) -> None:
    before, listed = len(written_specs(world.cluster)), world.log().count("listed")
    proxy.gone()
    world.until(lambda: world.log().count("listed") >= listed + 2, "new lists")
    time.sleep(2)
    assert written_specs(world.cluster)[before:] == []
    edit(world, "5Mi")
    world.until(lambda: told(world, "5Mi"), "the edit")
    assert times_told(world, before, "5Mi") == ONCE


def test_an_api_server_that_has_enough_is_left_alone_and_asked_again(world: World, proxy: FaultProxy) -> None:
    before, refused = len(written_specs(world.cluster)), proxy.refused
    proxy.refuse(writes, 429, count=30, retry_after="1")
    edit(world, "6Mi")
    world.until(lambda: told(world, "6Mi"), "the edit", 90)
    assert proxy.refused == refused + 30
    assert times_told(world, before, "6Mi") == ONCE


def test_writes_that_fail_are_tried_again(world: World, proxy: FaultProxy) -> None:
    before = len(written_specs(world.cluster))
    proxy.refuse(writes, 500, count=30)
    edit(world, "7Mi")
    world.until(lambda: told(world, "7Mi"), "the edit", 90)
    assert times_told(world, before, "7Mi") == ONCE


def test_lists_and_watches_that_fail_are_tried_again(world: World, proxy: FaultProxy) -> None:
    before = len(written_specs(world.cluster))
    proxy.refuse(reads, 500, count=20)
    proxy.cut()
    edit(world, "8Mi")
    world.apply(a_node("late"))
    world.until(lambda: told(world, "8Mi") and world.follows("late", "batch"), "the edit and the new node", 90)
    assert times_told(world, before, "8Mi") == ONCE + Counter(["late"])
    world.delete("node", "late")


def test_a_write_whose_answer_was_lost_comes_into_force_once(world: World, proxy: FaultProxy) -> None:
    """Another try of it, before the watch has told that it came through, changes nothing."""
    before = generations(world)
    unlucky = set(NODES[::2])

    def once(request: Request) -> bool:
        name = request.path.rpartition("/")[2]
        lost = writes(request) and name in unlucky
        unlucky.discard(name)
        return lost

    proxy.lose = once
    edit(world, "9Mi")
    world.until(lambda: told(world, "9Mi"), "the edit", 60)
    time.sleep(3)
    assert proxy.lost >= len(NODES) / 2
    assert generations(world) == {node: count + 1 for node, count in before.items()}


def test_a_slow_api_server_costs_time_and_no_term(world: World, proxy: FaultProxy) -> None:
    before, lost = len(written_specs(world.cluster)), world.log().count("no longer leading")
    proxy.delay_s = 1.5
    edit(world, "10Mi")
    world.until(lambda: told(world, "10Mi"), "the edit", 90)
    time.sleep(15)
    assert times_told(world, before, "10Mi") == ONCE
    assert world.log().count("no longer leading") == lost


def test_an_api_server_that_restarts_is_followed(world: World, proxy: FaultProxy) -> None:
    before = len(written_specs(world.cluster))
    world.cluster.stop_api_server()
    time.sleep(2)
    world.cluster.start_api_server()
    edit(world, "11Mi")
    world.until(lambda: told(world, "11Mi"), "the edit", 90)
    assert times_told(world, before, "11Mi") == ONCE


def test_an_api_server_that_does_not_serve_the_kinds_for_a_while_leaves_nobody_deaf(
    world: World, proxy: FaultProxy
) -> None:
    """As after its start: rights are not loaded yet (403), own kinds not served (404) nor found (empty discovery)."""
    world.until(lambda: proxy.watched(watches_policies), "kopf to watch", 90)
    refused = proxy.refused
    proxy.refuse(watches_policies, 403, count=2)
    proxy.refuse(lambda request: of_kopf(request) and "tieringpolicies" in request.path, 404, count=3)
    proxy.refuse(lambda request: request.path == f"/apis/{API_VERSION}", 404, count=2)
    proxy.cut()
    world.until(lambda: proxy.refused >= refused + 7, "all of it to happen", 60)
    time.sleep(2)
    edit(world, "15Mi")
    world.until(lambda: told(world, "15Mi"), "the edit", 10)


def test_the_end_of_the_last_policy_is_noticed_although_nobody_watched(world: World, proxy: FaultProxy) -> None:
    """kopf lists anew after a gap, and a list without objects makes no event."""
    world.until(lambda: proxy.watched(watches_policies), "kopf to watch", 90)
    refused = proxy.refused
    proxy.refuse(of_kopf, 500, count=3)
    proxy.gone()
    world.until(lambda: proxy.refused >= refused + 2, "kopf to be without a watch", 20)
    world.delete("tieringpolicies", "--all")
    world.until(lambda: world.all_follow(NODES, None), "all nodes to be restored", 20)


def test_all_of_it_at_once_comes_out_right(world: World, proxy: FaultProxy, tmp_path: Path) -> None:
    proxy.delay_s = 0.2
    for size in ("12Mi", "13Mi", "14Mi"):
        proxy.refuse(writes, 429, count=5, retry_after="1")
        proxy.refuse(writes, 500, count=5)
        proxy.refuse(reads, 500, count=3)
        proxy.cut()
        edit(world, size)
        proxy.gone()
    world.until(lambda: told(world, "14Mi"), "the last edit", 120)
