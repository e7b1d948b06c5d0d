"""What a direction is allowed, turn by turn."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrace_agent.damon.control import Direction, Grant, granted, turn_s
from terrace_agent.damon.schemes import Allowance, Flow
from terrace_agent.flows.limits import Stops, Window
from terrace_agent.flows.pairs import Pair
from unit.agent.damon.builders import MIB, nid

TOTAL = 1000 * MIB
STOP, TARGET = 100 * MIB, 120 * MIB
TURN = 20 * MIB
PROMOTION, DEMOTION = (1, True), (0, False)


def flow(*, promotes: bool, free: int, slow_free: int = 900 * MIB, source: int | None = None, time_ms: int = 0) -> Flow:
    """Returns a direction between a fast nid 0, which stops at 10% and demotes to 12% free, and a slow nid 1."""
    fast = replace(nid(0, TOTAL), free_bytes=free)
    slow = replace(nid(source or 1, TOTAL), free_bytes=slow_free)
    pair = Pair(source=slow, target=fast, promotes=True) if promotes else Pair(source=fast, target=slow, promotes=False)
    return Flow(
        pair=pair,
        window=Window(ms=1_000, bytes=TURN, time_ms=time_ms, cut=False),
        quota_bytes=TURN,
        stops=Stops(floor_bytes=80 * MIB, promotion_free_bp=1_000, demotion_free_bp=1_200),
        slow_used_bp=9_000,
        min_age=100,
        apply_interval_us=100_000,
        apply_interval_cut=False,
        same_memory_tier=False,
    )


def allowed(free: int, grants: Mapping[Direction, Grant] | None = None, **more: int) -> dict[Direction, Allowance]:
    flows = (flow(promotes=False, free=free, **more), flow(promotes=True, free=free, **more))
    found = granted(flows, grants or {})
    return {(one.pair.source.nid, one.pair.promotes): one.allowance for one in found if one.allowance}


def used(amount: int, *, tried: int | None = None, applied: int | None = None) -> Grant:
    tried = amount if tried is None else tried
    return Grant(bytes=amount, tried_bytes=tried, applied_bytes=tried if applied is None else applied)


def test_promotion_gets_the_headroom_above_its_stop() -> None:
    assert allowed(STOP + 5 * MIB)[PROMOTION] == Allowance(bytes=5 * MIB, renewed=True)


def test_promotion_gets_no_more_than_one_turns_worth() -> None:
    assert allowed(STOP + 500 * MIB)[PROMOTION].bytes == TURN


@pytest.mark.parametrize("free", [STOP, STOP - MIB, 0])
def test_promotion_gets_nothing_at_its_stop(free: int) -> None:
    assert allowed(free)[PROMOTION] == Allowance(bytes=0, renewed=False)


def test_demotion_gets_what_is_missing() -> None:
    assert allowed(TARGET - 5 * MIB)[DEMOTION] == Allowance(bytes=5 * MIB, renewed=True)
    assert allowed(TARGET)[DEMOTION] == Allowance(bytes=0, renewed=False)


def test_demotion_also_makes_room_for_what_promotion_is_about_to_bring() -> None:
    found = allowed(TARGET, {PROMOTION: used(TURN)})
    assert found == {PROMOTION: Allowance(bytes=TURN, renewed=True), DEMOTION: Allowance(bytes=TURN, renewed=True)}


def test_no_room_is_made_for_a_promotion_that_finds_nothing() -> None:
    assert allowed(TARGET, {PROMOTION: used(TURN, tried=0)})[DEMOTION].bytes == 0


def test_demotion_stops_where_its_target_is_full() -> None:
    assert allowed(STOP - 50 * MIB, slow_free=105 * MIB)[DEMOTION].bytes == 5 * MIB
    assert allowed(STOP - 50 * MIB, slow_free=100 * MIB)[DEMOTION].bytes == 0


def test_an_allowance_with_half_of_it_left_stays() -> None:
    grant = used(TURN, tried=TURN // 2)
    assert allowed(STOP + 500 * MIB, {PROMOTION: grant})[PROMOTION] == Allowance(bytes=TURN, renewed=False)


def test_a_spent_allowance_is_renewed() -> None:
    grants = {PROMOTION: used(TURN)}
    assert allowed(STOP + 500 * MIB, grants)[PROMOTION] == Allowance(bytes=TURN, renewed=True)


def test_a_spent_allowance_stays_where_nothing_more_may_move() -> None:
    assert allowed(STOP, {PROMOTION: used(TURN)})[PROMOTION] == Allowance(bytes=TURN, renewed=False)


def test_an_allowance_that_the_headroom_no_longer_covers_is_taken_back() -> None:
    assert allowed(STOP - 50 * MIB, {PROMOTION: used(TURN, tried=0)})[PROMOTION] == Allowance(bytes=0, renewed=True)
    shrunk = allowed(STOP + 5 * MIB, {PROMOTION: used(TURN, tried=0)})[PROMOTION]
    assert shrunk == Allowance(bytes=5 * MIB, renewed=True)


def test_a_quota_that_was_cut_takes_back_what_was_allowed_before() -> None:
    one = replace(flow(promotes=True, free=STOP + 500 * MIB), quota_bytes=4096)
    (found,) = granted((one,), {PROMOTION: used(TURN, tried=0)})
    assert found.allowance == Allowance(bytes=4096, renewed=True)


def test_a_node_that_breathes_is_let_be() -> None:
    grants = {PROMOTION: used(TURN, tried=0)}
    for free in (TARGET - 2 * MIB, TARGET + 10 * MIB, TARGET - MIB):
        assert not any(allowance.renewed for allowance in allowed(free, grants).values()), free


def test_less_than_an_eighth_of_a_turn_is_not_worth_a_commit() -> None:
    assert not allowed(TARGET - 2 * MIB)[DEMOTION].renewed
    assert allowed(TARGET - 3 * MIB)[DEMOTION].renewed


def test_what_the_young_filter_turned_away_is_asked_for_again() -> None:
    grants = {DEMOTION: used(TURN, applied=TURN // 4)}
    assert allowed(TARGET - TURN, grants)[DEMOTION].bytes == 4 * TURN


def test_what_is_turned_away_is_made_up_for_eight_times_at_most() -> None:
    assert allowed(TARGET - TURN, {DEMOTION: used(TURN, applied=0)})[DEMOTION].bytes == 8 * TURN


def test_promotion_is_never_allowed_more_than_the_headroom_whatever_is_turned_away() -> None:
    assert allowed(STOP + 30 * MIB, {PROMOTION: used(TURN, applied=0)})[PROMOTION].bytes == 30 * MIB


def test_sources_of_one_target_share_its_headroom() -> None:
    flows = tuple(flow(promotes=True, free=STOP + 8 * MIB, source=source) for source in (1, 2))
    assert [one.allowance for one in granted(flows, {})] == [Allowance(bytes=4 * MIB, renewed=True)] * 2


def test_a_time_quota_bounds_an_allowance_as_the_kernel_would_estimate_it() -> None:
    (found,) = granted((flow(promotes=True, free=STOP + 500 * MIB, time_ms=2),), {})
    assert found.allowance == Allowance(bytes=8 * MIB, renewed=True)


def test_the_agent_looks_again_soon_while_it_renews_but_lets_two_aggregations_pass() -> None:
    moving = granted((flow(promotes=True, free=STOP + 500 * MIB),), {})
    resting = granted((flow(promotes=True, free=STOP),), {})
    assert (turn_s(moving, 100_000), turn_s(moving, 2_000_000), turn_s(resting, 100_000)) == (1, 4, 2)


@given(
    free=st.integers(0, 1000),
    slow_free=st.integers(0, 1000),
    amount=st.integers(0, 200),
    tried=st.integers(0, 200),
    applied=st.integers(0, 200),
)
def test_no_allowance_is_ever_unsafe(free: int, slow_free: int, amount: int, tried: int, applied: int) -> None:
    grant = Grant(bytes=amount * MIB, tried_bytes=min(tried, amount) * MIB, applied_bytes=min(tried, applied) * MIB)
    found = allowed(free * MIB, {PROMOTION: grant, DEMOTION: grant}, slow_free=slow_free * MIB)
    for direction, most in (
        (PROMOTION, max(0, free * MIB - STOP)),
        (DEMOTION, max(0, slow_free * MIB - TOTAL // 10)),
    ):
        allowance = found[direction]
        may_move = allowance.bytes if allowance.renewed else grant.left_bytes
        assert may_move <= most + (0 if allowance.renewed else TURN // 2)
