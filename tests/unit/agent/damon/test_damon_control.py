"""What a direction is allowed, turn by turn."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrace_agent.damon.control import Direction, Grant, Usage, granted, turn_s, withdrawn
from terrace_agent.damon.flow import Allowance, Flow, Phase
from terrace_agent.flows.limits import Stops, Window
from terrace_agent.flows.pairs import Pair
from unit.agent.damon.builders import MIB, nid

PAGE = 4_096
TOTAL = 1000 * MIB
STOP, TARGET = 100 * MIB, 120 * MIB
TURN = 20 * MIB
RATE = 50 * MIB
PROMOTION, DEMOTION = (1, True), (0, False)


def flow(*, promotes: bool, free: int, slow_free: int = 900 * MIB, source: int | None = None, time_ms: int = 0) -> Flow:
    """Returns a direction between a fast nid 0, which stops at 10% and demotes to 12% free, and a slow nid 1."""
    fast = replace(nid(0, TOTAL), free_bytes=free)
    slow = replace(nid(source or 1, TOTAL), free_bytes=slow_free)
    pair = Pair(source=slow, target=fast, promotes=True) if promotes else Pair(source=fast, target=slow, promotes=False)
    return Flow(
        pair=pair,
        window=Window(ms=1_000, bytes=TURN, asked_bytes=RATE, time_ms=time_ms),
        quota_bytes=TURN,
        rate_bytes=RATE,
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


def opened(amount: int, *, tried: int | None = None, applied: int | None = None) -> Grant:
    """Returns an amount that may move, by default used up."""
    tried = amount if tried is None else tried
    usage = Usage(bytes=amount, tried_bytes=tried, applied_bytes=tried if applied is None else applied)
    return Grant(bytes=amount, is_open=True, is_effective=True, last=usage)


def primed(amount: int, *, effective: bool = True, last: Usage | None = None) -> Grant:
    """Returns an amount that matches nothing yet."""
    return Grant(bytes=amount, is_open=False, is_effective=effective, last=last)


def test_an_amount_is_primed_then_opened_once_it_is_effective_and_then_left_alone() -> None:
    free = STOP + 5 * MIB
    assert allowed(free)[PROMOTION] == Allowance(bytes=5 * MIB, phase=Phase.PRIMED)
    assert allowed(free, {PROMOTION: primed(5 * MIB, effective=False)})[PROMOTION].phase is Phase.PRIMED
    assert allowed(free, {PROMOTION: primed(5 * MIB)})[PROMOTION] == Allowance(bytes=5 * MIB, phase=Phase.OPENED)
    left = opened(5 * MIB, tried=0)
    assert allowed(free, {PROMOTION: left})[PROMOTION] == Allowance(bytes=5 * MIB, phase=Phase.OPEN)


def test_an_open_amount_that_nobody_knows_the_rest_of_is_closed() -> None:
    unknown = Grant(bytes=TURN, is_open=True, is_effective=True)
    assert allowed(STOP, {PROMOTION: unknown})[PROMOTION] == Allowance(bytes=TURN, phase=Phase.CLOSED)
    assert allowed(STOP + RATE, {PROMOTION: unknown})[PROMOTION] == Allowance(bytes=RATE, phase=Phase.PRIMED)


def test_an_effective_amount_that_no_longer_fits_is_not_opened() -> None:
    grants = {PROMOTION: primed(RATE), DEMOTION: primed(RATE)}
    found = allowed(STOP + 5 * MIB, grants, slow_free=103 * MIB)
    assert found[PROMOTION] == Allowance(bytes=5 * MIB, phase=Phase.PRIMED)
    assert found[DEMOTION] == Allowance(bytes=3 * MIB, phase=Phase.PRIMED)
    assert allowed(STOP, grants)[PROMOTION].phase is Phase.CLOSED


@pytest.mark.parametrize("grant", [opened(RATE), primed(PAGE, last=Usage(bytes=RATE))])
def test_an_amount_differs_from_the_last_one_so_that_it_can_be_seen_to_be_effective(grant: Grant) -> None:
    found = allowed(STOP + 500 * MIB, {PROMOTION: grant})[PROMOTION]
    assert found == Allowance(bytes=RATE - PAGE, phase=Phase.PRIMED)


def test_promotion_gets_the_headroom_above_its_stop_up_to_the_policys_rate() -> None:
    assert allowed(STOP + 5 * MIB)[PROMOTION].bytes == 5 * MIB
    assert allowed(STOP + 500 * MIB)[PROMOTION].bytes == RATE


@pytest.mark.parametrize("free", [STOP, STOP - MIB, 0])
def test_promotion_gets_nothing_at_its_stop(free: int) -> None:
    assert allowed(free)[PROMOTION].phase is Phase.CLOSED


def relieved(headroom: int, overdraw: int = 8 * MIB) -> Flow:
    one = flow(promotes=True, free=STOP + headroom)
    return replace(one, stops=replace(one.stops, relieved=True, overdraw_bytes=overdraw))


BY_KSWAPD = st.integers(-1_024, 8 * 1_024)
"""Free memory above the low watermark, in parts of 1024 of what may be overdrawn: half of the way to the high one."""


@given(BY_KSWAPD, BY_KSWAPD, BY_KSWAPD, st.sampled_from([MIB, 2 * MIB, 8 * MIB]))
def test_where_reclaim_makes_the_room_an_amount_is_primed_twice_at_most_wherever_free_memory_goes_meanwhile(
    first: int, second: int, third: int, overdraw: int
) -> None:
    waiting = primed(PAGE, last=Usage(bytes=overdraw, tried_bytes=overdraw))
    phases = []
    for headroom in (parts * overdraw // 1_024 for parts in (first, second, third)):
        found = granted((relieved(headroom, overdraw),), {PROMOTION: waiting})[0].allowance
        assert found
        assert found.bytes <= headroom + 2 * overdraw
        phases.append(found.phase)
        waiting = primed(found.bytes, last=waiting.last)
    assert Phase.OPENED in phases


def test_far_below_the_watermark_nothing_is_promoted_and_what_is_free_far_above_it_is_taken() -> None:
    found = [granted((relieved(headroom, 2 * MIB),), {})[0].allowance for headroom in (-3 * MIB, 17 * MIB, 30 * MIB)]
    assert [one.bytes for one in found[1:] if one] == [19 * MIB, 32 * MIB]
    assert found[0]
    assert found[0].phase is Phase.CLOSED


def test_demotion_gets_what_is_missing() -> None:
    assert allowed(TARGET - 5 * MIB)[DEMOTION] == Allowance(bytes=5 * MIB, phase=Phase.PRIMED)
    assert allowed(TARGET)[DEMOTION].phase is Phase.CLOSED


def test_demotion_makes_room_for_twice_what_promotion_has_used_up_to_the_policys_rate() -> None:
    assert allowed(TARGET, {PROMOTION: primed(TURN, last=Usage(bytes=8, tried_bytes=8))})[DEMOTION].bytes == 2 * TURN
    assert allowed(TARGET, {PROMOTION: opened(RATE)})[DEMOTION].bytes == 2 * TURN
    assert allowed(STOP + RATE, {PROMOTION: opened(RATE)})[DEMOTION].bytes == RATE - (STOP + RATE - TARGET)


def test_no_room_is_made_for_a_promotion_that_finds_nothing() -> None:
    assert allowed(TARGET, {PROMOTION: opened(TURN, tried=0)})[DEMOTION].phase is Phase.CLOSED
    for tried in (MIB, TURN * 3 // 4):
        not_used_up = primed(TURN, last=Usage(bytes=TURN, tried_bytes=tried))
        assert allowed(TARGET, {PROMOTION: not_used_up})[DEMOTION].phase is Phase.CLOSED


def test_demotion_stops_where_its_target_is_full() -> None:
    assert allowed(STOP - 50 * MIB, slow_free=105 * MIB)[DEMOTION].bytes == 5 * MIB
    assert allowed(STOP - 50 * MIB, slow_free=100 * MIB)[DEMOTION].phase is Phase.CLOSED


def test_an_open_amount_with_half_of_it_left_stays() -> None:
    grant = opened(RATE, tried=RATE // 2)
    assert allowed(STOP + 500 * MIB, {PROMOTION: grant})[PROMOTION] == Allowance(bytes=RATE, phase=Phase.OPEN)


def test_a_spent_amount_stays_where_nothing_more_may_move() -> None:
    assert allowed(STOP, {PROMOTION: opened(TURN)})[PROMOTION] == Allowance(bytes=TURN, phase=Phase.OPEN)


@pytest.mark.parametrize(
    ("free", "tried", "phase"),
    [
        (TARGET, 0, Phase.CLOSED),
        (TARGET - MIB, TURN - MIB, Phase.OPEN),
        (TARGET - MIB, TURN, Phase.CLOSED),
        (TARGET - 5 * MIB, 0, Phase.OPEN),
    ],
)
def test_demotion_is_closed_once_it_is_done(free: int, tried: int, phase: Phase) -> None:
    assert allowed(free, {DEMOTION: opened(TURN, tried=tried)})[DEMOTION].phase is phase


def test_an_amount_that_the_headroom_no_longer_covers_is_taken_back() -> None:
    assert allowed(STOP - 50 * MIB, {PROMOTION: opened(TURN, tried=0)})[PROMOTION].phase is Phase.CLOSED
    shrunk = allowed(STOP + 5 * MIB, {PROMOTION: opened(TURN, tried=0)})[PROMOTION]
    assert shrunk == Allowance(bytes=5 * MIB, phase=Phase.PRIMED)


def test_everything_is_taken_back_at_once() -> None:
    flows = (flow(promotes=False, free=STOP), flow(promotes=True, free=STOP + RATE))
    found = withdrawn(flows, {PROMOTION: opened(TURN, tried=0)})
    assert [one.allowance for one in found] == [
        Allowance(bytes=PAGE, phase=Phase.CLOSED),
        Allowance(bytes=TURN, phase=Phase.CLOSED),
    ]


def test_a_node_that_breathes_is_let_be() -> None:
    grants = {PROMOTION: opened(TURN, tried=0), DEMOTION: primed(PAGE)}
    for free in (TARGET - 2 * MIB, TARGET + 10 * MIB, TARGET - MIB):
        phases = {direction: one.phase for direction, one in allowed(free, grants).items()}
        assert phases == {PROMOTION: Phase.OPEN, DEMOTION: Phase.CLOSED}, free


def test_less_than_an_eighth_of_a_turn_is_not_worth_a_commit() -> None:
    assert allowed(TARGET - 2 * MIB)[DEMOTION].phase is Phase.CLOSED
    assert allowed(TARGET - 3 * MIB)[DEMOTION].phase is Phase.PRIMED


def test_what_the_young_filter_turned_away_is_asked_for_again() -> None:
    grants = {DEMOTION: opened(TURN, applied=TURN // 4)}
    assert allowed(TARGET - TURN, grants)[DEMOTION].bytes == 4 * TURN


def test_what_is_turned_away_is_made_up_for_eight_times_at_most() -> None:
    assert allowed(TARGET - TURN, {DEMOTION: opened(TURN, applied=0)})[DEMOTION].bytes == 8 * TURN


def test_promotion_is_never_allowed_more_than_the_headroom_whatever_is_turned_away() -> None:
    assert allowed(STOP + 30 * MIB, {PROMOTION: opened(TURN, applied=0)})[PROMOTION].bytes == 30 * MIB


def test_sources_of_one_target_share_its_headroom() -> None:
    flows = tuple(flow(promotes=True, free=STOP + 8 * MIB, source=source) for source in (1, 2))
    assert [one.allowance for one in granted(flows, {})] == [Allowance(bytes=4 * MIB, phase=Phase.PRIMED)] * 2


def test_a_time_quota_bounds_an_amount_as_the_kernel_would_estimate_it() -> None:
    (found,) = granted((flow(promotes=True, free=STOP + 500 * MIB, time_ms=2),), {})
    assert found.allowance == Allowance(bytes=8 * MIB, phase=Phase.PRIMED)


def test_the_agent_looks_again_soon_while_something_moves_but_lets_two_aggregations_pass() -> None:
    primed_now = granted((flow(promotes=True, free=STOP + 500 * MIB),), {})
    opened_now = granted((flow(promotes=True, free=STOP + 500 * MIB),), {PROMOTION: primed(RATE)})
    resting = granted((flow(promotes=True, free=STOP),), {})
    waits = [turn_s(flows, {}, 100_000) for flows in (primed_now, opened_now, resting)]
    assert waits == sorted(waits)
    assert turn_s(opened_now, {}, 2_000_000) == 4


def test_what_does_not_become_effective_is_looked_at_less_and_less_often() -> None:
    flows = granted((flow(promotes=True, free=STOP + 500 * MIB),), {})
    waits = [
        turn_s(flows, {PROMOTION: replace(primed(RATE, effective=False), waited=waited)}, 0) for waited in range(9)
    ]
    assert waits == sorted(waits)
    assert waits[-1] == turn_s(granted((flow(promotes=True, free=STOP),), {}), {}, 0)


@given(
    free=st.integers(0, 1000),
    slow_free=st.integers(0, 1000),
    amount=st.integers(1, 200),
    tried=st.integers(0, 200),
    applied=st.integers(0, 200),
    is_open=st.booleans(),
)
def test_nothing_unsafe_is_ever_open(
    free: int, slow_free: int, amount: int, tried: int, applied: int, *, is_open: bool
) -> None:
    used = opened(amount * MIB, tried=min(tried, amount) * MIB, applied=min(tried, applied) * MIB)
    grant = used if is_open else primed(amount * MIB, last=used.last)
    found = allowed(free * MIB, {PROMOTION: grant, DEMOTION: grant}, slow_free=slow_free * MIB)
    for direction, most in (
        (PROMOTION, max(0, free * MIB - STOP)),
        (DEMOTION, max(0, slow_free * MIB - TOTAL // 10)),
    ):
        allowance = found[direction]
        if allowance.phase is Phase.OPEN:
            assert used.last and used.last.left_bytes <= most + TURN // 2
        elif allowance.phase is Phase.OPENED:
            assert allowance.bytes == grant.bytes <= most


def in_a_row(free: Mapping[int, int]) -> tuple[Flow, ...]:
    """Returns the flows between three tiers of a nid each, with so much free on them."""
    nids = {number: replace(nid(number, TOTAL), free_bytes=free_bytes) for number, free_bytes in free.items()}
    return tuple(
        replace(
            flow(promotes=target < source, free=0),
            pair=Pair(source=nids[source], target=nids[target], promotes=target < source),
        )
        for source, target in ((0, 1), (1, 0), (1, 2), (2, 1))
    )


def about_to_come(allowance: Allowance, grant: Grant) -> int:
    """Returns what may still move, without the half turn that an open amount may overdraw."""
    if allowance.phase is Phase.OPEN and grant.last:
        return max(0, grant.last.left_bytes - TURN // 2)
    return 0 if allowance.phase is Phase.CLOSED else allowance.bytes


GRANTS = st.builds(
    lambda amount, tried, applied, is_open: (
        opened(amount * MIB, tried=min(tried, amount) * MIB, applied=min(tried, applied) * MIB)
        if is_open
        else primed(amount * MIB, last=Usage(bytes=amount * MIB, tried_bytes=tried * MIB, applied_bytes=applied * MIB))
    ),
    *[st.integers(1, 500)] * 3,
    st.booleans(),
)


@given(*[st.integers(0, 1000)] * 3, *[GRANTS] * 4)
def test_both_directions_into_a_middle_nid_get_no_more_together_than_what_is_free_there(
    first: int, second: int, third: int, one: Grant, two: Grant, three: Grant, four: Grant
) -> None:
    free = dict(enumerate(size * MIB for size in (first, second, third)))
    grants = {(0, False): one, (1, True): two, (1, False): three, (2, True): four}
    found = granted(in_a_row(free), grants)
    for number, free_bytes in free.items():
        coming = sum(
            about_to_come(flow.allowance, grants[flow.pair.source.nid, flow.pair.promotes])
            for flow in found
            if flow.pair.target.nid == number and flow.allowance
        )
        assert coming <= max(0, free_bytes - STOP), number


def test_the_fastest_and_the_slowest_nid_are_one_directions_alone() -> None:
    found = granted(in_a_row({0: STOP + 8 * MIB, 1: TARGET - 8 * MIB, 2: 900 * MIB}), {})
    amounts = {(flow.pair.source.nid, flow.pair.target.nid): flow.allowance for flow in found}
    assert amounts[1, 0] == amounts[1, 2] == Allowance(bytes=8 * MIB, phase=Phase.PRIMED)
