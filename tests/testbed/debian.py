"""Makes Debian root directories with mmdebstrap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from testbed import apt
from testbed.processes import run

_OF_THIS_MACHINE = ("/etc/apt/sources.list", "/etc/apt/apt.conf.d/99mmdebstrap")
"""Where mmdebstrap leaves the mirror and apt's settings, such as proxies."""
_NOT_NEEDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


def install_root(
    suite: str, packages: Sequence[str], target: Path, *, variant: str = "minbase", log: Path | None = None
) -> None:
    """Installs a suite's packages into a directory (or into a tar file, by the target's name).

    The result tells nothing of the machine that made it: apt in it has no sources.

    Args:
        suite: as in "sid".
        packages: beside those of the variant.
        target: must not exist, or be empty.
        variant: mmdebstrap's word for the packages that every root has.
        log: keeps mmdebstrap's output.
    """
    options = [f"--aptopt={setting}" for setting in (*apt.options(), 'Apt::Install-Recommends "false"')]
    options += [f"--dpkgopt=path-exclude={path}" for path in _NOT_NEEDED]
    options += [f'--customize-hook=rm "$1{path}"' for path in _OF_THIS_MACHINE]
    include = f"--include={','.join(packages)}"
    source = apt.machine_source().line(suite)
    run(["mmdebstrap", "--mode=root", f"--variant={variant}", *options, include, suite, target, source], log=log)
