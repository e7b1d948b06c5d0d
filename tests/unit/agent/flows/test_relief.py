"""Page cache that reclaim drops is room: kernel fact 33."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import LINUX_6_12, LINUX_7_2, LINUX_7_3, Profile, SimKernel
from terrace_agent.engine import Plan
from terrace_agent.flows import limits
from terrace_agent.flows.relief import is_the_safety_net, relieved, words
from terrace_agent.topology.values import Nid, Topology
from terrace_api.policy import PageCache, Settings
from unit.agent.damon.builders import MIB, MemoryJournal, engine_on, guest, settings

DEMOTION_ENABLED = "/sys/kernel/mm/numa/demotion_enabled"


def full(*, fast_mib: float = 0, slow_mib: float = 0) -> Topology:
    """The guest with so much page cache on its nids, whose watermarks are 45, 61 and 77 MiB, and 18, 22 and 26."""
    where = guest()
    fast = replace(where.nid(0), min_bytes=45 * MIB, low_bytes=61 * MIB, droppable_bytes=int(fast_mib * MIB))
    slow = replace(where.nid(1), min_bytes=18 * MIB, low_bytes=22 * MIB, droppable_bytes=int(slow_mib * MIB))
    return replace(where, nids=(fast, slow))


def stops(fast: Nid, chosen: Settings | None = None) -> limits.Stops:
    chosen = chosen or settings()
    return limits.stops(chosen, fast, limits.window(chosen, fast, 100_000), has_safety_net=True)


def include(chosen: Settings) -> Settings:
    return replace(chosen, demotion=replace(chosen.demotion, page_cache=PageCache.INCLUDE))


def test_little_page_cache_is_no_room() -> None:
    where = full(fast_mib=4 * 77 - 1)
    assert relieved(where, settings(), demotes=False) == where


def test_promotion_goes_on_to_where_kswapd_wakes_and_demotion_waits() -> None:
    before, after = stops(full().nid(0)), stops(relieved(full(fast_mib=400), settings(), demotes=False).nid(0))
    assert after.floor_bytes == 53 * MIB
    assert 45 * MIB < limits.share_bytes(1536 * MIB, after.promotion_free_bp) < 61 * MIB
    assert after.demotion_free_bp == after.promotion_free_bp + 1
    assert after.demotion_free_bp < before.promotion_free_bp


def test_where_pages_stray_below_the_low_watermark_promotion_stays_above_it() -> None:
    found = stops(relieved(full(fast_mib=400), settings(), demotes=False, strays=True).nid(0))
    assert 61 * MIB < limits.share_bytes(1536 * MIB, found.promotion_free_bp) < 77 * MIB


def test_what_the_policy_wants_free_may_be_page_cache() -> None:
    wants = settings(used="60%", free="45%")
    fast = relieved(full(fast_mib=400), wants, demotes=False).nid(0)
    lacks = 1536 * MIB * 4 // 10 - 400 * MIB
    assert limits.share_bytes(1536 * MIB, stops(fast, wants).promotion_free_bp) == pytest.approx(lacks, abs=MIB)


def test_the_switch_is_thrown_at_twice_as_much_as_it_is_thrown_back() -> None:
    for mib, demotes, drops in ((300, False, False), (310, False, True), (610, True, False), (620, True, True)):
        assert is_the_safety_net(relieved(full(fast_mib=mib), settings(), demotes=demotes)) is drops, (mib, demotes)


def test_who_has_page_cache_demoted_keeps_free_memory_and_the_switch() -> None:
    where = full(fast_mib=1000)
    assert relieved(where, include(settings()), demotes=True) == where


def test_page_cache_on_the_slow_nid_makes_room_for_demotion() -> None:
    none, plenty = (relieved(full(slow_mib=mib), settings(), demotes=False).nid(1) for mib in (0, 200))
    assert limits.target_used_bp(settings(), plenty, MIB) > limits.target_used_bp(settings(), none, MIB)


def test_it_is_told_of_each_nid() -> None:
    told = list(words(relieved(full(fast_mib=400, slow_mib=200), settings(), demotes=False).nids))
    assert [line.split(" has ")[0] for line in told] == ["nid 0", "nid 1"]


@given(st.floats(0, 1400), st.booleans(), st.booleans(), st.integers(1, 60), st.integers(1, 60))
def test_with_page_cache_less_has_to_be_free_and_never_less_than_the_kernel_needs(
    mib: float, demotes: bool, strays: bool, used: int, free: int
) -> None:
    chosen = settings(used=f"{100 - used}%", free=f"{free}%")
    fast = relieved(full(fast_mib=mib), chosen, demotes=demotes, strays=strays).nid(0)
    plain, found = stops(full().nid(0), chosen), stops(fast, chosen)
    assert found.promotion_free_bp <= plain.promotion_free_bp
    assert found.promotion_free_bp < found.demotion_free_bp <= plain.demotion_free_bp
    assert limits.share_bytes(1536 * MIB, found.promotion_free_bp) >= (61 if strays else 45) * MIB


def enforce(kernel: SimKernel, journal: MemoryJournal, where: Topology) -> Plan:
    engine = engine_on(kernel, journal)
    plan = engine.plan(settings(), where)
    engine.apply(plan)
    return plan


@pytest.mark.parametrize("profile", [LINUX_6_12, LINUX_7_2, LINUX_7_3], ids=lambda profile: profile.name)
def test_the_kernels_demotion_goes_off_while_there_is_page_cache_to_drop_and_on_again(profile: Profile) -> None:
    kernel, journal, switch = SimKernel(profile), MemoryJournal(), []
    for mib in (0, 700, 400, 200):
        plan = enforce(kernel, journal, full(fast_mib=mib))
        switch.append(kernel.read(DEMOTION_ENABLED))
        assert plan.effective
        assert any("it counts as room" in note for note in plan.effective.notes) is (mib > 300)
    assert switch == ["true", "false", "false", "true"]


def test_what_an_administrator_switched_on_stays_on() -> None:
    kernel = SimKernel(LINUX_7_3)
    kernel.store(DEMOTION_ENABLED, "true")
    enforce(kernel, MemoryJournal(), full(fast_mib=1000))
    assert kernel.read(DEMOTION_ENABLED) == "true"
