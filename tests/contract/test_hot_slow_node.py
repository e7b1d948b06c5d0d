"""A slow node of which half is hot, on a real kernel: tuned intervals do not starve promotion (kernel fact 17)."""

import pytest

from contract import by_hand, hotcold
from contract.test_tiering_without_damon import equip
from story.placement import ARRIVED, seconds_to
from testbed.fixtures import BootGuest
from testbed.node import ALONE

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

HOT_MIB = 250
WITHIN_S = 10
TUNED = "cat /sys/kernel/mm/damon/admin/kdamonds/*/contexts/0/monitoring_attrs/intervals/intervals_goal/aggrs"


def test_half_of_a_slow_node_that_is_hot_is_on_fast_within_10_s(guest: BootGuest) -> None:
    with guest(append=ALONE) as booted:
        equip(booted)
        by_hand.install(booted)
        hotcold.start(booted, "one", hot_mib=HOT_MIB, cold_mib=300, cpu=1)
        before = hotcold.now(booted, "one")
        assert before.hot_fast_ratio < 0.01
        with by_hand.tiering(booted, by_hand.like_the_demo()) as since_s:
            assert all(int(aggregations) > 0 for aggregations in booted.run(TUNED).stdout.split())
            booted.run(f"sleep {2 * WITHIN_S}", limit_s=120)
            told = hotcold.samples(booted, "one")
        took_s = seconds_to(told, ARRIVED, since_s=since_s)
        shares = [(round(one.monotonic_s - since_s, 1), round(one.hot_fast_ratio, 3)) for one in told]
        print(took_s, shares)
        assert took_s is not None and took_s <= WITHIN_S, shares
        assert before.cold_fast_bytes - told[-1].cold_fast_bytes <= 8 << 20, "cold stays where there is room"
