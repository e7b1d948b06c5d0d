"""Words about frames: asked for once each, and together where they are near each other."""

from pathlib import Path

from terrace_agent.move_pages.words import MOST, read, store, stretches


def test_a_word_is_asked_for_once_and_neighbours_together() -> None:
    assert list(stretches([7, 5, 6, 5, 9, 7])) == [[5, 6, 7], [9]]


def test_words_between_are_asked_for_where_that_is_less_work() -> None:
    assert list(stretches([0, 16, 33], gap=15)) == [[0, 16], [33]]


def test_no_stretch_is_longer_than_what_sysfs_gives_at_once() -> None:
    assert [len(one) for one in stretches(range(MOST + 1))] == [MOST, 1]
    assert list(stretches([0, MOST - 1, MOST], gap=MOST)) == [[0, MOST - 1], [MOST]]


def test_what_is_stored_is_read_and_what_lies_between_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "words"
    file.write_bytes(b"\1" + bytes(8 * 8 - 1))
    store(file, {2: 20, 3: 1 << 63, 7: 70})
    assert read(file, range(8), gap=2) == {0: 1, 1: 0, 2: 20, 3: 1 << 63, 4: 0, 5: 0, 6: 0, 7: 70}


def test_words_beyond_the_end_of_the_file_are_missing(tmp_path: Path) -> None:
    file = tmp_path / "words"
    file.write_bytes(bytes(2 * 8))
    assert read(file, [1, 2, 3, 4_000]) == {1: 0}
