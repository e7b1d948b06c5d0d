"""Compiles a kernel with a configuration that no Debian kernel has, from the source package of a suite.

After it comes `build_kernel`, for which the result lies as in Debian's packages. All of it is built in: no modules.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from testbed import cache, progress
from testbed.apt import Suite
from testbed.errors import BedError, MissingKernelError
from testbed.processes import run

BUILD_LIMIT_S = 3600
# A kernel tells who compiled it.
_ENVIRONMENT = {"KBUILD_BUILD_USER": "testbed", "KBUILD_BUILD_HOST": "localhost"}


def compiled(version: str, suite: str, config: Path) -> Path:
    """The cache entry with `boot/vmlinuz-RELEASE` and an empty `usr/lib/modules/RELEASE`.

    Source that was found once stays: a later upload to the suite does not replace it.

    Args:
        version: of the source, as in "6.12".
        suite: as in "trixie".
        config: a file with what the configuration has beside what `make allnoconfig` leaves.

    Raises:
        MissingKernelError: the suite does not carry the source.
        BedError: the source does not take the configuration.
    """
    package = _source(version, suite)
    entry_key = cache.key(package.name, config, Path(__file__))
    return cache.entry("kernel-compiled", entry_key, lambda target: _build(package, config, target))


def not_taken(wanted: str, made: str) -> list[str]:
    """Returns the settings of a configuration that are not in the one that was made of it. *Pure.*

    Kconfig drops what depends on something else that is not set, without a word.
    """
    taken = set(made.splitlines())
    return [line for line in wanted.splitlines() if line.startswith("CONFIG_") and line not in taken]


def _source(version: str, suite: str) -> Path:
    """The source package, downloaded if it is not there yet; its name holds Debian's version."""
    directory = cache.entry("kernel-source", f"{version}-{suite}", lambda into: _download(version, suite, into))
    (package,) = directory.glob("*.deb")
    return package


def _download(version: str, suite: str, into: Path) -> None:
    with progress.step(f"downloading the source of linux {version} from {suite}", usually="20 s"):
        found = Suite(suite)
        names = found.packages(re.escape(f"linux-source-{version}"))
        if not names:
            raise MissingKernelError(version, suite)
        found.download(names, into)


def _build(package: Path, config: Path, target: Path) -> None:
    tree = target / "source"
    with progress.step(f"compiling linux with {config.name}", usually="7 min on two cores"):
        _unpack(package, tree)
        _make(tree, "allnoconfig", KCONFIG_ALLCONFIG=str(config))
        if lost := not_taken(config.read_text(), (tree / ".config").read_text()):
            raise BedError(f"{config}: not taken by the source of {package.name}: {', '.join(lost)}")
        _make(tree, "bzImage")
        release = _make(tree, "--silent", "kernelrelease").strip()
    (target / "boot").mkdir()
    (tree / "arch/x86/boot/bzImage").rename(target / "boot" / f"vmlinuz-{release}")
    (target / "usr/lib/modules" / release).mkdir(parents=True)
    shutil.rmtree(tree)


def _unpack(package: Path, tree: Path) -> None:
    run(["dpkg-deb", "--extract", package, tree])
    (archive,) = (tree / "usr/src").glob("linux-source-*.tar.xz")
    run(["tar", "--extract", "--strip-components=1", "--file", archive, "--directory", tree])


def _make(tree: Path, *words: str, **environment: str) -> str:
    argv = ["make", f"--jobs={os.cpu_count() or 1}", f"--directory={tree}", *words]
    return run(argv, env=_ENVIRONMENT | environment, limit_s=BUILD_LIMIT_S)
