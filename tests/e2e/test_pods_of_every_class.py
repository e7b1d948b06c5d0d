"""Pods of the three classes: each is found where the kubelet puts it, and its share of fast memory is told."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from e2e.cgroups import in_its_cgroup
from e2e.policies import LIKE_THE_DEMO, applied
from story.stage import Stage
from story.workload import NAMESPACE, Load, Workload
from testbed import waiting

pytestmark = [pytest.mark.e2e, pytest.mark.matrix]

BOTH = {"cpu": "100m", "memory": "160Mi"}
CLASSES: dict[str, dict[str, Any] | None] = {
    "Guaranteed": {"requests": BOTH, "limits": BOTH},
    "Burstable": {"requests": {"memory": "64Mi"}},
    "BestEffort": None,
}
MIB = 1 << 20


@pytest.fixture(scope="module")
def uids(tiered: Stage) -> Iterator[dict[str, str]]:
    """One pod of each class, half of its memory on each nid, under a policy; by class."""
    try:
        for name, resources in CLASSES.items():
            load = Load(hot_mib=48, cold_mib=48, name=name.lower(), resources=resources)
            Workload(tiered.cluster, tiered.guest, load).start()
        listed = yaml.safe_load(tiered.cluster.kubectl("get", "pods", "-n", NAMESPACE, "-o", "yaml").stdout)["items"]
        with applied(tiered, **LIKE_THE_DEMO):
            tiered.wait("condition=Ready", "tieringpolicy/case")
            yield {pod["status"]["qosClass"]: pod["metadata"]["uid"] for pod in listed}
    finally:
        tiered.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")


def told(tiered: Stage, uid: str) -> dict[str, Any]:
    return next((pod for pod in tiered.node_tiering()["status"]["pods"] if pod["uid"] == uid), {})


@pytest.mark.parametrize("name", CLASSES)
def test_its_share_of_fast_memory_is_what_its_cgroup_has(tiered: Stage, uids: dict[str, str], name: str) -> None:
    uid = uids[name]

    def agree() -> bool:
        pod, (fast, slow) = told(tiered, uid), in_its_cgroup(tiered.guest, name, uid)
        found = bool(pod) and abs(pod["fastBytes"] - fast) <= 4 * MIB and abs(pod["slowBytes"] - slow) <= 4 * MIB
        return found and fast + slow >= 90 * MIB

    waiting.until(agree, f"the {name} pod's memory in the status", limit_s=150, every_s=2,
                  detail=lambda: f"{told(tiered, uid)} {in_its_cgroup(tiered.guest, name, uid)}")  # fmt: skip
    pod = told(tiered, uid)
    assert (pod["namespace"], pod["name"], pod["tiered"]) == (NAMESPACE, name.lower(), True)
    assert pod["fastShare"].endswith("%")
