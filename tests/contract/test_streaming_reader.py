"""A file that is read over and over, on real kernels: it keeps nothing hot down, and off the slow node (fact 33)."""

from collections.abc import Iterator

import pytest

from contract import by_hand, hotcold
from contract.kernel_state import file_mib, vmstat
from contract.test_tiering_without_damon import equip
from story.placement import ARRIVED
from testbed.fixtures import BootGuest
from testbed.guest import Guest
from testbed.node import ALONE

pytestmark = [pytest.mark.kernel, pytest.mark.matrix]

FILE_MIB = 2048
HOT_MIB, COLD_MIB = 160, 500
FILLS_S, SETTLES_S, REST_S = 10, 20, 20
PAGES_OF_A_MIB = 256
LOOPS = "6.12"
"""There the agent holds memoryPressureMax, by the pressure of the last minute; in emulation the reader itself waits for
memory in about a fifth of the time, which is where that guardrail is."""
STRAYS = "7.2"
"""There promotion has to stay above the low watermark; what cold memory does meanwhile is not asserted."""
# set_mempolicy(2) with MPOL_BIND to the fast node: elsewhere the kernel would put page cache on the slow one by itself.
READER = """
import ctypes, os
nids = ctypes.c_ulong(1)
assert ctypes.CDLL(None).syscall(238, 2, ctypes.byref(nids), 64) == 0
os.sched_setaffinity(0, {0})
os.execvp("bash", ["bash", "-c", "while :; do dd if=/var/tmp/stream of=/dev/null bs=1M 2>/dev/null; done"])
"""


@pytest.fixture(scope="module", params=["newest", "7.2", "6.12"])
def equipped_guest(guest: BootGuest, request: pytest.FixtureRequest) -> Iterator[Guest]:
    with guest(kernel=request.param, append=ALONE) as one:
        equip(one)
        by_hand.install(one)
        one.run(f"truncate -s {FILE_MIB}M /var/tmp/stream")
        one.write("/run/reader.py", READER)
        yield one


@pytest.fixture
def booted(equipped_guest: Guest) -> Iterator[Guest]:
    yield equipped_guest
    equipped_guest.run(
        "pkill -f [r]eader.py; pkill -f dev/nul[l]; sleep 1; echo 3 > /proc/sys/vm/drop_caches", check=False
    )
    hotcold.end_all(equipped_guest)


def test_a_hot_set_comes_up_into_a_node_full_of_page_cache_and_none_of_it_goes_down(booted: Guest) -> None:
    hotcold.start(booted, "hot", hot_mib=HOT_MIB, cold_mib=COLD_MIB, cpu=1)
    stream(booted)
    assert file_mib(booted, 0) > 500
    before = vmstat(booted)
    with by_hand.tiering(booted, policy(booted)):
        hotcold.arrives(booted, "hot")
        booted.run(f"sleep {SETTLES_S}")
        settled = vmstat(booted)
        booted.run(f"sleep {REST_S}")
        end, told = vmstat(booted), hotcold.now(booted, "hot")
    assert end["pgsteal_kswapd"] > settled["pgsteal_kswapd"], "nothing was read"
    assert demoted(before, end) <= 8 * PAGES_OF_A_MIB
    assert file_mib(booted, 1) <= 32
    if booted.machine.boot.release.startswith(STRAYS):
        return
    assert told.cold_fast_bytes == COLD_MIB << 20, "cold memory made room that page cache would have taken"
    assert end["pgmigrate_success"] - settled["pgmigrate_success"] <= 16 * PAGES_OF_A_MIB


def test_a_stream_that_begins_later_pushes_nothing_down_for_long(booted: Guest) -> None:
    hotcold.start(booted, "hot", hot_mib=HOT_MIB, cold_mib=COLD_MIB, cpu=1)
    with by_hand.tiering(booted, policy(booted)):
        hotcold.arrives(booted, "hot")
        stream(booted)
        booted.run(f"sleep {SETTLES_S}")
        settled = vmstat(booted)
        booted.run(f"sleep {REST_S}")
        end, told = vmstat(booted), hotcold.now(booted, "hot")
    assert demoted(settled, end) <= 4 * PAGES_OF_A_MIB
    assert told.hot_fast_ratio >= ARRIVED
    assert end["pgsteal_kswapd"] > settled["pgsteal_kswapd"], "nothing was read"


def policy(guest: Guest) -> str:
    loops = guest.machine.boot.release.startswith(LOOPS)
    return by_hand.like_the_demo(guardrails={"memoryPressureMax": {"enabled": not loops}})


def stream(guest: Guest) -> None:
    guest.run("(setsid python3 /run/reader.py > /run/reader.log 2>&1 < /dev/null &)")
    guest.run(f"sleep {FILLS_S}")


def demoted(before: dict[str, int], after: dict[str, int]) -> int:
    """Returns how many pages reclaim has demoted."""
    names = [name for name in after if name.startswith("pgdemote_")]
    assert names
    return sum(after[name] - before[name] for name in names)
