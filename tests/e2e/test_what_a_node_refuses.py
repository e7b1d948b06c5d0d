"""Policies that cannot be meant for the node, and a tree that is somebody else's: said so, and nothing is stored."""

import dataclasses
from typing import Any

import pytest
import yaml

from cases.policies import policy
from e2e.policies import applied
from story import host
from story.stage import Stage
from testbed import waiting

pytestmark = pytest.mark.e2e

FOREIGN = """
cd /sys/kernel/mm/damon/admin/kdamonds
echo N > /sys/module/damon_stat/parameters/enabled
echo 1 > nr_kdamonds; cd 0
echo 1 > contexts/nr_contexts; echo paddr > contexts/0/operations
echo 1 > contexts/0/targets/nr_targets; echo 1 > contexts/0/targets/0/regions/nr_regions
echo 4294967296 > contexts/0/targets/0/regions/0/start
echo 4563402752 > contexts/0/targets/0/regions/0/end
echo on > state; cat pid
"""
NOT_FOREIGN = """
echo off > /sys/kernel/mm/damon/admin/kdamonds/0/state
echo 0 > /sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds
echo Y > /sys/module/damon_stat/parameters/enabled
"""


def condition(tiered: Stage, type_: str, status: str) -> dict[str, Any]:
    """Returns a condition of the node once it has this status for the current settings."""
    tiered.wait("jsonpath={.spec.action}=Manage", f"nodetiering/{tiered.guest.name}")
    tiered.wait(f"condition={type_}={status}", f"nodetiering/{tiered.guest.name}")
    return next(one for one in tiered.node_tiering()["status"]["conditions"] if one["type"] == type_)


def test_a_nid_that_does_not_exist_is_named_with_what_exists(tiered: Stage) -> None:
    before = host.settings(tiered.guest)
    with applied(tiered, tiers=[{"name": "fast", "nids": [0]}, {"name": "slow", "nids": [7]}]):
        message = condition(tiered, "Accepted", "False")["message"]
        assert all(nid in message for nid in ("nid 7", "nid 0", "nid 1"))
        assert host.settings(tiered.guest) == before


def test_a_tier_that_is_fast_and_slow_is_refused(tiered: Stage) -> None:
    before = host.settings(tiered.guest)
    tiers = [{"name": "fast", "nids": [0, 1]}, {"name": "slow", "nids": [1]}]
    manifest = yaml.safe_dump(policy("case", allNodes=True, mode="Enforce", tiers=tiers))
    refused = tiered.cluster.kubectl("apply", "-f", "-", stdin=manifest, check=False)
    assert refused.returncode != 0
    assert "spec.tiers" in refused.stderr
    assert "a nid can be in one tier only" in refused.stderr
    assert host.settings(tiered.guest) == before


def test_observe_watches_says_what_enforce_would_do_and_moves_nothing(tiered: Stage) -> None:
    before = host.settings(tiered.guest)
    with applied(tiered, mode="Observe"):
        tiered.wait("condition=Ready", "tieringpolicy/case")
        status = tiered.node_tiering()["status"]
        assert status["mode"] == "Observe"
        assert len(status["plan"]) >= 2
        during = dataclasses.replace(before, nr_kdamonds="2", damon_stat="N")
        assert host.settings(tiered.guest) == during
        ready = next(one for one in status["conditions"] if one["type"] == "Ready")
        assert "levels" in status or "Levels are known once" in ready["message"]
        waiting.until(lambda: "levels" in tiered.node_tiering()["status"], "levels in the status", limit_s=100)
        levels = tiered.node_tiering()["status"]["levels"]
        assert 0 <= levels["forecastBytes"] <= levels["hotOnSlowBytes"]
        assert tiered.node_tiering()["status"]["promotedBytes"] == status["promotedBytes"]
    waiting.until(lambda: host.settings(tiered.guest) == before, "the settings to be restored", limit_s=60)


def test_somebody_elses_kdamond_is_left_running_and_named(tiered: Stage) -> None:
    pid = tiered.guest.run(f"set -e\n{FOREIGN}").stdout.strip()
    try:
        with applied(tiered):
            message = condition(tiered, "EngineAvailable", "False")["message"]
            assert pid in message
            assert host.running_kdamonds(tiered.guest) == {0: int(pid)}
        assert host.running_kdamonds(tiered.guest) == {0: int(pid)}
    finally:
        tiered.guest.run(NOT_FOREIGN)
