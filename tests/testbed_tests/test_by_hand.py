"""What is left of work by hand that was interrupted is no obstacle."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import byhand, leftovers, waiting
from testbed.errors import BedError
from testbed.processes import MARKER


@pytest.fixture
def by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TERRACE_CACHE", str(tmp_path))
    return byhand.directory()


@pytest.fixture
def running_node(by_hand: Path) -> Iterator[str]:
    where = by_hand / "nodes/tiered"
    with subprocess.Popen(["sleep", "60"], env={MARKER: str(where), "PATH": "/usr/bin:/bin"}) as process:
        # exec(2) closes the pipe that Popen waits for a moment before the new environment can be read.
        waiting.until(lambda: leftovers.any_running(where), "the process's environment", limit_s=10)
        yield "tiered"
        process.kill()


def test_a_cluster_whose_making_was_interrupted_is_none(by_hand: Path) -> None:
    (by_hand / "cluster/logs").mkdir(parents=True)
    assert byhand.existing_cluster() is None
    with pytest.raises(BedError, match="start one with `make cluster`"):
        byhand.start_node("tiered", "newest")


def test_a_name_that_is_taken_is_told_in_the_words_of_make(by_hand: Path, running_node: str) -> None:
    (by_hand / "cluster").mkdir(parents=True)
    (by_hand / "cluster/cluster.json").write_text(
        '{"programs": "/nowhere", "ports": {"etcd": 1, "etcd_peer": 2, "api": 3}}'
    )
    with pytest.raises(BedError, match="make node NAME=second"):
        byhand.start_node(running_node, "newest")
