"""Which nids of an order of tiers are the other way."""

from terrace_api.tier_order import Inversion, inversions

TIERS = (("fast", (0, 3)), ("middle", (1,)), ("slow", (2,)))


def test_an_order_that_agrees_has_none_and_equals_are_none() -> None:
    assert list(inversions(TIERS, {0: 1, 3: 1, 1: 4, 2: 9})) == []
    assert list(inversions(TIERS, dict.fromkeys(range(4), 4))) == []


def test_each_pair_is_named_also_across_a_tier_between() -> None:
    assert list(inversions(TIERS, {0: 4, 3: 9, 1: 4, 2: 4})) == [
        Inversion(nid=3, tier="fast", than=1, than_tier="middle"),
        Inversion(nid=3, tier="fast", than=2, than_tier="slow"),
    ]


def test_a_nid_of_which_nothing_is_known_is_passed_over() -> None:
    assert list(inversions(TIERS, {0: 9, 2: 4})) == [Inversion(nid=0, tier="fast", than=2, than_tier="slow")]
    assert list(inversions(TIERS, {2: 4})) == []
