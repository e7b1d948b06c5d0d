"""One guest per kernel for all contract tests, with the agent's code and the cases in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.cases import CASES
from contract.features import features_of
from contract.option import chosen, side_by_side
from simkernel import PROFILES, Profile, SimKernel
from testbed.fixtures import NEWEST, BootGuest
from testbed.guest import Guest

ROOT = Path(__file__).parents[2]
SOURCES = ("agent", "api", "tests/unit", "tests/simkernel", "tests/contract")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Boots each chosen kernel, and gives `real_case` those cases that its profile says are for it."""
    if "equipped" not in metafunc.fixturenames:
        return
    versions = chosen(metafunc.config)
    if "real_case" not in metafunc.fixturenames:
        metafunc.parametrize("equipped", versions, indirect=True, scope="session")
        return
    pairs = [
        pytest.param(version, case, id=f"{version}-{case.name}")
        for version in versions
        for case in CASES
        if case.is_for(features_of(SimKernel(profile_of(version))))
    ]
    metafunc.parametrize(("equipped", "real_case"), pairs, indirect=["equipped"], scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests of each kernel side by side: pytest would take turns, and boot a guest for each case."""
    places = [place for place, item in enumerate(items) if _kernel_of(item)]
    found = [items[place] for place in places]
    for place, item in zip(places, (found[one] for one in side_by_side(map(_kernel_of, found))), strict=True):
        items[place] = item


def _kernel_of(item: pytest.Item) -> str:
    """Returns the version that a test boots; nothing of one that boots its own guest or none."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("equipped", "")) if callspec else ""


def profile_of(version: str) -> Profile:
    """Returns the profile of a version or release, of the newest for those that have none yet."""
    named = {profile.name: profile for profile in PROFILES}
    return PROFILES[-1] if version == NEWEST else named.get(".".join(version.split(".")[:2]), PROFILES[-1])


@pytest.fixture(scope="session")
def equipped(request: pytest.FixtureRequest, guest: BootGuest) -> Iterator[Guest]:
    """The booted guest, in which Python finds the same packages below /terrace."""
    with guest(kernel=request.param) as booted:
        for name in SOURCES:
            booted.run(f"mkdir -p /terrace/{name}")
            booted.copy_in(ROOT / name, f"/terrace/{name}")
        yield booted
