"""Two operators beside a real API server: whatever happens to the leader, one writes at a time."""

import os
import signal
import sys
import threading
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from cluster.operating import NAMESPACE, World, Written, a_node, a_policy, installed, written_specs
from terrace_operator.election import LEASE_S, RETRY_S
from testbed.cluster import Cluster
from testbed.processes import Daemon

LEASE = "terrace-operator"
NODES = tuple(f"node-{number}" for number in range(10))
pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def fleet(cluster: Cluster) -> Iterator[None]:
    """Ten nodes, the same for all tests: their NodeTierings are those that earlier operators left."""
    with installed(cluster, "crds", "operator-rbac"):
        cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(map(a_node, NODES)))
        yield
        cluster.kubectl("delete", "nodes", "-l", "test=operator")


@pytest.fixture
def world(cluster: Cluster, fleet: None, tmp_path: Path) -> Iterator[World]:
    """Two operators that know the fleet, the first of which leads."""
    found = World(cluster=cluster, directory=tmp_path)
    try:
        found.edit(a_policy("batch"))
        found.start_operator(name="first")
        found.until(lambda: "leading" in found.log("first"), "the first operator to lead", 60)
        found.until(lambda: found.all_follow(NODES, "batch"), "the first operator", 60)
        found.hear_from(NODES)
        found.start_operator(name="second")
        found.until(lambda: found.log("second").count("listed") == 2, "the second operator")
        yield found
    finally:
        for daemon in found.running:
            daemon.kill()
        found.delete("lease", "-n", NAMESPACE, LEASE, "--ignore-not-found")
        found.delete("tieringpolicies", "--all")


class Edits:
    """Somebody who edits a policy again and again, so that whoever may write always has something to write."""

    def __init__(self, world: World) -> None:
        self.last = 0
        self._world = world

    @contextmanager
    def going_on(self) -> Iterator[None]:
        ended = threading.Event()

        def edit() -> None:
            while not ended.wait(0.2):
                self.last += 1
                with suppress(urllib.error.URLError, OSError):
                    self._world.edit(a_policy("batch", quota={"size": f"{self.last}Mi"}))

        thread = threading.Thread(target=edit)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def everywhere(self) -> bool:
        """Whether every node was told the last edit."""
        return self._world.all_have(NODES, f"{self.last}Mi")


def since(world: World, count: int) -> list[Written]:
    """Returns the writes after the first `count`."""
    return written_specs(world.cluster)[count:]


def hand_over(world: World, edits: Edits, end_leader: signal.Signals) -> tuple[list[Written], float]:
    """Ends the leader while edits go on; returns the writes, and the seconds until the other one wrote."""
    before = len(written_specs(world.cluster))
    with edits.going_on():
        world.until(lambda: len(since(world, before)) > len(NODES), "the leader to write")
        leaders = {one.by for one in since(world, before)}
        ended_s = time.monotonic()
        os.kill(world.running[0].pid, end_leader)
        world.until(lambda: {one.by for one in since(world, before)} != leaders, "the other to write", 60)
        took_s = time.monotonic() - ended_s
        time.sleep(1)
    world.until(edits.everywhere, "the last edit everywhere", 30)
    return since(world, before), took_s


def terms(writes: list[Written]) -> list[str]:
    """Returns who wrote, in order, one entry for each uninterrupted run of writes."""
    ordered = [one.by for one in sorted(writes, key=lambda one: one.at)]
    return ordered[:1] + [after for before, after in pairwise(ordered) if after != before]


def test_a_killed_leader_is_followed_and_nobody_else_ever_writes(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    writes, took_s = hand_over(world, Edits(world), signal.SIGKILL)
    with capsys.disabled():
        print(f"\nhand-over after SIGKILL: {took_s:.1f} s from the kill to the first write of the other")
    assert len(terms(writes)) == 2, "one after the other"
    assert took_s < LEASE_S + 2 * RETRY_S + 5


def test_a_leader_that_ends_hands_over_at_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    writes, took_s = hand_over(world, Edits(world), signal.SIGTERM)
    with capsys.disabled():
        print(f"\nhand-over after SIGTERM: {took_s:.1f} s")
    assert len(terms(writes)) == 2
    assert took_s < LEASE_S


def test_a_leader_that_slept_through_its_term_wakes_up_and_writes_nothing(world: World) -> None:
    edits, first = Edits(world), world.running[0]
    before = len(written_specs(world.cluster))
    with edits.going_on():
        world.until(lambda: len(since(world, before)) > len(NODES), "the leader to write")
        os.kill(first.pid, signal.SIGSTOP)
        world.until(lambda: len({one.by for one in since(world, before)}) == 2, "the other to write", 60)
        os.kill(first.pid, signal.SIGCONT)
        time.sleep(10)
    assert len(terms(since(world, before))) == 2
    assert "no longer leading" in world.log("first")
    first.expect_running()


def test_an_api_server_that_was_away_leaves_one_of_them_leading(world: World) -> None:
    world.cluster.stop_api_server()
    time.sleep(LEASE_S + RETRY_S)
    world.cluster.start_api_server()
    before = len(written_specs(world.cluster))
    edits = Edits(world)
    with edits.going_on():
        world.until(lambda: len(since(world, before)) > 2 * len(NODES), "one of them to write", 60)
    world.until(edits.everywhere, "the last edit everywhere", 30)
    assert len(terms(since(world, before))) == 1
    for daemon in world.running:
        daemon.expect_running()


def test_cleanup_restores_every_node_against_a_running_operator(world: World) -> None:
    for node in NODES:
        world.answer(node, ("Ready", "True", "Enforcing"))
    silent = NODES[-1]
    before = len(written_specs(world.cluster))
    cleanup = start_cleanup(world, "--limit=30")
    for node in NODES[:-1]:
        world.until(lambda node=node: world.spec(node) == {"action": "Restore"}, "the node to be told", 60)  # type: ignore[misc]
        world.answer(node, ("Ready", "True", "Restored"))
    world.until(lambda: not cleanup.running(), "the clean-up to end", 60)
    said = cleanup.log.read_text()
    assert "waiting until whoever held the Lease has certainly stopped writing" in said
    assert "restored 9 of 10 nodes, waiting for 1" in said
    assert f"  {silent}: its agent has not answered; revision" in said
    assert "terrace-agent stop" in said
    assert "These policies remain: batch." in said
    time.sleep(5)
    assert [one.spec["action"] for one in since(world, before)] == ["Restore"] * len(NODES), "nobody wrote against it"


def start_cleanup(world: World, *flags: str) -> Daemon:
    kubeconfig = world.directory / "first.kubeconfig"
    argv = ["env", f"KUBECONFIG={kubeconfig}", sys.executable, "-m", "terrace_operator", "cleanup", *flags]
    return Daemon.start("cleanup", argv, directory=world.directory, log=world.directory / "cleanup")
