"""One cluster with one tiered node and Terrace installed, for all end-to-end tests."""

from collections.abc import Iterator

import pytest

from story.stage import Stage, stage
from testbed import evidence
from testbed.fixtures import running


@pytest.fixture(scope="session")
def tiered(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The running stage; console, logs and the node's state are kept in `artifacts/e2e` when a test failed."""
    with stage(tmp_path_factory.mktemp("e2e") / "stage", name="e2e") as ready:
        running(request.config).append(ready.guest)
        yield ready
        running(request.config).remove(ready.guest)
        if request.session.testsfailed:
            evidence.save(ready, evidence.ARTIFACTS / "e2e")
