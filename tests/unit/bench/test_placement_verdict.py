"""Who is first is decided by what counts in the workload."""

import pytest

from bench.placement.verdict import Verdict, verdict
from bench.placement.workloads import Aim

RIVALS = frozenset({"numa", "mem-tier"})
Numbers = dict[str, dict[str, float | None]]


def numbers(figure: str, **values: float | None) -> Numbers:
    return {name.replace("_", "-"): {figure: value} for name, value in values.items()}


def soon(**values: float | None) -> Verdict:
    return verdict(Aim.SOON, numbers("seconds_to_90_percent", **values), RIVALS)


def test_the_fastest_is_first_and_the_ends_of_the_scale_do_not_count() -> None:
    assert soon(terrace=10, numa=12, mem_tier=None, oracle=1, nothing=0) == Verdict(
        good=True, word="first", best="numa"
    )


@pytest.mark.parametrize(("own", "word"), [(11, "level"), (11.1, "behind")])
def test_a_tenth_more_is_level(own: float, word: str) -> None:
    assert soon(terrace=own, numa=10) == Verdict(good=word == "level", word=word, best="numa")


def test_one_sample_more_is_level() -> None:
    assert soon(terrace=3, numa=2).word == "level"
    assert soon(terrace=3.1, numa=2).word == "behind"


def test_who_never_came_there_is_not_good_even_if_nobody_did() -> None:
    assert soon(terrace=None, numa=50) == Verdict(good=False, word="never came there", best="numa")
    assert soon(terrace=None, numa=None) == Verdict(good=False, word="never came there", best="")
    assert soon(terrace=70, numa=None) == Verdict(good=True, word="first", best="")


def test_a_higher_share_is_better() -> None:
    share = "mean_heat_fast_percent"
    assert verdict(Aim.SHARE, numbers(share, terrace=80, numa=70), RIVALS).word == "first"
    assert verdict(Aim.SHARE, numbers(share, terrace=63, numa=70), RIVALS).word == "level"
    assert verdict(Aim.SHARE, numbers(share, terrace=62, numa=70), RIVALS).word == "behind"


def still(terrace: tuple[int, int], numa: tuple[int, int]) -> str:
    found: Numbers = {
        name: {"moved_bytes": moved << 20, "useful_bytes": useful << 20}
        for name, (moved, useful) in (("terrace", terrace), ("numa", numa))
    }
    return verdict(Aim.STILL, found, RIVALS).word


def test_a_mebibyte_is_level_with_nothing() -> None:
    assert still((1, 0), (0, 0)) == "level"
    assert still((2, 0), (0, 0)) == "behind"


def test_to_fill_free_memory_with_what_is_hot_is_no_churn() -> None:
    assert still((100, 100), (0, 0)) == "first"
    assert still((100, 90), (80, 75)) == "behind"


def test_of_a_swap_both_phases_count_so_that_to_have_moved_nothing_is_no_lead() -> None:
    before, after = "seconds_to_90_percent", "seconds_to_90_percent_after_swap"
    found: Numbers = {
        "terrace": {before: 9, after: 14},
        "numa": {before: 12, after: 12},
        "mem-tier": {before: None, after: 1},
    }
    assert verdict(Aim.SOON_AGAIN, found, RIVALS) == Verdict(good=True, word="first", best="numa")
