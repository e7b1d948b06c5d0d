"""The modules of an extracted kernel package: which there are, what they need, and a small tree of a few of them."""

from __future__ import annotations

import lzma
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from testbed.processes import run


class ModuleTree:
    """An extracted kernel's modules, with what each of them needs."""

    def __init__(self, tree: Path, release: str) -> None:
        self.release = release
        self._tree = tree
        self._directory = tree / "usr/lib/modules" / release
        run(["depmod", "--basedir", tree / "usr", release])
        lines = (self._directory / "modules.dep").read_text().splitlines()
        self._needs = {path: needs.split() for path, needs in (line.split(":", 1) for line in lines)}
        self._paths = {module_name(path): path for path in self._needs}

    def load_order(self, names: Iterable[str]) -> list[str]:
        """The paths of modules and of what they need, each after what it needs itself.

        A name without a file is built into this kernel, or not known to it.
        """
        order: list[str] = []
        for name in names:
            if path := self._paths.get(name):
                order += [one for one in (*reversed(self._needs[path]), path) if one not in order]
        return order

    def read(self, path: str) -> bytes:
        """A module, uncompressed."""
        data = (self._directory / path).read_bytes()
        if path.endswith(".xz"):
            return lzma.decompress(data)
        if path.endswith(".zst"):
            return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
        return data

    def index(self, paths: Iterable[str]) -> dict[str, bytes]:
        """These modules as a directory of their own, with depmod's files, by path below it.

        What is built in, depmod is told if the packages say it: since 7.2 it is in one that suites drop early.
        """
        small = self._tree / "small"
        target = small / "lib/modules" / self.release
        target.mkdir(parents=True, exist_ok=True)
        for path in paths:
            file = target / _uncompressed(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.read(path))
        for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            if (self._directory / name).exists():
                shutil.copy(self._directory / name, target / name)
        run(["depmod", "--basedir", small, self.release])
        return {str(file.relative_to(target)): file.read_bytes() for file in target.rglob("*") if file.is_file()}


def module_name(path: str) -> str:
    """The name that the kernel has for a module's file: no directory, no ending, and no dash."""
    return Path(path).name.split(".ko")[0].replace("-", "_")


def _uncompressed(path: str) -> str:
    return path.split(".ko", maxsplit=1)[0] + ".ko"
