"""The simulated kernel and a real one answer the same."""

import json

import pytest

from contract import in_guest
from contract.cases import CASES, Case
from contract.conftest import profile_of
from contract.features import features_of
from simkernel import PROFILES, Profile, SimKernel
from testbed.fixtures import ARTIFACTS
from testbed.guest import Guest

SIMULATED = [
    pytest.param(profile, case, id=f"{profile.name}-{case.name}")
    for profile in PROFILES
    for case in CASES
    if case.is_for(features_of(SimKernel(profile)))
]


@pytest.fixture(scope="module")
def told(equipped: Guest) -> dict[str, dict[str, str]]:
    return in_guest.run(equipped, "cases_in_guest", limit_s=300)


@pytest.mark.parametrize(("profile", "case"), SIMULATED)
def test_the_simulated_kernel(profile: Profile, case: Case) -> None:
    case.check(SimKernel(profile))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_for_some_kernel(case: Case) -> None:
    assert any(case.is_for(features_of(SimKernel(profile))) for profile in PROFILES)


@pytest.mark.kernel
def test_the_real_kernel(told: dict[str, dict[str, str]], real_case: Case) -> None:
    assert told["failures"][real_case.name] == ""


@pytest.mark.kernel
def test_the_real_kernel_has_the_features_of_its_profile(equipped: Guest, told: dict[str, dict[str, str]]) -> None:
    release = equipped.run("uname -r").stdout.strip()
    folder = ARTIFACTS / "kernels"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{release}.json").write_text(json.dumps({"release": release, "features": list(told["features"])}))
    assert sorted(told["features"]) == sorted(features_of(SimKernel(profile_of(release))))
