"""The kernels that guests boot, one line each: Debian's, and what none of Debian's has, compiled from its source.

A suite's upload of today may be gone tomorrow.
"""

from __future__ import annotations

from testbed import progress
from testbed.build_kernel import BootFiles, Kernel, boot_files
from testbed.errors import BedError, MissingKernelError

__all__ = ["KERNELS", "BootFiles", "Kernel", "boot_files", "kernel", "newest"]

# trixie-backports still has 6.19, 7.0 and 7.1, but without the packages that hold their modules.
KERNELS = (
    Kernel(version="6.1", suite="bookworm", migrates=False, engine=False, note="no DAMON"),
    Kernel(version="6.12", suite="trixie", cpu="qemu64", note="no node goals, no temporal tuner"),
    Kernel(
        version="6.12-idle",
        suite="trixie",
        config="idle.config",
        cpu="qemu64",
        migrates=False,
        engine=False,
        pods=False,
        note="compiled here: idle page tracking, no DAMON",
    ),
    Kernel(version="6.16", suite="trixie-backports", note="no temporal tuner"),
    Kernel(version="6.17", suite="trixie-backports", note="no temporal tuner"),
    Kernel(version="6.18", suite="trixie-backports", note="no temporal tuner"),
    Kernel(version="7.2", suite="sid"),
    Kernel(version="7.3", suite="trixie-backports"),
)


def kernel(version: str) -> Kernel:
    """The table's line for a version, as in "6.12".

    Raises:
        KeyError: there is no such line.
    """
    return {one.version: one for one in KERNELS}[version]


def newest_first() -> list[Kernel]:
    """Debian's kernels, as Debian has them."""
    return [one for one in reversed(KERNELS) if not one.config]


def newest() -> Kernel:
    """The newest of Debian's kernels that its suite carries."""
    for one in newest_first():
        try:
            boot_files(one)
        except MissingKernelError as error:
            progress.say(f"{error}: taking the one before")
        else:
            return one
    raise BedError("no suite carries any of the kernels")
