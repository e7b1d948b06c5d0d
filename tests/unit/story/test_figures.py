"""Whether what was reported is what others counted, and whether a run was good."""

import json

import pytest

from story.figures import Figures, Placement, agrees
from story.placement import Sample

MIB = 2**20
ARRIVING = [
    Sample(monotonic_s=second, hot_fast_bytes=hot * MIB, hot_bytes=200 * MIB, cold_fast_bytes=0, cold_bytes=0)
    for second, hot in ((0, 0), (5, 120), (10, 200))
]


def told(promoted: int, demoted: int, migrated: int) -> bool:
    return agrees(ARRIVING, promoted_bytes=promoted * MIB, demoted_bytes=demoted * MIB, migrated_bytes=migrated * MIB)


def test_a_report_agrees_with_what_the_workload_and_the_kernel_saw() -> None:
    assert told(210, 300, 520)


def test_promoted_bytes_that_the_workload_did_not_see_do_not_agree() -> None:
    assert not told(240, 300, 540)


def test_demoted_bytes_that_the_kernel_did_not_migrate_do_not_agree() -> None:
    assert not told(200, 300, 400)


def figures(restored: bool | None) -> Figures:
    placed = Placement(hot_fast_ratio=1.0, cold_promoted_ratio=0.0, seconds_to_90_percent=1, seconds_to_99_percent=2)
    return Figures(
        kernel="7.2",
        placement=placed,
        promoted_bytes=1,
        demoted_bytes=1,
        tables_agree=True,
        restored=restored,
        agent_rss_bytes=1,
        operator_rss_bytes=1,
    )


@pytest.mark.parametrize(("restored", "good"), [(True, True), (False, False), (None, True)])
def test_a_node_is_to_be_restored_unless_the_policy_is_kept(restored: bool | None, good: bool) -> None:
    assert figures(restored).good is good
    assert json.loads(figures(restored).json_line())["restored"] is restored
