"""Promotion and demotion that undo each other are told from those that get somewhere."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrace_agent.flows.churn import LONGEST_S, WINDOW_S, Churn, Sample, judge, remember
from unit.agent.damon.builders import GIB, MIB

FAST = GIB
CHURN_MAX_BP = 20_000


def watched(
    up: Callable[[int], int],
    down: Callable[[int], int],
    *,
    seconds: int = 320,
    keeps_floor: bool = True,
    quota: int = 5 * MIB,
) -> tuple[Sample, ...]:
    """Returns what is remembered of promoting and demoting so much in each second."""
    history: tuple[Sample, ...] = ()
    promoted = demoted = 0
    for second in range(seconds):
        promoted, demoted = promoted + up(second), demoted + down(second)
        history = remember(
            history,
            Sample(
                at_s=1000.0 + second,
                promoted_bytes=promoted,
                demoted_bytes=demoted,
                fast_bytes=FAST,
                bytes_per_second=quota,
                keeps_floor=keeps_floor,
            ),
        )
    return history


def found(history: tuple[Sample, ...]) -> Churn | None:
    return judge(history, churn_max_bp=CHURN_MAX_BP, cooldown_us=60_000_000)


def always(mib: int) -> Callable[[int], int]:
    return lambda _: mib * MIB


def test_a_fast_tier_that_is_exchanged_over_and_over_is_churn() -> None:
    churn = found(watched(always(10), always(10)))
    assert churn
    assert churn.exchanged_bytes > 2 * FAST
    assert "undo each other" in churn.message
    assert "demotion.minAge" in churn.message


def test_the_cooldown_begins_now() -> None:
    churn = found(watched(always(10), always(10), seconds=321))
    assert churn
    assert churn.until_s == 1320 + 60


def test_less_than_the_allowed_is_not() -> None:
    assert found(watched(always(5), always(5))) is None


def test_a_burst_that_is_over_is_not() -> None:
    burst = lambda second: 50 * MIB if second < 60 else 0  # noqa: E731
    assert found(watched(burst, burst)) is None


def test_promotion_into_free_memory_is_not() -> None:
    assert found(watched(always(20), always(0))) is None


def test_demotion_that_others_need_is_not() -> None:
    assert found(watched(always(20), always(20), keeps_floor=False)) is None


def test_what_takes_longer_than_the_shortest_window_is_seen_too() -> None:
    churn = found(watched(always(5), always(5), seconds=440))
    assert churn
    assert "in 7 minutes" in churn.message


def test_what_takes_longer_than_the_longest_window_is_not_churn_and_no_more_is_remembered() -> None:
    slowly = lambda second: MIB // 2  # noqa: E731
    history = watched(slowly, slowly, seconds=2 * round(LONGEST_S), quota=MIB // 2)
    assert found(history) is None
    assert len(history) <= LONGEST_S / 10 + 2


@pytest.mark.parametrize("period_s", [900, 3_000])
def test_a_load_that_changes_now_and_then_is_no_churn_however_fast_it_is_moved(period_s: int) -> None:
    bursts = lambda second: 40 * MIB if second % period_s < 40 else 0  # noqa: E731
    for seconds in (period_s + 40, 3_640):
        assert found(watched(bursts, bursts, seconds=seconds, quota=40 * MIB)) is None


def test_a_heat_that_drifts_at_a_fraction_of_the_quota_is_no_churn() -> None:
    assert found(watched(always(2), always(2), seconds=3_600, quota=20 * MIB)) is None


def test_a_placement_that_slows_down_after_long_is_no_churn() -> None:
    slowing = lambda second: 5 * MIB if second < 450 else MIB  # noqa: E731
    assert found(watched(slowing, slowing, seconds=400)) is None
    assert found(watched(slowing, slowing, seconds=1_400)) is None


@pytest.mark.parametrize("fast_gib", [8, 64, 256, 1024, 2048])
def test_the_default_quota_spent_on_nothing_else_is_churn_by_the_default_share(fast_gib: int) -> None:
    quota = min(max(200 * MIB, fast_gib * GIB // 1000), 2 * GIB) // 2
    history: tuple[Sample, ...] = ()
    for at_s in range(0, round(LONGEST_S), 10):
        moved = at_s * quota
        sample = Sample(
            at_s=at_s,
            promoted_bytes=moved,
            demoted_bytes=moved,
            fast_bytes=fast_gib * GIB,
            bytes_per_second=quota,
            keeps_floor=True,
        )
        history = remember(history, sample)
    assert judge(history, churn_max_bp=10_000, cooldown_us=0)


def test_it_takes_a_whole_window_to_tell() -> None:
    assert found(watched(always(100), always(100), seconds=200)) is None


@pytest.mark.parametrize("look_s", [1.0, 5.0, 6.0, 8.0, 8.5, 9.5, 17.0])
def test_churn_is_seen_after_a_window_however_often_is_looked(look_s: float) -> None:
    history: tuple[Sample, ...] = ()
    at_s = 0.0
    while found(history) is None:
        assert at_s <= WINDOW_S + 2 * look_s + 10
        moved = int(at_s) * 10 * MIB
        history = remember(
            history,
            Sample(
                at_s=at_s,
                promoted_bytes=moved,
                demoted_bytes=moved,
                fast_bytes=FAST,
                bytes_per_second=MIB,
                keeps_floor=True,
            ),
        )
        at_s += look_s
    assert at_s > WINDOW_S


def test_totals_that_begin_anew_begin_a_new_history() -> None:
    history = watched(always(10), always(10), seconds=100)
    fresh = Sample(
        at_s=1200, promoted_bytes=0, demoted_bytes=0, fast_bytes=FAST, bytes_per_second=MIB, keeps_floor=True
    )
    assert remember(history, fresh) == (fresh,)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=320, max_size=320))
def test_churn_is_never_said_of_less_than_the_allowed(moved: list[tuple[int, int]]) -> None:
    history = watched(lambda second: moved[second][0] * MIB, lambda second: moved[second][1] * MIB)
    churn = found(history)
    assert churn is None or churn.exchanged_bytes * 10_000 > CHURN_MAX_BP * FAST
    assert len(history) <= 33


def test_moving_less_again_is_forgiven() -> None:
    quiet = lambda second: 30 * MIB if second < 150 else MIB  # noqa: E731
    assert found(watched(quiet, quiet)) is None
