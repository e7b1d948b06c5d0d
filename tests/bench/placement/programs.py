"""The programs that the guest gets: the workload, compiled, and damo from its package."""

from __future__ import annotations

import sys
from pathlib import Path

from testbed import cache, progress
from testbed.processes import run

DAMO_VERSION = "3.4.3"
_SOURCE = Path(__file__).parent / "heat.c"
_FLAGS = ("-static", "-O2", "-Wall", "-Wextra", "-Werror")


def heat() -> Path:
    """Returns the compiled workload."""
    built = cache.entry("bench-heat", cache.key(_SOURCE, *_FLAGS), _compile)
    return built / "heat"


def damo() -> Path:
    """Returns a directory for Python's path that holds damo, which needs nothing else."""
    return cache.entry("damo", cache.key(DAMO_VERSION), _download)


def _compile(into: Path) -> None:
    run(["gcc", *_FLAGS, "-o", into / "heat", _SOURCE])


def _download(into: Path) -> None:
    with progress.step(f"downloading damo {DAMO_VERSION}", usually="5 s"):
        words = ("install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
        run([sys.executable, "-m", "pip", *words, "--target", into, f"damo=={DAMO_VERSION}"])
