"""The simulated kernel and a real one answer the same."""

from collections.abc import Callable

import pytest

from contract import in_guest
from contract.cases import CASES
from simkernel import LINUX_7_2, LINUX_7_3, Profile, SimKernel
from terrace_agent.hostfs import HostFs
from testbed.guest import Guest

Case = Callable[[HostFs], None]
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)


@pytest.fixture(scope="module")
def failures(equipped: Guest) -> dict[str, str]:
    return in_guest.run(equipped, "cases_in_guest", limit_s=300)


@cases
@pytest.mark.parametrize("profile", [LINUX_7_2, LINUX_7_3], ids=lambda profile: profile.name)
def test_the_simulated_kernel(profile: Profile, case: Case) -> None:
    case(SimKernel(profile))


@pytest.mark.kernel
@cases
def test_the_real_kernel(failures: dict[str, str], case: Case) -> None:
    assert failures[case.__name__] == ""
