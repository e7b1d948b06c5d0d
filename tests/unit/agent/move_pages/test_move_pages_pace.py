"""Looks are as many as asked while there is something to find, and never cost more than their share for long."""

from hypothesis import given
from hypothesis import strategies as st

from terrace_agent.move_pages.pace import SAVED_S, Pace

ASKED_S = 1.0
PERCENT = 3


def looks(pace: Pace, costs: list[float], *, percent: int = PERCENT, moves: bool) -> tuple[float, Pace]:
    """Returns when the last of these looks began, each as soon as it is due, and the pace after it."""
    now_s = pace.looked_at_s or 0.0
    for cost_s in costs:
        now_s = now_s + pace.pause_s(ASKED_S, percent) if pace.looked_at_s is not None else now_s
        assert pace.is_due(now_s + 1e-6, ASKED_S, percent)
        pace = pace.looked(now_s, cost_s, percent)
        pace = pace.woken() if moves else pace
    return now_s, pace


def test_the_first_looks_come_as_asked_though_each_costs_much() -> None:
    assert looks(Pace(), [1.0] * 9, moves=False)[0] == 8 * ASKED_S


def test_what_is_saved_up_is_spent_while_pages_move_and_then_the_share_holds() -> None:
    _, spent = looks(Pace(), [1.0] * 9, moves=True)
    began_s, pace = looks(spent, [1.0] * 3, moves=True)
    assert round(pace.pause_s(ASKED_S, PERCENT)) == round(100 / PERCENT)
    assert began_s >= 2 * 100 / PERCENT


def test_at_rest_half_of_the_share_is_saved_and_a_move_ends_the_rest() -> None:
    _, pace = looks(Pace(), [0.3] * 13, moves=False)
    assert pace.pause_s(ASKED_S, PERCENT) == 20.0
    assert pace.woken().pause_s(ASKED_S, PERCENT) == ASKED_S
    _, rested = looks(pace, [0.3] * 40, moves=False)
    assert rested.spent_s < pace.spent_s


def test_a_look_that_costs_more_than_can_be_saved_is_made_up_for_as_a_whole() -> None:
    pace = Pace().looked(0.0, 60.0, PERCENT)
    assert pace.pause_s(ASKED_S, PERCENT) == 60.0 * 100 / PERCENT


@given(
    costs=st.lists(st.floats(0.001, 30.0), min_size=2, max_size=60),
    percent=st.integers(1, 100),
    moves=st.booleans(),
)
def test_in_the_long_run_looks_cost_no_more_than_their_share(costs: list[float], percent: int, moves: bool) -> None:
    began_s, _ = looks(Pace(), costs, percent=percent, moves=moves)
    # The last one cost what could not be known before.
    allowed_s = (began_s + SAVED_S) * percent / 100 + 2 * max(costs)
    assert sum(costs) <= allowed_s + 0.001
