"""Builds of images touch nothing but their storage, however they end."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import waiting
from testbed.buildah import Buildah

pytestmark = pytest.mark.cluster
LIMIT_S = 60.0
BUILD = """
import sys
from pathlib import Path
from testbed.buildah import Buildah
storage, context, log = map(Path, sys.argv[1:])
Buildah(storage).build(context, context / "Dockerfile", log=log)
"""


def context(directory: Path, script: str) -> Path:
    """A directory to build from: an image with a shell, which then runs a script."""
    directory.mkdir()
    shutil.copy(shutil.which("busybox") or "", directory / "busybox")
    dockerfile = f'FROM scratch\nCOPY busybox /bin/sh\nRUN ["/bin/sh", "-c", "{script}"]\n'
    (directory / "Dockerfile").write_text(dockerfile)
    return directory


def mounts_below(directory: Path) -> list[str]:
    return [line for line in Path("/proc/mounts").read_text().splitlines() if str(directory) in line]


def processes_that_run(script: str) -> list[str]:
    found = subprocess.run(["pgrep", "--full", script], capture_output=True, text=True, check=False).stdout
    return found.split()


def test_a_killed_build_leaves_no_mount_and_no_process_and_the_next_one_works(tmp_path: Path) -> None:
    script, log = f": {tmp_path}; echo begun; while :; do :; done", tmp_path / "log"
    endless = context(tmp_path / "endless", script)
    arguments = [sys.executable, "-c", BUILD, *map(str, (tmp_path / "storage", endless, log))]
    with subprocess.Popen(arguments, cwd=Path(__file__).parents[1]) as builder:
        try:
            waiting.until(
                lambda: log.exists() and "\nbegun" in log.read_text(), "the build's last step", limit_s=LIMIT_S
            )
        finally:
            builder.kill()
    waiting.until(lambda: not processes_that_run(script), "the build's processes to end", limit_s=LIMIT_S)
    assert mounts_below(tmp_path) == []
    buildah, short = Buildah(tmp_path / "storage"), context(tmp_path / "short", "echo done")
    buildah.build(short, short / "Dockerfile", "--tag", "localhost/short:1")
    assert buildah.has("localhost/short:1")


def test_a_cleared_storage_holds_nothing(tmp_path: Path) -> None:
    buildah, short = Buildah(tmp_path / "storage"), context(tmp_path / "short", "echo done")
    assert buildah.layers() == 0
    buildah.build(short, short / "Dockerfile", "--tag", "localhost/short:1")
    before = buildah.layers()
    buildah.clear()
    assert not buildah.has("localhost/short:1")
    assert buildah.layers() < before
