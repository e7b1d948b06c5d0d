"""Intervals that the kernel tunes, on a real one: they starve no scheme (kernel fact 17) and come back (fact 20)."""

import pytest

from contract import by_hand, hotcold
from contract.kernel_state import KDAMONDS
from contract.test_tiering_without_damon import equip
from story.placement import ARRIVED, seconds_to
from testbed.fixtures import BootGuest
from testbed.guest import Guest
from testbed.node import ALONE
from testbed.topology import LARGE_SLOW_TIER

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

HOT_MIB, ALL_WITHIN_S = 250, 10
NEW_MIB, MOST_OF_IT, MOST_WITHIN_S = 512, 0.9, 30
IDLE_S = 600
INTERVALS = f"{KDAMONDS}/*/contexts/0/monitoring_attrs/intervals"


def test_half_of_a_slow_node_that_is_hot_is_on_fast_within_10_s(guest: BootGuest) -> None:
    with guest(append=ALONE) as booted:
        equip(booted)
        by_hand.install(booted)
        hotcold.start(booted, "hot", hot_mib=HOT_MIB, cold_mib=300, cpu=1)
        before = hotcold.now(booted, "hot")
        assert before.hot_fast_ratio < 0.01
        with by_hand.tiering(booted, by_hand.like_the_demo()) as since_s:
            assert all(int(steps) > 0 for steps in booted.run(f"cat {INTERVALS}/intervals_goal/aggrs").stdout.split())
            booted.run(f"sleep {2 * ALL_WITHIN_S}")
            told = hotcold.samples(booted, "hot")
    took_s = seconds_to(told, ARRIVED, since_s=since_s)
    assert took_s is not None, hotcold.shares(told, since_s)
    assert took_s <= ALL_WITHIN_S, hotcold.shares(told, since_s)
    assert before.cold_fast_bytes - told[-1].cold_fast_bytes <= 8 << 20, "cold stays where there is room"


def test_after_ten_minutes_without_accesses_a_new_hot_set_is_on_fast_within_30_s(guest: BootGuest) -> None:
    with guest(topology=LARGE_SLOW_TIER, append=ALONE) as booted:
        equip(booted)
        by_hand.install(booted)
        with by_hand.tiering(booted, by_hand.like_the_demo()):
            started = sampling_us(booted)
            booted.run(f"sleep {IDLE_S}", limit_s=2 * IDLE_S)
            idle = sampling_us(booted)
            assert max(idle) > 2 * max(started), f"tuned from {started} us to {idle} us: it was not idle"
            hotcold.start(booted, "new", hot_mib=NEW_MIB, cold_mib=0, cpu=1)
            since_s = hotcold.samples(booted, "new")[0].monotonic_s
            booted.run(f"sleep {MOST_WITHIN_S + 5}", limit_s=IDLE_S)
            told = hotcold.samples(booted, "new")
    took_s = seconds_to(told, MOST_OF_IT, since_s=since_s)
    words = f"tuned to {idle} us; {hotcold.shares(told, since_s)}"
    assert took_s is not None, words
    assert took_s <= MOST_WITHIN_S, words


def sampling_us(guest: Guest) -> list[int]:
    refresh = "for state in */state; do echo update_tuned_intervals > $state || true; done"
    return [int(us) for us in guest.run(f"cd {KDAMONDS}; {refresh}; cat {INTERVALS}/sample_us").stdout.split()]
