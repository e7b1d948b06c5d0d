"""What `helm test` runs, with the rights that the chart gives it, against a real API server and a running operator."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cluster.operating import NAMESPACE, World, a_node, installed, with_token
from testbed.cluster import Cluster

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two nodes whose agents speak, an operator, and the test's account with its rights."""
    with installed(cluster, "crds", "operator-rbac", "tests/check"):
        found = World(cluster=cluster, directory=tmp_path_factory.mktemp("operator"))
        found.start_operator()
        found.apply(a_node("checked-1"), a_node("checked-2"))
        found.until(lambda: found.follows("checked-1", None) and found.follows("checked-2", None), "NodeTierings")
        found.hear_from(["checked-1", "checked-2"])
        yield found
        found.delete("nodes", "-l", "test=operator")
        for daemon in found.running:
            daemon.stop()


def check(world: World, limit_s: int) -> subprocess.CompletedProcess[str]:
    """Runs what the test's pod runs, with the rights that the chart gives it."""
    token = world.cluster.kubectl("-n", NAMESPACE, "create", "token", "terrace-test").stdout.strip()
    config = world.directory / "test.kubeconfig"
    config.write_text(with_token(world.cluster, token))
    return subprocess.run(
        [sys.executable, "-m", "terrace_operator", "check", "--limit", str(limit_s)],
        env={**os.environ, "KUBECONFIG": str(config)},
        capture_output=True,
        text=True,
        timeout=limit_s + 60,
        check=False,
    )


def test_helms_test_has_the_rights_to_see_that_all_is_well(world: World) -> None:
    done = check(world, limit_s=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ok"] * 4


def test_helms_test_fails_and_names_the_node_whose_agent_has_not_spoken(world: World) -> None:
    world.apply(a_node("mute"))
    try:
        done = check(world, limit_s=10)
        assert done.returncode == 1
        assert "FAIL  the agents of 1 node have not spoken yet: mute" in done.stdout
    finally:
        world.delete("node", "mute")


def test_helms_test_may_change_nothing(world: World) -> None:
    account = f"--as=system:serviceaccount:{NAMESPACE}:terrace-test"
    for verb, what in (
        ("patch", "nodetierings.terrace.dev"),
        ("create", "tieringpolicies.terrace.dev"),
        ("update", "leases"),
    ):
        said = world.cluster.kubectl("auth", "can-i", verb, what, account, "-n", NAMESPACE, check=False)
        assert said.stdout.strip() == "no"
