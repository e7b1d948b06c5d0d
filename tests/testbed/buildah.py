"""Runs buildah on a storage of its own, so that it does not meet what the machine's user keeps.

What it mounts, it mounts in a namespace of its own: a build that is killed leaves nothing mounted on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testbed.processes import in_own_namespaces, run

RUN_LIMIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Buildah:
    """Images and layers of former builds below one directory, which comes to be when it is needed."""

    directory: Path

    def run(self, command: str, *args: str | Path, log: Path | None = None, limit_s: float = RUN_LIMIT_S) -> str:
        """Runs one of buildah's commands and returns what it printed.

        Raises:
            CommandError: it failed.
            WaitError: it took longer than `limit_s`.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        places = (f"--root={self.directory / 'root'}", f"--runroot={self.directory / 'run'}")
        words = ["buildah", *places, f"--storage-driver={_driver()}", command, *map(str, args)]
        return run(in_own_namespaces(words), log=log, limit_s=limit_s)

    def build(
        self, context: Path, dockerfile: Path, *options: str, log: Path | None = None, limit_s: float = RUN_LIMIT_S
    ) -> None:
        """Builds an image; its RUN steps are chroots on the machine's network."""
        how = ("--layers", "--isolation=chroot", *options)
        self.run("build", *how, "--file", dockerfile, context, log=log, limit_s=limit_s)

    def has(self, image: str) -> bool:
        """Whether there is an image of this name."""
        return bool(self.run("images", "--quiet", "--filter", f"reference={image}").strip())

    def layers(self) -> int:
        """How many layers there are."""
        where = self.directory / "root" / _driver()
        return len(list(where.iterdir())) if where.exists() else 0

    def clear(self) -> None:
        """Removes all images and layers, and what interrupted builds left."""
        self.run("rm", "--all")
        self.run("rmi", "--all", "--force")


def _driver() -> str:
    """Overlay is fast, and every file system that is no overlay itself can carry it."""
    return "overlay" if "overlay" in Path("/proc/filesystems").read_text() else "vfs"
