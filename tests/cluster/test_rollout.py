"""Rollouts beside a real API server: what nodes are told, by an operator that is killed again and again.

Six nodes are objects, and this process speaks for their agents: they answer what they are told half a second later.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cluster.door import Door, Written, opened
from cluster.operating import ACCOUNT, NAMESPACE, PATHS, World, a_node, a_policy, agent_status, installed
from terrace_api import API_VERSION
from testbed.cluster import Cluster

NAMES = [f"n{number}" for number in range(6)]
LIMIT = 2
ENGINE = ("EngineAvailable", "True", "Available")
READY = (ENGINE, ("Applied", "True", "Applied"), ("Ready", "True", "Enforcing"))
FAILED = (ENGINE, ("Applied", "False", "StoreRefused"), ("Ready", "False", "StoreRefused"))
OUTRANKED = "policy prod wins over batch: priority 10 is above 0"
Json = Any
pytestmark = pytest.mark.cluster


def policy(mode: str, on_failure: str = "Pause", bake: str = "0s") -> Json:
    """Returns the policy; its mode is what is rolled out."""
    return a_policy("batch", mode=mode, rollout={"bake": bake, "maxUpdating": LIMIT, "onFailure": on_failure})


@dataclass(kw_only=True)
class Scene:
    """Nodes whose agents answer, and what the operator did to them.

    Attributes:
        failing: names of nodes that fail in mode Enforce.
        updating: nodes that were told mode Enforce and have not answered.
        most: how many there were at the worst moment.
    """

    world: World
    door: Door
    failing: tuple[str, ...] = ()
    updating: set[str] = field(default_factory=set)
    most: int = 0
    deadly: bool = False
    deaths: int = 0

    def on_write(self, written: Written) -> None:
        """Counts, and kills the operator if it is to die of each write."""
        if written.kind == "nodetierings" and _mode(written.manifest) == "Enforce":
            self.updating.add(written.name)
            self.most = max(self.most, len(self.updating))
        if self.deadly:
            self.deaths += 1
            self.door.kill()

    def play(self, until: str, limit_s: float = 120) -> None:
        """Lets agents answer and operators die until the policy's condition Ready has that reason and all is quiet."""
        deadline_s, quiet_since_s = time.monotonic() + limit_s, time.monotonic()
        while time.monotonic() < quiet_since_s + 3.0:
            assert time.monotonic() < deadline_s, f"{self.reason()} instead of {until}\n{self.world.log()[-4000:]}"
            before = len(self.door.written)
            self._keep_operator()
            time.sleep(0.5)
            answered = self._answer()
            if answered or len(self.door.written) > before or self.reason() != until:
                quiet_since_s = time.monotonic()

    def reason(self) -> str:
        """Returns why the policy is ready or not; nothing while that is about an earlier edit."""
        found = self.world.get("tieringpolicy", "batch")
        status = found.get("status", {})
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return ""
        return next((one["reason"] for one in status["conditions"] if one["type"] == "Ready"), "")

    def told(self) -> dict[str, str]:
        """Returns what each node was told last."""
        return {one["metadata"]["name"]: _mode(one) for one in self.world.every("nodetiering")}

    def last_good(self) -> str:
        """Returns the mode of the revision that is known to be good."""
        status = self.world.get("tieringpolicy", "batch").get("status", {})
        return str(status.get("lastGood", {}).get("settings", {}).get("mode"))

    def recover(self, name: str) -> None:
        """A node that failed does so no longer, without having been told anything."""
        self.failing = tuple(one for one in self.failing if one != name)
        self._write_status(name, agent_status(self.world.get("nodetiering", name), READY, 0))

    def _keep_operator(self) -> None:
        """Starts the next operator when one has died; it need not wait for the Lease of the dead to run out."""
        if not self.world.running or not self.world.running[-1].running():
            self.world.running.clear()
            self.world.delete("lease", "-n", NAMESPACE, ACCOUNT, "--ignore-not-found")
            self.door.doomed = self.world.start_operator(server=self.door.url).pid

    def _answer(self) -> bool:
        late = [one for one in self.world.every("nodetiering") if _generation(one) != one["metadata"]["generation"]]
        for one in late:
            name = one["metadata"]["name"]
            fails = name in self.failing and _mode(one) == "Enforce"
            self._write_status(name, agent_status(one, FAILED if fails else READY, 0))
            self.updating.discard(name)
        return bool(late)

    def _write_status(self, name: str, status: Json) -> None:
        manifest = {"apiVersion": API_VERSION, "kind": "NodeTiering", "status": status}
        self.world.cluster.apply(f"{PATHS['nodetiering']}/{name}/status", manifest, manager="terrace-agent")


def _generation(tiering: Json) -> int:
    return int(tiering.get("status", {}).get("observedGeneration", 0))


def _mode(manifest: Json) -> str:
    return str(manifest.get("spec", {}).get("settings", {}).get("mode", ""))


@pytest.fixture(scope="module")
def parts(cluster: Cluster) -> Iterator[None]:
    with installed(cluster, "crds", "operator-rbac"):
        yield


@pytest.fixture
def scene(cluster: Cluster, parts: None, tmp_path: Path) -> Iterator[Scene]:
    """A policy in mode Observe that is good on every node."""
    with opened(cluster) as door:
        found = Scene(world=World(cluster=cluster, directory=tmp_path), door=door)
        door.on_write = found.on_write
        found.world.every("nodetiering")  # waits until the API server serves the kind
        found.world.apply(*(a_node(name) for name in NAMES), policy("Observe"))
        try:
            found.play("AllNodesReady")
            assert found.last_good() == "Observe"
            yield found
        finally:
            for daemon in found.world.running:
                daemon.stop()
            found.world.clear()


def test_a_revision_reaches_every_node_although_the_operator_is_killed_after_each_write(scene: Scene) -> None:
    scene.world.apply(policy("Enforce"))
    scene.deadly = True
    scene.play("AllNodesReady", 300)
    assert set(scene.told().values()) == {"Enforce"}
    assert scene.last_good() == "Enforce"
    assert 0 < scene.most <= LIMIT
    assert scene.deaths >= len(NAMES), "every node was told by an operator that did not live to know it"


def test_a_canary_that_fails_is_all_that_changes(scene: Scene) -> None:
    scene.failing = ("n0",)
    scene.world.apply(policy("Enforce"))
    scene.play("RolloutStopped")
    assert scene.told() == {name: "Enforce" if name == "n0" else "Observe" for name in NAMES}
    assert "n0 (StoreRefused" in scene.world.condition("batch", "Degraded")["message"]
    scene.recover("n0")
    scene.world.apply(policy("Enforce", bake="1s"))
    scene.play("AllNodesReady")
    assert set(scene.told().values()) == {"Enforce"}, "an edit begins another rollout"


@pytest.mark.parametrize("deadly", [False, True], ids=["undisturbed", "killed after each write"])
def test_a_failed_wave_is_rolled_back(scene: Scene, deadly: bool) -> None:
    scene.failing = ("n3",)
    scene.world.apply(policy("Enforce", "Rollback"))
    scene.deadly = deadly
    scene.play("RolledBack", 300)
    assert set(scene.told().values()) == {"Observe"}
    assert scene.last_good() == "Observe"
    assert 0 < scene.most <= LIMIT
    stopped = scene.world.get("tieringpolicy", "batch")["status"]["stopped"]
    assert stopped["nodes"] == ["n3"]
    enforced = {one.name for one in scene.door.written if _mode(one.manifest) == "Enforce"}
    assert enforced - {"n4"} == {"n0", "n1", "n2", "n3"}, "n4 is in the same wave, and may have been told too"


def of_node(scene: Scene) -> str:
    """What `kubectl describe` says of the node that failed."""
    return scene.world.cluster.kubectl("describe", "node", "n0").stdout


def test_people_are_told_by_events(scene: Scene) -> None:
    scene.failing = ("n0",)
    scene.world.apply(policy("Enforce"))
    scene.play("RolloutStopped")
    scene.world.apply(a_policy("prod", priority=10, nodeSelector={"matchLabels": {"test": "operator"}}))
    scene.world.until(lambda: scene.world.follows("n5", "prod"), "the other policy")
    events = scene.world.every("event")
    of_policy = {one["reason"]: one for one in events if one["involvedObject"]["name"] == "batch"}
    assert {"Canary", "RolloutStopped"} <= of_policy.keys()
    assert of_policy["RolloutStopped"]["type"] == "Warning"
    assert "n0 (StoreRefused" in of_policy["RolloutStopped"]["message"]
    described = scene.world.cluster.kubectl("describe", "tieringpolicy", "batch").stdout
    assert "RolloutStopped" in described
    scene.world.until(lambda: OUTRANKED in of_node(scene), "the event about another policy")
    assert "StoreRefused" in of_node(scene)
    row = scene.world.cluster.kubectl("get", "nodetiering", "n5", "-o", "wide").stdout.splitlines()
    assert "OUTRANKED" in row[0]
    assert "batch" in row[1]
