"""Whether what was reported is what others counted."""

from story.figures import agrees
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
