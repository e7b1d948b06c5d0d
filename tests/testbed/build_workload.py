"""Compiles the programs that run in guests and pods, and makes images of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testbed import cache
from testbed.archive import write_image
from testbed.processes import run

SOURCES = Path(__file__).parent / "workload"
HOTCOLD_IMAGE = "localhost/hotcold:1"
PAUSE_IMAGE = "localhost/pause:1"
"""The node's containerd is configured with this name."""
_FLAGS = ("-static", "-O2", "-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True, slots=True)
class Workload:
    """The compiled programs, which need nothing but a kernel, and their images."""

    directory: Path

    @property
    def hotcold(self) -> Path:
        """The program that keeps one set of pages hot, see `workload/hotcold.c`."""
        return self.directory / "hotcold"

    @property
    def images(self) -> tuple[Path, ...]:
        """The archives of `PAUSE_IMAGE` and `HOTCOLD_IMAGE`."""
        return (self.directory / "pause.tar", self.directory / "hotcold.tar")


def workload() -> Workload:
    """The programs, compiled if they are not there yet."""
    return Workload(cache.entry("workload", cache.key(SOURCES, Path(__file__), *_FLAGS), _build))


def _build(directory: Path) -> None:
    for name, image in (("pause", PAUSE_IMAGE), ("hotcold", HOTCOLD_IMAGE)):
        program = directory / name
        run(["gcc", *_FLAGS, "-o", program, SOURCES / f"{name}.c"])
        write_image(directory / f"{name}.tar", image, {f"/{name}": program}, entrypoint=(f"/{name}",))
