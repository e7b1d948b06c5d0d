"""What failed leaves what the running parts told, and is still what is reported."""

from pathlib import Path

import pytest

from testbed.errors import BedError, WaitError
from testbed.evidence import saved_on_failure


class Part:
    """A part that tells something as long as it runs."""

    def __init__(self, *, runs: bool = True) -> None:
        self.runs = runs

    def save_evidence(self, directory: Path) -> None:
        if not self.runs:
            raise BedError("it has ended")
        (directory / "told.txt").write_text("what it saw")


def test_a_failure_leaves_what_was_told_and_goes_on(tmp_path: Path) -> None:
    kept = tmp_path / "artifacts/demo"
    with pytest.raises(WaitError, match="helm"), saved_on_failure(Part(), kept):
        raise WaitError("helm", 330)
    assert (kept / "told.txt").read_text() == "what it saw"


def test_a_part_that_has_nothing_to_tell_any_more_does_not_hide_the_failure(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the reason"), saved_on_failure(Part(runs=False), tmp_path):
        raise AssertionError("the reason")
    assert (tmp_path / "not-saved.txt").read_text() == "it has ended"


def test_what_goes_well_and_what_a_person_ends_leave_nothing(tmp_path: Path) -> None:
    with saved_on_failure(Part(), tmp_path):
        pass
    with pytest.raises(KeyboardInterrupt), saved_on_failure(Part(), tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
