"""The simulated kernel and a real one answer the same."""

from collections.abc import Callable, Iterator

import pytest

from contract.cases import CASES
from contract.guest_fs import GuestFs
from simkernel import LINUX_7_2, LINUX_7_3, Profile, SimKernel
from terrace_agent.hostfs import HostFs
from testbed.fixtures import BootGuest

Case = Callable[[HostFs], None]
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)


@pytest.fixture(scope="module")
def real(guest: BootGuest) -> Iterator[HostFs]:
    booted = guest()
    yield GuestFs(booted)
    booted.stop()


@cases
@pytest.mark.parametrize("profile", [LINUX_7_2, LINUX_7_3], ids=lambda profile: profile.name)
def test_the_simulated_kernel(profile: Profile, case: Case) -> None:
    case(SimKernel(profile))


@pytest.mark.kernel
@cases
def test_the_real_kernel(real: HostFs, case: Case) -> None:
    case(real)
