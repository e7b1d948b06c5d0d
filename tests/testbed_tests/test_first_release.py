"""The version that upgrades start from comes from the history; where it is not, nothing is skipped."""

import subprocess
from pathlib import Path

import pytest

from testbed.errors import BedError
from testbed.first_release import first_release


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRACE_CACHE", str(tmp_path / "cache"))


@pytest.mark.e2e
@pytest.mark.matrix
def test_its_chart_and_sources_are_there(tmp_path: Path) -> None:
    found = first_release()
    assert (found / "deploy/helm/terrace/Chart.yaml").exists()
    assert (found / "Dockerfile").exists()
    assert not (found / "kubectl").exists(), "this is a later tree"


def test_a_clone_that_lacks_it_is_told_what_to_do(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path / "shallow"], check=True)
    with pytest.raises(BedError, match=r"git fetch --unshallow"):
        first_release(tmp_path / "shallow")
    assert list((tmp_path / "cache/first-release").iterdir()) == [], "a failure left something half-made"
