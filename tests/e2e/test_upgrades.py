"""From the first release to this one and back while memory is tiered, the agent or the operator first: nothing stops.

Each way has two halves, so that both mixtures are met. The API server has the newer CRDs in them, as helm installs CRDs
before all else; the way back takes the older ones last.
"""

import json
from collections.abc import Iterator

import pytest
import yaml

from cases.policies import policy
from story import host
from story.release import THIS, Release, first
from story.stage import NAMESPACE, Stage, stage, upgrade
from story.watch import Watch, watching
from testbed import progress, waiting
from testbed.fixtures import running

pytestmark = [pytest.mark.e2e, pytest.mark.matrix]

AGENT = ("admission", "agent-rbac", "agent")
OPERATOR = ("operator-rbac", "operator")
WORKLOADS = {"agent": "daemonset/terrace-agent", "operator": "deployment/terrace-operator"}


@pytest.fixture(scope="module")
def first_installed(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A node that the first release tiers, and that holds the images of both."""
    directory = tmp_path_factory.mktemp("upgrade") / "stage"
    with stage(directory, name="upgrade", release=first(), later=(THIS,)) as ready:
        running(request.config).append(ready.guest)
        manifest = policy("case", mode="Enforce", allNodes=True, quota={"time": "0s"})
        ready.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
        ready.wait("condition=Ready", "tieringpolicy/case")
        yield ready
        running(request.config).remove(ready.guest)


@pytest.fixture(scope="module")
def watch(first_installed: Stage) -> Iterator[Watch]:
    """Looks at the node several times a second, for all tests of this module."""
    with watching(first_installed.guest) as looking:
        yield looking


def replace_part(stage: Stage, release: Release, component: str, parts: tuple[str, ...]) -> None:
    """Replaces one of the two workloads with all that belongs to it, as helm would."""
    show = [word for part in parts for word in ("--show-only", f"templates/{part}.yaml")]
    manifests = stage.cluster.helm("template", "terrace", *release.arguments(), "--namespace", NAMESPACE, *show).stdout
    flags = ("--server-side", "--force-conflicts", "--field-manager=helm")
    stage.cluster.kubectl("apply", *flags, "-f", "-", stdin=manifests)
    settled(stage, component)


def settled(stage: Stage, component: str) -> None:
    rollout = ("rollout", "status", "-n", NAMESPACE, WORKLOADS[component], "--timeout=180s")
    stage.cluster.kubectl(*rollout, limit_s=190)


def images(stage: Stage) -> dict[str, str]:
    """Returns the tags of what runs."""
    found = json.loads(stage.cluster.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json").stdout)["items"]
    alive = [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]
    return {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod["spec"]["containers"][0]["image"].partition(":")[
            2
        ]
        for pod in alive
    }


def goes_on(stage: Stage, watch: Watch, expected: dict[str, str], promoted_before: int) -> int:
    """Checks that these versions run and speak, and that the kernel saw none of it; returns the total promoted."""
    assert images(stage) == expected
    waiting.until(
        lambda: any(line.get("step") == "report" for line in stage.agent_steps()),
        "the agent's turn",
        limit_s=90,
        every_s=1,
    )
    stage.wait("condition=Ready", f"nodetiering/{stage.guest.name}")
    stage.wait("condition=Ready", "tieringpolicy/case")
    status = stage.node_tiering()["status"]
    progress.say(f"{expected}: kdamonds {host.running_kdamonds(stage.guest)}, seen {watch.seen()}")
    assert len(watch.seen()) == 1, "the kernel's tiering was touched"
    assert len(host.running_kdamonds(stage.guest)) == 2
    assert [one["pid"] for one in status["kdamonds"]] == list(host.running_kdamonds(stage.guest).values())
    assert status["promotedBytes"] >= promoted_before
    return int(status["promotedBytes"])


FIRST, NEW = {"agent": "first", "operator": "first"}, {"agent": "dev", "operator": "dev"}


@pytest.mark.parametrize("agent_first", [True, False], ids=["agent first", "operator first"])
def test_up_and_down_again_nothing_stops(first_installed: Stage, watch: Watch, agent_first: bool) -> None:
    stage, older = first_installed, first()
    component, parts = ("agent", AGENT) if agent_first else ("operator", OPERATOR)
    total = goes_on(stage, watch, FIRST, 0)

    replace_part(stage, THIS, component, ("crds", *parts))
    total = goes_on(stage, watch, FIRST | {component: "dev"}, total)
    upgrade(stage.cluster, THIS)
    total = goes_on(stage, watch, NEW, total)

    replace_part(stage, older, component, parts)
    total = goes_on(stage, watch, NEW | {component: "first"}, total)
    upgrade(stage.cluster, older)
    goes_on(stage, watch, FIRST, total)
