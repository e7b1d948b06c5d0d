"""Keeps what the running parts tell when something failed, before anything of it is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from testbed import progress
from testbed.errors import BedError

ARTIFACTS = Path(__file__).parents[2] / "artifacts"


class Witness(Protocol):
    """A running part, such as a guest or a cluster."""

    def save_evidence(self, directory: Path) -> None:
        """Keeps what it tells of itself in a directory that exists."""


def save(witness: Witness, directory: Path) -> None:
    """Keeps what a part tells; why it does not, where it cannot: that must not hide the failure itself."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        witness.save_evidence(directory)
    except (BedError, OSError) as error:
        (directory / "not-saved.txt").write_text(str(error))


@contextmanager
def saved_on_failure(witness: Witness, directory: Path) -> Iterator[None]:
    """Keeps what a part tells when the block raises. Ctrl-C is no failure."""
    try:
        yield
    except Exception:
        save(witness, directory)
        progress.say(f"what the running parts told is in {directory}")
        raise
