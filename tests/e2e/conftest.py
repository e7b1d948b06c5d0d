"""One cluster with one tiered node and Terrace installed, for all end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from story.stage import Stage, stage

ARTIFACTS = Path(__file__).parents[2] / "artifacts"


@pytest.fixture(scope="session")
def tiered(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The running stage; console, logs and the node's state are kept in `artifacts/e2e` when a test failed."""
    with stage(tmp_path_factory.mktemp("e2e") / "stage") as ready:
        yield ready
        if request.session.testsfailed:
            keep_evidence(ready, ARTIFACTS / "e2e")


def keep_evidence(ready: Stage, directory: Path) -> None:
    """Keeps what the node and the pods say."""
    ready.guest.save_evidence(directory)
    for name, command in {
        "agent.log": ("logs", "-n", "terrace-system", "daemonset/terrace-agent", "--tail=-1"),
        "operator.log": ("logs", "-n", "terrace-system", "deployment/terrace-operator", "--tail=-1"),
        "objects.yaml": ("get", "tieringpolicies,nodetierings", "-o", "yaml"),
        "pods.txt": ("describe", "pods", "-A"),
    }.items():
        (directory / name).write_text(ready.cluster.kubectl(*command, check=False).stdout)
