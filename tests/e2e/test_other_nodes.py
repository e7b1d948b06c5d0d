"""Nodes beside the tiered one: a kernel without DAMON, and a machine with a single tier."""

from pathlib import Path

import pytest

from e2e.nodes import joined, status_of
from story import host
from story.stage import Stage
from testbed.topology import ONE_NODE

pytestmark = pytest.mark.e2e


def test_a_kernel_without_damon_is_reported_and_left_alone(tiered: Stage, tmp_path: Path) -> None:
    with joined(tiered, tmp_path / "old", "old", kernel="6.1") as guest:
        before = host.settings(guest)
        tiered.wait("condition=EngineAvailable=False", "nodetiering/old", limit_s=180)
        tiered.wait("jsonpath={.status.unsupportedNodes}=1", "tieringpolicy/other")
        conditions = {one["type"]: one for one in status_of(tiered, "old")["conditions"]}
        message = conditions["EngineAvailable"]["message"]
        assert "DAMON" in message
        assert [numa["nid"] for numa in status_of(tiered, "old")["numaNodes"]] == [0, 1]
        assert host.settings(guest) == before
        assert tiered.policy("other")["status"]["degradedNodes"] == 0


@pytest.mark.matrix
def test_a_single_tier_is_ready_with_that_reason(tiered: Stage, tmp_path: Path) -> None:
    with joined(tiered, tmp_path / "plain", "plain", topology=ONE_NODE) as guest:
        before = host.settings(guest)
        tiered.wait("condition=Ready", "nodetiering/plain", limit_s=180)
        conditions = {one["type"]: one for one in status_of(tiered, "plain")["conditions"]}
        assert conditions["Ready"]["reason"] == "SingleTier"
        tiered.wait("condition=Ready", "tieringpolicy/other")
        assert host.settings(guest) == before


@pytest.mark.matrix
def test_two_nodes_at_once_of_which_one_has_a_single_tier(tiered: Stage, tmp_path: Path) -> None:
    at_once = {"canary": "100%", "maxUpdating": "100%", "bake": "0s"}
    with joined(tiered, tmp_path / "plain", "plain", topology=ONE_NODE, everywhere=True, rollout=at_once) as guest:
        before = host.settings(guest)
        tiered.wait("condition=Ready", "nodetiering/plain", limit_s=180)
        conditions = {one["type"]: one for one in status_of(tiered, "plain")["conditions"]}
        assert conditions["Ready"]["reason"] == "SingleTier"
        tiered.wait("condition=Ready", "tieringpolicy/other")
        status = tiered.policy("other")["status"]
        assert (status["nodes"], status["readyNodes"], status["degradedNodes"]) == (2, 2, 0)
        assert len(host.running_kdamonds(tiered.guest)) == 2
        assert host.settings(guest) == before
        assert status_of(tiered, "plain")["kdamonds"] == []
    tiered.wait("jsonpath={.spec.action}=Restore", f"nodetiering/{tiered.guest.name}")
