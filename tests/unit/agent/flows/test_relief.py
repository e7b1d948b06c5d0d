"""Page cache that reclaim drops is room: kernel fact 33."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import LINUX_6_12, LINUX_7_2, LINUX_7_3, Profile, SimKernel
from terrace_agent.engine import Engine, Plan
from terrace_agent.flows import limits
from terrace_agent.flows.guards import full_nids
from terrace_agent.flows.relief import nids_of, relieved, within_s, words
from terrace_agent.steps import Command
from terrace_agent.topology.values import Nid, Topology
from terrace_api.policy import PageCache, Settings
from unit.agent.damon.builders import MIB, MemoryJournal, engine_on, nid, rails, settings, topology

DEMOTION_ENABLED = "/sys/kernel/mm/numa/demotion_enabled"
NONE: frozenset[int] = frozenset()
FAST = frozenset({0})


def fast(number: int = 0, *, cache_mib: float = 0, free_mib: int = 80) -> Nid:
    """A nid of 1536 MiB whose watermarks are 61 (low) and 77 MiB (high)."""
    found = nid(number, 1536 * MIB, floor_bytes=77 * MIB, distances={0: 10, 1: 20, 2: 20}, memory_tier=4, cpus=(0,))
    return replace(found, low_bytes=61 * MIB, droppable_bytes=int(cache_mib * MIB), free_bytes=free_mib * MIB)


def slow(number: int = 1, *, cache_mib: int = 0) -> Nid:
    found = nid(number, 512 * MIB, start=1 << 36, floor_bytes=26 * MIB, distances={0: 20, 1: 10}, memory_tier=120)
    return replace(found, low_bytes=22 * MIB, droppable_bytes=cache_mib * MIB)


def full(cache_mib: float) -> Topology:
    return topology((fast(cache_mib=cache_mib),), (slow(),))


def stops(one: Nid, chosen: Settings | None = None, *, least_free_bp: int = 0) -> limits.Stops:
    chosen = chosen or settings()
    window = limits.window(chosen, one, 100_000)
    return limits.stops(chosen, one, window, has_safety_net=True, least_free_bp=least_free_bp)


def is_relieved(where: Topology, before: frozenset[int] = NONE, chosen: Settings | None = None) -> bool:
    return bool(nids_of(relieved(where, chosen or settings(), before, may_switch=True)))


def test_promotion_goes_on_to_the_low_watermark_and_demotion_waits() -> None:
    before, after = stops(fast()), stops(relieved(full(700), settings(), NONE, may_switch=True).nid(0))
    assert after.floor_bytes == 61 * MIB
    assert limits.share_bytes(1536 * MIB, after.promotion_free_bp) == pytest.approx(61 * MIB, abs=MIB)
    assert after.demotion_free_bp <= after.promotion_free_bp // 2 < before.promotion_free_bp
    assert (before.overdraw_bytes, after.overdraw_bytes) == (0, 8 * MIB)


def test_page_cache_of_a_middle_tier_is_no_room_where_the_faster_tier_demotes_to_it() -> None:
    row = topology((fast(0, free_mib=1000),), (fast(1, cache_mib=700),), (slow(2),))
    assert not is_relieved(row)
    one_way = replace(settings(), demotion=replace(settings().demotion, enabled=False))
    assert is_relieved(row, chosen=one_way)
    all_cache = topology((fast(0, cache_mib=700),), (fast(1, cache_mib=700),), (slow(2),))
    assert nids_of(relieved(all_cache, settings(), NONE, may_switch=True)) == {0, 1}


def test_where_pages_stray_below_the_low_watermark_promotion_stops_above_it() -> None:
    found = stops(relieved(full(700), settings(), NONE, may_switch=True, strays=True).nid(0))
    assert limits.share_bytes(1536 * MIB, found.promotion_free_bp) == pytest.approx(69 * MIB, abs=MIB)
    assert not found.overdraw_bytes


@pytest.mark.parametrize(
    ("mib", "before", "is_room"), [(610, NONE, False), (620, NONE, True), (310, FAST, True), (300, FAST, False)]
)
def test_it_takes_twice_as_much_to_begin_as_to_go_on(mib: int, before: frozenset[int], is_room: bool) -> None:
    assert is_relieved(full(mib), before) is is_room


def test_where_a_middle_tier_keeps_more_free_than_the_low_watermark_nothing_is_brought_beyond() -> None:
    found = stops(relieved(full(1000), settings(), NONE, may_switch=True).nid(0), least_free_bp=450)
    assert found.relieved
    assert (found.promotion_free_bp, found.overdraw_bytes) == (450, 0)


@pytest.mark.parametrize(("gib", "low_mib", "high_mib"), [(4, 25, 30), (128, 221, 352), (1024, 1112, 2161)])
def test_promotion_wakes_kswapd_however_large_the_nid_is_for_else_nobody_makes_room(
    gib: int, low_mib: int, high_mib: int
) -> None:
    large = nid(0, gib << 30, floor_bytes=high_mib * MIB, distances={0: 10, 1: 20}, memory_tier=4, cpus=(0,))
    large = replace(large, low_bytes=low_mib * MIB, droppable_bytes=gib << 29, free_bytes=low_mib * MIB)
    found = stops(relieved(topology((large,), (slow(),)), settings(), NONE, may_switch=True).nid(0))
    assert found.relieved
    stop = limits.share_bytes(gib << 30, found.promotion_free_bp)
    assert low_mib * MIB - (gib << 30) // limits.BP - 1 <= stop <= low_mib * MIB
    assert 0 < found.overdraw_bytes <= (high_mib - low_mib) * MIB // 2


def test_what_is_brought_beyond_the_stop_does_not_reach_where_demotion_begins() -> None:
    one = relieved(full(1000), settings(), NONE, may_switch=True).nid(0)
    found = stops(replace(one, low_bytes=20 * MIB, relieved_floor_bytes=20 * MIB))
    assert found.overdraw_bytes == 5 * MIB
    assert limits.share_bytes(1536 * MIB, found.demotion_free_bp) < 15 * MIB


def test_what_the_policy_wants_free_has_to_be_there_as_page_cache() -> None:
    wants = settings(used="60%", free="45%")
    assert [is_relieved(full(mib), NONE, wants) for mib in (1300, 1400)] == [False, True]


def test_who_has_page_cache_demoted_keeps_free_memory() -> None:
    chosen = settings()
    chosen = replace(chosen, demotion=replace(chosen.demotion, page_cache=PageCache.INCLUDE))
    assert not is_relieved(full(1000), NONE, chosen)


def test_with_swap_cold_memory_would_go_there() -> None:
    assert not is_relieved(replace(full(1000), swaps=True))


def test_without_say_over_the_kernels_demotion_page_cache_is_no_room() -> None:
    assert relieved(full(1000), settings(), FAST, may_switch=False) == full(1000)


@pytest.mark.parametrize(("free_mib", "is_room"), [(1400, True), (80, False)])
def test_another_nid_has_to_have_as_much_to_spare_free_or_page_cache(free_mib: int, is_room: bool) -> None:
    where = topology((fast(cache_mib=1000), fast(2, free_mib=free_mib)), (slow(),))
    found = relieved(where, settings(), NONE, may_switch=True)
    assert nids_of(found) == (FAST if is_room else NONE)


def test_a_nid_of_the_slowest_tier_is_not_relieved() -> None:
    where = topology((fast(cache_mib=1000),), (slow(cache_mib=500),))
    assert nids_of(relieved(where, settings(), NONE, may_switch=True)) == FAST


def test_a_guardrail_that_kswapd_does_not_keep_is_kept_by_demotion() -> None:
    chosen = replace(settings(), guardrails=rails(fast_free_min="10%"))
    assert not is_relieved(full(1000), NONE, chosen)
    found = stops(replace(fast(), relieved_floor_bytes=61 * MIB), chosen)
    assert found == stops(fast(), chosen)
    assert found.promotion_free_bp >= 1_000


def test_the_room_that_a_faster_tier_waits_for_is_made_by_demotion() -> None:
    one = relieved(full(1000), settings(), NONE, may_switch=True).nid(0)
    assert stops(one, least_free_bp=900) == stops(fast(), least_free_bp=900)


def test_it_is_told_and_the_free_memory_of_a_relieved_nid_is_no_guardrail_that_is_hit() -> None:
    kernel, journal = SimKernel(LINUX_7_3), MemoryJournal()
    plan = enforce(engine_on(kernel, journal), full(1000))
    assert plan.effective
    assert sum("it counts as room" in note for note in plan.effective.notes) == 1
    assert not any("the floor is doubled" in note for note in plan.effective.notes)
    assert "FastFreeMin" not in [one.reason for one in plan.tripped]
    assert list(words(full(1000).nids)) == []
    assert list(full_nids(settings().guardrails, ())) == []


def test_it_is_watched_closely_while_it_may_soon_be_gone() -> None:
    where = [relieved(full(mib), settings(), FAST, may_switch=True) for mib in (700, 1300)]
    assert [within_s(one, 10.0) for one in where] == [2.0, 10.0]
    assert within_s(full(700), 10.0) == 10.0


@given(st.floats(0, 1400), st.booleans(), st.integers(1, 60), st.integers(1, 60), st.integers(1, 30))
def test_with_page_cache_less_has_to_be_free_and_never_less_than_the_low_watermark(
    mib: float, strays: bool, used: int, free: int, guard: int
) -> None:
    chosen = replace(settings(used=f"{100 - used}%", free=f"{free}%"), guardrails=rails(fast_free_min=f"{guard}%"))
    one = relieved(full(mib), chosen, NONE, may_switch=True, strays=strays).nid(0)
    plain, found = stops(fast(), chosen), stops(one, chosen)
    assert found.promotion_free_bp <= plain.promotion_free_bp
    assert found.relieved or found.promotion_free_bp < found.demotion_free_bp
    assert found.demotion_free_bp <= plain.demotion_free_bp
    assert limits.share_bytes(1536 * MIB, found.promotion_free_bp) > 61 * MIB - 1536 * MIB // limits.BP
    assert found.relieved or found.promotion_free_bp >= guard * 100


def enforce(engine: Engine, where: Topology) -> Plan:
    plan = engine.plan(settings(), where)
    engine.apply(plan)
    engine.verify()
    return plan


@pytest.mark.parametrize("profile", [LINUX_6_12, LINUX_7_2, LINUX_7_3], ids=lambda profile: profile.name)
def test_the_kernels_demotion_goes_off_while_there_is_page_cache_to_drop_and_on_again(profile: Profile) -> None:
    kernel, journal, switch = SimKernel(profile), MemoryJournal(), []
    engine = engine_on(kernel, journal)
    for mib in (0, 700, 400, 200):
        enforce(engine, full(mib))
        switch.append(kernel.read(DEMOTION_ENABLED))
    assert switch == ["true", "false", "false", "true"]
    engine.apply(engine.plan_stop())
    assert kernel.read(DEMOTION_ENABLED) == "false"


def test_what_an_administrator_switched_on_stays_on_and_free_memory_is_waited_for() -> None:
    kernel = SimKernel(LINUX_7_3)
    kernel.store(DEMOTION_ENABLED, "true")
    plan = enforce(engine_on(kernel, MemoryJournal()), full(1000))
    assert kernel.read(DEMOTION_ENABLED) == "true"
    assert plan.effective
    assert plan.effective.fast_floor_bytes > 77 * MIB


@pytest.mark.parametrize("profile", [LINUX_7_2, LINUX_7_3], ids=lambda profile: profile.name)
@pytest.mark.parametrize("around_mib", [308, 616, 1000])
def test_page_cache_that_comes_and_goes_is_no_reason_to_commit(profile: Profile, around_mib: int) -> None:
    kernel, noise = SimKernel(profile), random.Random(around_mib)
    engine = engine_on(kernel, MemoryJournal())
    enforce(engine, full(1000))
    plans = [enforce(engine, full(around_mib + noise.uniform(-15, 15))) for _ in range(40)]
    commits = sum(any(isinstance(step, Command) for step in plan.steps) for plan in plans)
    assert commits <= 2
