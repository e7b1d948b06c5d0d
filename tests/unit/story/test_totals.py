"""Whether what was reported is what others counted."""

import pytest

from story.placement import Sample
from story.totals import Totals, agree

MIB = 2**20
MOVING = [
    Sample(
        monotonic_s=second,
        hot_fast_bytes=hot * MIB,
        hot_bytes=200 * MIB,
        cold_fast_bytes=cold * MIB,
        cold_bytes=800 * MIB,
    )
    for second, hot, cold in ((0, 0, 800), (5, 120, 600), (10, 200, 500))
]


def totals(promoted: int, demoted: int) -> Totals:
    return Totals(promoted_bytes=promoted * MIB, demoted_bytes=demoted * MIB)


def told(promoted: int, demoted: int, migrated: int) -> bool:
    both = totals(promoted, demoted)
    return agree(both, both, MOVING, migrated_bytes=migrated * MIB)


def test_totals_agree_with_what_the_workload_and_the_kernel_saw() -> None:
    assert told(210, 320, 540)


def test_more_than_the_workload_saw_is_of_others_if_the_kernel_counted_it() -> None:
    assert told(240, 420, 660)


def test_promoted_bytes_that_do_not_hold_what_the_workload_saw_arrive_do_not_agree() -> None:
    assert not told(160, 300, 460)


def test_demoted_bytes_that_do_not_hold_what_the_workload_saw_leave_do_not_agree() -> None:
    assert not told(200, 250, 450)


@pytest.mark.parametrize("migrated", [400, 600])
def test_bytes_that_the_kernel_did_not_count_so_do_not_agree(migrated: int) -> None:
    assert not told(200, 300, migrated)


def test_a_policy_that_has_not_told_the_last_minute_yet_agrees() -> None:
    assert agree(totals(200, 300), totals(210, 305), MOVING, migrated_bytes=510 * MIB)


@pytest.mark.parametrize("wrong", [totals(100, 300), totals(200, 200)])
def test_each_of_a_node_and_its_policy_has_to_agree_with_what_was_counted(wrong: Totals) -> None:
    right = totals(200, 300)
    assert not agree(wrong, right, MOVING, migrated_bytes=500 * MIB)
    assert not agree(right, wrong, MOVING, migrated_bytes=500 * MIB)


def test_totals_are_read_from_the_status_of_either_object() -> None:
    assert Totals.of({"promotedBytes": 3, "demotedBytes": 5, "other": 1}) == Totals(promoted_bytes=3, demoted_bytes=5)
