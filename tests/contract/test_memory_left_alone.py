"""Memory that may not move beside memory that may, on a real kernel: rules, cpusets, and who is hotter."""

from collections.abc import Iterator

import pytest

from contract import by_hand, hotcold, in_guest, kernel_state
from contract.scoped_in_guest import CGROUPS, EXCLUDED, INCLUDED, PINNED
from contract.test_tiering_without_damon import equip
from story.placement import ARRIVED, seconds_to
from testbed.fixtures import BootGuest
from testbed.guest import Guest
from testbed.node import ALONE

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

MAKE_CGROUPS = f"""
cd /sys/fs/cgroup
echo +cpuset +memory > cgroup.subtree_control
mkdir -p {" ".join(CGROUPS)}
echo 1 > {PINNED}/cpuset.mems
"""
MIB_OF = {EXCLUDED: 256, PINNED: 32, INCLUDED: 128}
WARM = {"rest_ms": 500}
SECONDS = 90


@pytest.fixture(scope="module", params=["newest", "6.12"])
def equipped_guest(guest: BootGuest, request: pytest.FixtureRequest) -> Iterator[Guest]:
    with guest(kernel=request.param, append=ALONE) as one:
        equip(one)
        by_hand.install(one)
        one.run(MAKE_CGROUPS)
        yield one


@pytest.fixture
def booted(equipped_guest: Guest) -> Iterator[Guest]:
    found = kernel_state.settings(equipped_guest)
    yield equipped_guest
    hotcold.end_all(equipped_guest)
    assert kernel_state.settings(equipped_guest) == found


def test_what_is_included_and_warm_arrives_beside_twice_as_much_that_is_excluded_and_hot(booted: Guest) -> None:
    for name, mib in MIB_OF.items():
        options = WARM if name == INCLUDED else {}
        hotcold.start(booted, name, cgroup=name, hot_mib=mib, cold_mib=0, cpu=1, interval_s=2, **options)
    booted.write(by_hand.POLICY, by_hand.like_the_demo())
    told = in_guest.run(booted, "scoped_in_guest", by_hand.POLICY, str(SECONDS), limit_s=4 * SECONDS)
    samples = {name: hotcold.samples(booted, name) for name in CGROUPS}
    for name in (EXCLUDED, PINNED):
        assert {one.hot_fast_bytes for one in samples[name]} == {0}, name
        assert samples[name][-1].hot_bytes == MIB_OF[name] << 20
    assert samples[INCLUDED][0].hot_fast_ratio < 0.1, "little of it was put elsewhere"
    took_s = seconds_to(samples[INCLUDED], ARRIVED, since_s=told["since_s"])
    assert took_s is not None, hotcold.shares(samples[INCLUDED], told["since_s"])


def test_a_cgroup_whose_cpuset_is_the_slow_node_keeps_its_pages_without_any_rule(booted: Guest) -> None:
    hotcold.start(booted, "confined", cgroup=PINNED, hot_mib=64, cold_mib=0, cpu=1)
    hotcold.start(booted, "free", hot_mib=160, cold_mib=0, cpu=1)
    with by_hand.tiering(booted, by_hand.like_the_demo()):
        hotcold.arrives(booted, "free")
        booted.run("sleep 10")
        told = hotcold.now(booted, "confined")
    assert (told.hot_fast_bytes, told.hot_bytes) == (0, 64 << 20)
