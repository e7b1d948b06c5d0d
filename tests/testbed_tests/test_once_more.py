"""Only what failed because a guest ended is worth a second try."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.errors import CommandError, GuestError
from testbed.once_more import ENDED, GUESTS_ENDED, guest_ended

TESTS = Path(__file__).parents[1]
SUITE = """
from pathlib import Path
import pytest
from testbed.errors import GuestError

ended = GuestError("tiered", "ended", Path("console.log"))

@pytest.mark.parametrize("word", ["a b"])
def test_in_a_guest_that_ended(word):
    raise ended

@pytest.fixture
def node():
    raise ended

def test_with_a_node_that_did_not_come(node):
    pass

def test_that_is_fine():
    pass

def test_that_is_wrong():
    assert False
"""


def run(directory: Path, *words: str) -> int:
    (directory / "test_suite.py").write_text(SUITE)
    plugins = ("-p", "testbed.fixtures", "-p", "testbed.once_more", "-p", "no:cacheprovider")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, "test_suite.py", *words],
        cwd=directory, env={**os.environ, "PYTHONPATH": str(TESTS)}, capture_output=True, check=False,
    ).returncode  # fmt: skip


def test_failures_by_guests_alone_have_a_code_and_are_listed_as_pytest_takes_them(tmp_path: Path) -> None:
    assert run(tmp_path, "--deselect=test_suite.py::test_that_is_wrong") == GUESTS_ENDED
    listed = (tmp_path / ENDED).read_text().splitlines()
    assert listed == [
        "test_suite.py::test_in_a_guest_that_ended[a b]",
        "test_suite.py::test_with_a_node_that_did_not_come",
    ]
    assert run(tmp_path, "-k", "not wrong", f"@{ENDED}") == GUESTS_ENDED


def test_one_other_failure_makes_the_run_red(tmp_path: Path) -> None:
    assert run(tmp_path) == pytest.ExitCode.TESTS_FAILED
    assert not (tmp_path / ENDED).exists()


def test_an_error_that_came_of_an_ended_guest_counts(tmp_path: Path) -> None:
    failed = CommandError(["kubectl"], 1, "no answer")
    assert not guest_ended(failed)
    failed.__cause__ = GuestError("tiered", "ended", tmp_path / "console.log")
    assert guest_ended(failed)
