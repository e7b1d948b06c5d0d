"""One guest for all contract tests, with the agent's code and the cases in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.fixtures import BootGuest
from testbed.guest import Guest

ROOT = Path(__file__).parents[2]
SOURCES = ("agent", "api", "tests/unit", "tests/simkernel", "tests/contract")


@pytest.fixture(scope="session")
def equipped(guest: BootGuest) -> Iterator[Guest]:
    """The booted guest, in which Python finds the same packages below /terrace."""
    with guest() as booted:
        for name in SOURCES:
            booted.run(f"mkdir -p /terrace/{name}")
            booted.copy_in(ROOT / name, f"/terrace/{name}")
        yield booted
