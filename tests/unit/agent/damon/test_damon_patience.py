"""Trying again is for EBUSY, bounded, and unevenly spaced."""

import errno

import pytest

from simkernel import LINUX_7_2, SimKernel
from terrace_agent.damon.patience import Patience
from terrace_agent.errors import HostFileMissing, StoreRefused

NR_KDAMONDS = "/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds"


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def patience(pauses: list[float]) -> Patience:
    return Patience(sleep=pauses.append, jitter=lambda: 0.5)


def test_a_store_that_was_busy_succeeds_later(patience: Patience) -> None:
    kernel = SimKernel(LINUX_7_2)
    kernel.busy_for = 3
    patience.store(kernel, NR_KDAMONDS, "1")
    assert kernel.stored == [(NR_KDAMONDS, "1")]


def test_pauses_double_up_to_half_a_second(patience: Patience, pauses: list[float]) -> None:
    kernel = SimKernel(LINUX_7_2)
    kernel.busy_for = 1_000
    with pytest.raises(StoreRefused):
        patience.store(kernel, NR_KDAMONDS, "1")
    assert pauses[:3] == [0.02, 0.04, 0.08]
    assert max(pauses) == 0.5
    assert 1 < sum(pauses) < 4


def test_any_other_refusal_is_final(patience: Patience, pauses: list[float]) -> None:
    with pytest.raises(StoreRefused) as caught:
        patience.store(SimKernel(LINUX_7_2), NR_KDAMONDS, "-1")
    assert (caught.value.errno, pauses) == (errno.EINVAL, [])


def test_a_file_that_is_missing_is_not_waited_for(patience: Patience, pauses: list[float]) -> None:
    with pytest.raises(HostFileMissing):
        patience.read(SimKernel(LINUX_7_2), f"{NR_KDAMONDS}/nothing")
    assert not pauses
