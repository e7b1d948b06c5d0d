"""No number makes a real kernel refuse, end or panic: what it would not take is refused before the first store."""

import pytest

from contract import in_guest
from testbed.guest import Guest

TREES = 300


@pytest.mark.kernel
@pytest.mark.matrix
def test_a_kernel_takes_every_number_that_is_let_pass(equipped: Guest) -> None:
    told = in_guest.run(equipped, "numbers_in_guest", str(TREES), limit_s=580)
    assert not told["surprises"], "\n".join(told["surprises"])
    assert min(told["fates"]["rejected"], told["fates"]["on"]) > TREES // 10, told["fates"]
