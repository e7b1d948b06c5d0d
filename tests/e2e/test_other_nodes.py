"""Nodes beside the tiered one: a kernel without DAMON, and a machine with a single tier."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from cases.policies import policy
from story import host
from story.stage import Stage
from testbed import kernels, node
from testbed.guest import Guest
from testbed.topology import ONE_NODE, TWO_TIERS, Topology

pytestmark = pytest.mark.e2e


@contextmanager
def joined(
    tiered: Stage, directory: Path, name: str, *, kernel: str | None = None, topology: Topology = TWO_TIERS
) -> Iterator[Guest]:
    guest = node.join(
        tiered.cluster,
        name,
        directory=directory,
        images=tiered.images,
        kernel=kernels.kernel(kernel) if kernel else None,
        topology=topology,
    )
    manifest = policy("other", mode="Enforce", nodeSelector={"matchLabels": {"kubernetes.io/hostname": name}})
    try:
        tiered.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
        tiered.wait("jsonpath={.spec.action}=Manage", f"nodetiering/{name}", limit_s=60)
        yield guest
    finally:
        guest.stop()
        tiered.cluster.kubectl("delete", "tieringpolicy", "other", "--ignore-not-found")
        tiered.cluster.kubectl("delete", "node", name)


def status_of(tiered: Stage, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(tiered.cluster.kubectl("get", "nodetiering", name, "-o", "yaml").stdout)
    return found["status"]  # type: ignore[no-any-return]


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


def test_a_single_tier_is_ready_with_that_reason(tiered: Stage, tmp_path: Path) -> None:
    with joined(tiered, tmp_path / "plain", "plain", topology=ONE_NODE) as guest:
        before = host.settings(guest)
        tiered.wait("condition=Ready", "nodetiering/plain", limit_s=180)
        conditions = {one["type"]: one for one in status_of(tiered, "plain")["conditions"]}
        assert conditions["Ready"]["reason"] == "SingleTier"
        tiered.wait("condition=Ready", "tieringpolicy/other")
        assert host.settings(guest) == before
