"""How far a workload has come, from the lines that it prints."""

from story.placement import Sample, at_rest, cold_promoted_ratio, sample, seconds_to

MIB = 2**20


def taken(second: float, hot_fast: int, cold_fast: int = 700) -> Sample:
    return Sample(
        monotonic_s=second,
        hot_fast_bytes=hot_fast * MIB,
        hot_bytes=200 * MIB,
        cold_fast_bytes=cold_fast * MIB,
        cold_bytes=800 * MIB,
    )


def test_a_line_tells_where_both_sets_are() -> None:
    line = '{"seconds":5,"monotonic_s":42.5,"hot_bytes_by_nid":{"1":10,"0":30},"cold_bytes_by_nid":{"0":7},"touches":1}'
    told = sample(line)
    assert told == Sample(monotonic_s=42.5, hot_fast_bytes=30, hot_bytes=40, cold_fast_bytes=7, cold_bytes=7)
    assert told.hot_fast_ratio == 0.75


def test_time_counts_from_when_it_was_switched_on() -> None:
    samples = [taken(10, 0), taken(20, 100), taken(30, 199)]
    assert seconds_to(samples, 0.5, since_s=12) == 8
    assert seconds_to(samples, 0.99, since_s=12) == 18
    assert seconds_to(samples, 0.999, since_s=12) is None


def test_cold_pages_that_went_up_and_down_again_still_count() -> None:
    samples = [taken(0, 0, cold_fast=700), taken(5, 0, cold_fast=708), taken(10, 0, cold_fast=700)]
    assert cold_promoted_ratio(samples) == 0.01


def test_rest_needs_the_hot_set_and_quiet() -> None:
    arrived = [taken(second, 200) for second in range(0, 30, 5)]
    assert at_rest(arrived, for_s=10)
    assert not at_rest(arrived[:2], for_s=10)
    assert not at_rest([*arrived, taken(30, 200, cold_fast=650)], for_s=10)
    assert not at_rest([taken(second, 190) for second in range(0, 30, 5)], for_s=10)
