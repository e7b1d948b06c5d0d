"""More than two nids on a real kernel: pages go up to the nearest faster nid, and down to the nearest slower one."""

import pytest

from contract import by_hand, hotcold
from contract.kernel_state import free_mib
from contract.test_tiering_without_damon import equip
from story.placement import ARRIVED
from testbed import waiting
from testbed.fixtures import BootGuest
from testbed.guest import Guest
from testbed.node import ALONE
from testbed.topology import HBM_DRAM_CXL, TWO_SOCKETS

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

MIB = 1 << 20
LEFT_FREE_MIB = 100
"""Of the fast nid: above its watermarks, so that nothing spills, and less than the hot set."""
ELSEWHERE_BYTES = 8 * MIB


def wait_for_the_hot_set(guest: Guest, name: str, nid: int) -> None:
    waiting.until(
        lambda: hotcold.now(guest, name, nid=nid).hot_fast_ratio >= ARRIVED,
        f"the hot set of {name} on nid {nid}",
        limit_s=180,
        every_s=2,
        detail=lambda: places(guest, name) + guest.read(by_hand.LOG),
    )


def places(guest: Guest, name: str) -> str:
    return guest.run(f"tail -3 /run/hotcold-{name}.log").stdout


def test_hot_pages_climb_from_cxl_to_hbm_and_cold_ones_make_room_in_dram(guest: BootGuest) -> None:
    with guest(topology=HBM_DRAM_CXL, append=ALONE) as booted:
        equip(booted)
        by_hand.install(booted)
        cold_mib = free_mib(booted, 0) - LEFT_FREE_MIB
        hotcold.start(booted, "climber", hot_mib=160, hot_nid=2, cold_mib=cold_mib, cold_nid=0, cpu=1)
        assert hotcold.now(booted, "climber", nid=2).hot_fast_ratio >= ARRIVED
        with by_hand.tiering(booted, by_hand.like_the_demo()):
            wait_for_the_hot_set(booted, "climber", nid=0)
            told = places(booted, "climber")
            dram, cxl = (hotcold.now(booted, "climber", nid=nid).cold_fast_bytes for nid in (1, 2))
            assert dram >= (160 - LEFT_FREE_MIB) * MIB, told
            assert cxl <= ELSEWHERE_BYTES, told


def test_pages_of_each_socket_go_to_and_from_its_own_cxl(guest: BootGuest) -> None:
    own_cxl = {0: 2, 1: 3}
    with guest(topology=TWO_SOCKETS, append=ALONE) as booted:
        equip(booted)
        by_hand.install(booted)
        for socket, cxl in own_cxl.items():
            cold_mib = free_mib(booted, socket) - LEFT_FREE_MIB
            hotcold.start(booted, f"{socket}", hot_mib=128, hot_nid=cxl, cold_mib=cold_mib, cold_nid=socket, cpu=socket)
        with by_hand.tiering(booted, by_hand.like_the_demo()):
            for socket, cxl in own_cxl.items():
                wait_for_the_hot_set(booted, f"{socket}", nid=socket)
                told = places(booted, f"{socket}")
                here, down = (hotcold.now(booted, f"{socket}", nid=nid) for nid in (socket, cxl))
                assert down.cold_fast_bytes >= (128 - LEFT_FREE_MIB) * MIB, told
                assert here.cold_bytes - here.cold_fast_bytes - down.cold_fast_bytes <= ELSEWHERE_BYTES, told
