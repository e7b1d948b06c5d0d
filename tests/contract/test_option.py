"""Each kernel boots once, whatever the order in which pytest finds its tests."""

from contract.option import side_by_side


def test_tests_of_a_kernel_come_one_after_the_other_in_their_order() -> None:
    assert side_by_side(["7.2", "6.16", "7.2", "6.16"]) == [0, 2, 1, 3]
    assert side_by_side([]) == []
