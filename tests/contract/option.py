"""The option `--kernels`: which of the testbed's kernels the tests on real kernels boot."""

from collections.abc import Iterable

import pytest

from testbed.fixtures import NEWEST
from testbed.kernels import KERNELS


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.addoption(
        "--kernels", default=NEWEST, help="kernels to test on: newest, all, or versions such as 6.12,7.2 (kernels.py)"
    )


def chosen(config: pytest.Config) -> tuple[str, ...]:
    """Returns the versions to test on; those without DAMON's migration are left out of `all`."""
    text = str(config.getoption("--kernels"))
    if text == "all":
        return tuple(kernel.version for kernel in KERNELS if kernel.migrates)
    return tuple(text.split(","))


def side_by_side(versions: Iterable[str]) -> list[int]:
    """Returns the places of what has the same version one after the other, versions in order of appearance. Pure."""
    found = list(versions)
    order = list(dict.fromkeys(found))
    return sorted(range(len(found)), key=lambda place: order.index(found[place]))
