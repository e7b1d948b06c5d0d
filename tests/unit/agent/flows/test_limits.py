"""How much may move, and where each direction stops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrace_agent.flows import fullness, limits
from terrace_agent.flows.pairs import pairs_of
from terrace_agent.topology.values import Nid
from terrace_api.policy import Settings
from unit.agent.damon.builders import GIB, MIB, guest, nid, settings

APPLY_US = 100_000
SHARES = st.integers(1, 10_000).map(lambda bp: f"{bp / 100:.2f}%")


def window(chosen: Settings, fast: Nid, apply_interval_us: int = APPLY_US) -> limits.Window:
    return limits.window(chosen, fast, apply_interval_us)


def stops(chosen: Settings, total: int, floor: int, *, has_safety_net: bool = True) -> limits.Stops:
    fast = nid(0, total, floor_bytes=floor)
    return limits.stops(chosen, fast, window(chosen, fast), has_safety_net=has_safety_net)


def test_the_default_quota_of_a_small_nid_is_200_mib_a_second_both_ways() -> None:
    found = window(settings(), nid(0, 64 * GIB))
    assert (found.ms, found.bytes, found.asked_bytes) == (200, 20 * MIB, 20 * MIB)


def test_the_default_quota_of_a_large_nid_is_a_thousandth_of_it() -> None:
    assert window(settings(), nid(0, 1000 * GIB)).bytes * 5 == pytest.approx(GIB // 2, rel=1e-4)


def test_the_default_quota_ends_at_2_gib() -> None:
    assert window(settings(), nid(0, 8000 * GIB)).bytes * 5 == pytest.approx(GIB, rel=1e-4)


def test_the_policys_quota_is_committed_as_shorter_windows_of_the_same_rate() -> None:
    found = window(settings(quota="1Gi"), nid(0, 256 * GIB))
    assert found.bytes * 1000 // found.ms == pytest.approx(GIB // 2, rel=1e-4)
    assert not found.cut


def test_a_window_never_takes_more_than_a_small_share_of_the_nid() -> None:
    found = window(settings(quota="2Gi"), nid(0, 1536 * MIB))
    assert found.bytes <= 1536 * MIB * 15 // 1000
    assert found.cut


def test_a_window_is_not_shorter_than_the_time_between_two_applications() -> None:
    found = window(settings(), nid(0, 64 * GIB), 1_000_000)
    assert (found.ms, found.bytes) == (1_000, 100 * MIB)


def test_the_time_quota_keeps_its_share_of_a_cpu() -> None:
    assert window(settings(time="50ms"), nid(0, 64 * GIB)).time_ms == 10


def test_no_time_quota_stays_none() -> None:
    assert window(settings(time="0s"), nid(0, 64 * GIB)).time_ms == 0


def test_the_guest_of_the_kernel_reference_gets_about_its_proven_stops() -> None:
    found = stops(settings(), 1536 * MIB, 77 * MIB)
    assert 9_340 <= found.promotion_used_bp <= 9_380
    assert 750 <= found.demotion_free_bp <= 800


def test_a_wish_above_the_floor_is_taken_as_it_is() -> None:
    assert stops(settings(used="90%"), 64 * GIB, 100 * MIB).promotion_used_bp == 9_000


def test_a_wider_wish_for_free_memory_is_taken_as_it_is() -> None:
    assert stops(settings(used="95%", free="10%"), 64 * GIB, 100 * MIB).demotion_free_bp == 1_000


def test_nids_of_one_memory_tier_get_twice_the_floor() -> None:
    one, two = (stops(settings(), 64 * GIB, GIB, has_safety_net=has).floor_bytes for has in (True, False))
    assert two - one == GIB


@given(SHARES, SHARES, st.integers(64, 1 << 21), st.integers(0, 100))
def test_whatever_the_wish_the_floor_stays_free(used: str, free: str, total_mib: int, floor_percent: int) -> None:
    total = total_mib * MIB
    floor = total * floor_percent // 100
    chosen = settings(used=used, free=free)
    found = stops(chosen, total, floor)
    one_window = window(chosen, nid(0, total)).bytes
    left_free = total * found.promotion_free_bp // 10_000
    assert left_free >= min(floor + one_window, total - 2 * total // 10_000 - 1)


@given(SHARES, SHARES, st.integers(64, 1 << 21), st.integers(0, 100))
def test_demotion_makes_more_room_than_promotion_fills(
    used: str, free: str, total_mib: int, floor_percent: int
) -> None:
    total = total_mib * MIB
    found = stops(settings(used=used, free=free), total, total * floor_percent // 100)
    assert found.promotion_free_bp < found.demotion_free_bp


@given(SHARES, SHARES, st.integers(64, 1 << 21), st.integers(0, 100))
def test_every_goal_is_a_share_that_the_kernel_takes(used: str, free: str, total_mib: int, floor_percent: int) -> None:
    total = total_mib * MIB
    found = stops(settings(used=used, free=free), total, total * floor_percent // 100)
    slow = fullness.target_used_bp(settings(), nid(1, total, floor_bytes=total * floor_percent // 100), total)
    assert all(1 <= bp <= 10_000 for bp in (found.promotion_used_bp, found.demotion_free_bp, slow))


def test_sources_of_one_target_are_counted_per_direction() -> None:
    pairs = pairs_of(guest())
    fast = guest().nid(0)
    assert limits.sources_into(pairs, fast, promotes=True) == 1
    assert limits.sources_into(pairs, fast, promotes=False) == 0
