"""`helm uninstall` while memory is tiered: node and cluster are as they were before the install."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cases.policies import policy
from e2e.nodes import joined
from e2e.policies import LIKE_THE_DEMO
from story import host, untouched
from story.stage import CHART, NAMESPACE, Stage, install
from testbed import waiting

pytestmark = [pytest.mark.e2e, pytest.mark.matrix]

KEPT = {
    f"Namespace//{NAMESPACE}",
    f"ConfigMap/{NAMESPACE}/kube-root-ca.crt",
    f"ServiceAccount/{NAMESPACE}/default",
    f"Lease/{NAMESPACE}/terrace-operator",
}
"""The namespace, with what every namespace has, and the Lease by which the clean-up kept an operator from writing."""
CLEANUP_LIMIT_S = 60
_WHERE = ("--namespace", NAMESPACE)


def keep_no_crds(tiered: Stage) -> None:
    """Has CRDs and policies go with the chart, and the clean-up end soon."""
    settings = ("--set", f"crds.keep=false,cleanup.limitSeconds={CLEANUP_LIMIT_S}")
    tiered.cluster.helm("upgrade", "terrace", CHART, *_WHERE, "--reset-then-reuse-values", "--wait", *settings)


def uninstall(tiered: Stage) -> str:
    """Uninstalls, and returns what helm printed."""
    done = tiered.cluster.helm("uninstall", "terrace", *_WHERE, "--timeout=5m", limit_s=330)
    return done.stdout + done.stderr


def be_installed(tiered: Stage) -> None:
    """Installs where it is not."""
    if tiered.cluster.helm("status", "terrace", *_WHERE, check=False).returncode:
        install(tiered.cluster)


@pytest.fixture(scope="module")
def said(tiered: Stage, request: pytest.FixtureRequest) -> Iterator[str]:
    """What `helm uninstall` printed; memory was tiered until then."""
    manifest = policy("case", mode="Enforce", allNodes=True, **LIKE_THE_DEMO)
    tiered.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
    tiered.wait("condition=Ready", "tieringpolicy/case")
    assert len(host.running_kdamonds(tiered.guest)) == 2
    keep_no_crds(tiered)
    printed = uninstall(tiered)
    tiered.cluster.kubectl("wait", "--for=delete", "pods", "--all", "-n", NAMESPACE, "--timeout=90s")
    yield printed
    if request.session.items[-1].path != request.path:  # other tests come, which want it installed
        be_installed(tiered)


def test_it_says_that_every_node_is_as_it_was_found(said: str) -> None:
    assert "restored 1 of 1 nodes" in said


def test_the_node_is_as_before_the_install(tiered: Stage, said: str) -> None:
    assert tiered.before is not None
    before = tiered.before.node

    def differences() -> dict[str, tuple[str | None, str | None]]:
        now = untouched.of_node(tiered.guest)
        return {
            path: (before.get(path), now.get(path)) for path in {*before, *now} if before.get(path) != now.get(path)
        }

    # The kubelet takes the pods' cgroups away within seconds.
    waiting.until(lambda: not differences(), "the node to be as before", limit_s=30, every_s=2,
                  detail=lambda: str(differences()))  # fmt: skip


def test_no_crd_no_hook_and_nothing_else_is_left_in_the_cluster(tiered: Stage, said: str) -> None:
    assert tiered.before is not None
    before = tiered.before.objects

    def left() -> set[str]:
        return set(untouched.of_cluster(tiered.cluster) - before - KEPT)

    waiting.until(lambda: not left(), "everything to be collected", limit_s=30, every_s=2, detail=lambda: str(left()))


def test_with_a_node_down_it_ends_within_its_limit_and_names_it(tiered: Stage, tmp_path: Path) -> None:
    be_installed(tiered)
    at_once = {"canary": "100%", "maxUpdating": "100%", "bake": "0s"}
    with joined(tiered, tmp_path / "down", "down", everywhere=True, rollout=at_once, **LIKE_THE_DEMO) as guest:
        tiered.wait("condition=Ready", "nodetiering/down", limit_s=180)
        tiered.wait("condition=Ready", "tieringpolicy/other")
        keep_no_crds(tiered)
        guest.stop()
        tiered.wait("condition=AgentAlive=False", "nodetiering/down", limit_s=400)
        began_s = time.monotonic()
        said = uninstall(tiered)
        took_s = time.monotonic() - began_s
        assert "restored 1 of 2 nodes" in said
        assert "  down: " in said
        assert "  tiered: " not in said
        # Beside its limit: the pod's start, and what helm takes away.
        assert took_s < CLEANUP_LIMIT_S + 60
        settings = host.settings(tiered.guest)
        assert (settings.nr_kdamonds, settings.damon_stat, settings.demotion_enabled) == ("0", "Y", "false")
        tiered.cluster.kubectl("delete", "node", "down")  # helm would wait for its agent
        install(tiered.cluster)
