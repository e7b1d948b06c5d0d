"""A pod whose memory the kubelet's Memory Manager has pinned: left alone without a rule, and explained."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.nodes import joined, status_of
from e2e.policies import LIKE_THE_DEMO
from story.stage import Stage
from story.workload import NAMESPACE, Load, Workload
from testbed import processes, waiting
from testbed.guest import Guest
from testbed.node import ALONE

pytestmark = [pytest.mark.e2e, pytest.mark.matrix]

STATIC = {
    "cpuManagerPolicy": "static",
    "memoryManagerPolicy": "Static",
    "topologyManagerPolicy": "single-numa-node",
    "systemReserved": {"cpu": "500m", "memory": "100Mi"},
    "evictionHard": {"memory.available": "100Mi"},
    "reservedMemory": [{"numaNode": 0, "limits": {"memory": "200Mi"}}],
}
"""What is reserved of memory has to be what the other two add up to."""
BOTH = {"cpu": "500m", "memory": "320Mi"}
MIB = 1 << 20


@pytest.fixture(scope="module")
def pinned(tiered: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """A node that wants more free fast memory than it has; a pinned and a free pod, both with cold memory there."""
    wish: dict[str, Any] = {"demotion": {"fastFreeTarget": "60%", "minAge": "1s"}, "promotion": {"enabled": False}}
    directory = tmp_path_factory.mktemp("static") / "static"
    with joined(tiered, directory, "static", append=ALONE, kubelet=STATIC, **LIKE_THE_DEMO, **wish) as guest:
        try:
            tiered.wait("condition=Ready", "nodetiering/static", limit_s=180)
            loads = (
                Load(
                    hot_mib=16,
                    cold_mib=240,
                    hot_nid=0,
                    node="static",
                    name="pinned",
                    resources={"requests": BOTH, "limits": BOTH},
                ),
                Load(hot_mib=16, cold_mib=240, node="static", name="free"),
            )
            for load in loads:
                Workload(tiered.cluster, guest, load).start()
            yield guest
        finally:
            tiered.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")


def pod(tiered: Stage, name: str) -> dict[str, Any]:
    found = status_of(tiered, "static")["pods"]
    return next((one for one in found if (one.get("namespace"), one.get("name")) == (NAMESPACE, name)), {})


def test_it_stays_where_it_is_while_others_make_room(tiered: Stage, pinned: Guest) -> None:
    mems = "cat /sys/fs/cgroup/kubepods.slice/kubepods-pod*/cri-*/cpuset.mems"
    assert "0" in pinned.run(mems).stdout.split(), "the kubelet has pinned nothing"
    waiting.until(
        lambda: pod(tiered, "free").get("slowBytes", 0) > 100 * MIB,
        "the free pod's cold memory on the slow nid",
        limit_s=240,
        every_s=2,
        detail=lambda: str(status_of(tiered, "static")),
    )
    found = pod(tiered, "pinned")
    assert found["tiered"] is False
    assert found["why"] == "cpuset.mems confines it to nids 0"
    assert found["fastBytes"] > 240 * MIB
    assert found["slowBytes"] < 4 * MIB


def test_the_plugin_explains_it(tiered: Stage, pinned: Guest) -> None:
    words = (sys.executable, "-m", "terrace_kubectl", "explain", "pod", "pinned", "-n", NAMESPACE)
    waiting.until(lambda: bool(pod(tiered, "pinned")), "the pod in the status", limit_s=120, every_s=2)
    text = processes.run(words, env=tiered.cluster.environment)
    assert "cpuset.mems confines it to nids 0" in text
    told = json.loads(processes.run((*words, "-o", "json"), env=tiered.cluster.environment))
    assert (told["tiered"], told["moves"], told["policy"]) == (False, False, "other")
