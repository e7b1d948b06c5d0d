"""Limits of single pods, kept by the kernel: a hot pod stops at its max, a cold one keeps its min when room is made."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e.cgroups import in_its_cgroup
from e2e.policies import LIKE_THE_DEMO, applied
from story.placement import Sample
from story.stage import Stage
from story.workload import NAMESPACE, Load, Workload
from testbed import waiting

pytestmark = [pytest.mark.e2e, pytest.mark.matrix]

MIB = 1 << 20
MAX_MIB, HOT_MIB = 96, 192
MIN_MIB, COLD_MIB = 240, 360
NEAR_MIB = 24
"""A window, and pages of the pod that are none of the set: its program and its page cache."""
QUOTA = {"time": "0s", "size": "100Mi", "interval": "1s"}


@pytest.fixture
def namespace(tiered: Stage) -> Iterator[None]:
    yield
    tiered.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")


def settled(workload: Workload, value: Callable[[Sample], int], what: str, *, for_s: float = 15.0) -> int:
    """Returns the value once it has moved and then stayed within 4 MiB for so long."""
    first = value(workload.samples()[-1])

    def quiet() -> bool:
        samples = workload.samples()
        last_s = samples[-1].monotonic_s
        late = [value(one) for one in samples if one.monotonic_s >= last_s - for_s]
        return max(late) - min(late) <= 4 * MIB and abs(late[-1] - first) > NEAR_MIB * MIB

    waiting.until(quiet, what, limit_s=240, every_s=3, detail=lambda: str(workload.samples()[-3:]))
    return value(workload.samples()[-1])


def uid_of(tiered: Stage, pod: str) -> str:
    return str(tiered.cluster.get(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}")["metadata"]["uid"])


def limited(**bounds: str) -> dict[str, Any]:
    rule = {"name": "ours", "match": {"namespaces": [NAMESPACE]}, "action": "Tier", "fastMemory": bounds}
    return {**LIKE_THE_DEMO, "quota": QUOTA, "workloads": [rule]}


def test_a_hot_pod_is_promoted_up_to_its_max(tiered: Stage, namespace: None) -> None:
    workload = Workload(tiered.cluster, tiered.guest, Load(hot_mib=HOT_MIB, cold_mib=8, name="hot"))
    workload.start()
    with applied(tiered, **limited(max=f"{MAX_MIB}Mi")):
        tiered.wait("condition=Ready", "tieringpolicy/case")
        fast = settled(workload, lambda one: one.hot_fast_bytes + one.cold_fast_bytes, "the hot set to stop at its max")
        assert abs(fast - MAX_MIB * MIB) <= NEAR_MIB * MIB
        [pod] = [one for one in tiered.node_tiering()["status"]["pods"] if one["namespace"] == NAMESPACE]
        assert f"{MAX_MIB}Mi" in pod["why"]


def test_a_cold_pod_keeps_its_min_where_room_is_made(tiered: Stage, namespace: None) -> None:
    workload = Workload(tiered.cluster, tiered.guest, Load(hot_mib=8, cold_mib=COLD_MIB, name="cold"))
    workload.start()
    with applied(tiered, **limited(min=f"{MIN_MIB}Mi"), demotion={"minAge": "5s", "fastFreeTarget": "80%"}):
        tiered.wait("condition=Ready", "tieringpolicy/case")
        settled(workload, lambda one: one.cold_fast_bytes, "the cold set to stop at its min")
        # What counts is all that the pod has there, and the last window must not go below.
        fast, _ = in_its_cgroup(tiered.guest, "BestEffort", uid_of(tiered, "cold"))
        assert MIN_MIB * MIB <= fast <= (MIN_MIB + 2 * NEAR_MIB) * MIB
