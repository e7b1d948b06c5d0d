"""Whether a run was good, and what many of them come to."""

import json
from dataclasses import replace

import pytest

from story.figures import RSS_LIMIT_BYTES, Figures, Placement, Unsupported, placement
from story.placement import WITHIN_S, Sample
from story.runs import summary

MIB = 2**20
PLACED = Placement(
    hot_fast_ratio=1.0,
    cold_promoted_ratio=0.0,
    seconds_to_90_percent=20.0,
    seconds_to_99_percent=25.0,
    within_aim=True,
)
GOOD = Figures(
    kernel="7.2",
    placement=PLACED,
    at_rest=True,
    promoted_bytes=1,
    demoted_bytes=1,
    tables_agree=True,
    restored=True,
    agent_rss_bytes=53 * MIB,
    operator_rss_bytes=80 * MIB,
)
UNSUPPORTED = Unsupported(
    kernel="6.1",
    engine_available=False,
    reason="NoDamonSysfs",
    message="it has no DAMON",
    unchanged=True,
    agent_rss_bytes=53 * MIB,
    operator_rss_bytes=80 * MIB,
)


def arrived_after(seconds: float | None) -> Figures:
    within = seconds is not None and seconds <= WITHIN_S
    return replace(GOOD, placement=replace(PLACED, seconds_to_99_percent=seconds, within_aim=within))


def is_good(run: Figures | Unsupported) -> bool:
    return not list(run.problems())


def test_a_run_that_shows_everything_is_good() -> None:
    assert is_good(GOOD)


def test_what_was_not_good_is_told_in_words() -> None:
    placed = replace(PLACED, hot_fast_ratio=0.5, cold_promoted_ratio=0.25, seconds_to_99_percent=None)
    assert list(replace(GOOD, placement=placed, tables_agree=False).problems()) == [
        "50.0% of the hot set are on the fast nid in the end, not 99%",
        "25.0% of the cold set moved up, not at most 1%",
        "the tables do not tell what the workload and the kernel counted",
    ]
    assert list(arrived_after(None).problems()) == ["the hot set needed more than 90 s to arrive"]


@pytest.mark.parametrize(("restored", "good"), [(True, True), (False, False), (None, True)])
def test_a_node_is_to_be_restored_unless_the_policy_is_kept(restored: bool | None, good: bool) -> None:
    figures = replace(GOOD, restored=restored)
    assert is_good(figures) is good
    assert json.loads(figures.json_line())["restored"] is restored


@pytest.mark.parametrize(("seconds", "good"), [(25.0, True), (45.0, True), (200.0, False), (None, False)])
def test_slowness_that_noise_does_not_explain_is_not_good(seconds: float | None, good: bool) -> None:
    assert is_good(arrived_after(seconds)) is good


def test_memory_that_did_not_come_to_rest_is_not_good() -> None:
    assert not is_good(replace(GOOD, at_rest=False))


@pytest.mark.parametrize("rss", [0, RSS_LIMIT_BYTES + 1])
def test_an_agent_that_is_not_there_or_too_big_is_not_good(rss: int) -> None:
    assert not is_good(replace(GOOD, agent_rss_bytes=rss))
    assert not is_good(replace(UNSUPPORTED, agent_rss_bytes=rss))


def test_an_operator_that_is_not_there_is_not_good() -> None:
    assert is_good(UNSUPPORTED)
    assert not is_good(replace(GOOD, operator_rss_bytes=0))
    assert not is_good(replace(UNSUPPORTED, operator_rss_bytes=0))


@pytest.mark.parametrize(("arrives", "within"), [(29, True), (31, False)])
def test_the_line_says_whether_the_aim_was_met(arrives: int, within: bool) -> None:
    samples = [
        Sample(monotonic_s=second, hot_fast_bytes=hot, hot_bytes=100, cold_fast_bytes=0, cold_bytes=0)
        for second, hot in ((0, 0), (arrives, 100))
    ]
    placed = placement(samples, on_s=0)
    assert placed.within_aim is within
    assert json.loads(replace(GOOD, placement=placed).json_line())["within_aim"] is within


def test_the_summary_of_many_runs_has_the_median_and_the_worst() -> None:
    told = json.loads(summary([arrived_after(seconds) for seconds in (25.0, 40.0, 24.0)]).json_line())
    assert told == {
        "runs": 3,
        "median_seconds_to_99_percent": 25.0,
        "worst_seconds_to_99_percent": 40.0,
        "within_aim": 2,
        "all_good": True,
    }


def test_one_run_that_was_not_good_spoils_the_summary() -> None:
    runs = summary([GOOD, arrived_after(None), GOOD])
    assert not runs.all_good
    assert (runs.median_seconds_to_99_percent, runs.worst_seconds_to_99_percent) == (25.0, None)


def test_runs_without_an_engine_have_no_seconds() -> None:
    runs = summary([UNSUPPORTED, UNSUPPORTED])
    assert (runs.median_seconds_to_99_percent, runs.within_aim, runs.all_good) == (None, 0, True)
