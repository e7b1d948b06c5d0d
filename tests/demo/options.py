"""Command-line arguments that the demo and the benchmarks share."""

from __future__ import annotations

import argparse

from testbed import kernels
from testbed.kernels import Kernel


def kernel_argument(version: str) -> Kernel | None:
    """Returns the kernel that a person named; None for the newest."""
    if version == "newest":
        return None
    try:
        return kernels.kernel(version)
    except KeyError:
        known = ", ".join(one.version for one in kernels.KERNELS)
        raise argparse.ArgumentTypeError(f"{version} is not one of newest, {known}") from None


def runs_argument(number: str) -> int:
    """Returns how often to run: at least once."""
    runs = int(number)
    if runs < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a number of runs")
    return runs
