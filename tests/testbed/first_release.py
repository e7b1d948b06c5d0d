"""The tree of the first release: the commit with which the main job ran from end to end, as an older version to meet.

It comes from this repository's own history, and from the cache once it was there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from testbed import cache
from testbed.errors import BedError

ROOT = Path(__file__).parents[2]
COMMIT = "ed86336a474e04fd8a321a8a3832a31f0d23ba65"
TAG = "first"
"""Of its images."""


def first_release(repository: Path = ROOT) -> Path:
    """The directory with its tree: chart, Dockerfile and sources.

    Raises:
        BedError: this clone does not have the commit.
    """
    return cache.entry("first-release", COMMIT, lambda directory: _export(repository, directory))


def _export(repository: Path, directory: Path) -> None:
    git = ["git", "-C", str(repository)]
    archive = subprocess.run([*git, "archive", "--format=tar", COMMIT], capture_output=True, check=False)
    if archive.returncode:
        raise BedError(
            f"the first release, commit {COMMIT}, is not in this repository's history, and tests upgrade from it. "
            "A shallow clone gets it by `git fetch --unshallow`; a tree without .git cannot run these tests. git says: "
            + archive.stderr.decode(errors="replace").strip()
        )
    subprocess.run(["tar", "--extract", "--file=-", f"--directory={directory}"], input=archive.stdout, check=True)
