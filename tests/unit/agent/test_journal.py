"""The journal is whole or old, and of this boot."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from terrace_agent.errors import UnexpectedContent
from terrace_agent.journal import Counter, FileJournal, JournalState, Original, OwnedKdamond

PAIRS = st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=3).map(tuple)
OWNED = st.builds(
    OwnedKdamond, files=PAIRS, former=PAIRS, staged=PAIRS, pid=st.none() | st.integers(1), source_nid=st.none()
)
STATES = st.builds(
    JournalState,
    originals=st.lists(st.builds(Original), max_size=2).map(tuple),
    owned=st.lists(OWNED, max_size=2).map(tuple),
    counters=st.lists(st.builds(Counter), max_size=2).map(tuple),
    features=st.none() | st.lists(st.text(max_size=9), max_size=3).map(tuple),
)


@profile(deadline=None, max_examples=30)
@given(STATES)
def test_what_was_saved_is_loaded(tmp_path_factory: pytest.TempPathFactory, state: JournalState) -> None:
    where = tmp_path_factory.mktemp("journal")
    FileJournal(where, boot_id="a").save(state)
    assert FileJournal(where, boot_id="a").load() == state


def test_a_first_start_finds_an_empty_journal(tmp_path: Path) -> None:
    assert FileJournal(tmp_path, boot_id="a").load() == JournalState()


def test_after_a_reboot_there_is_nothing_to_restore(tmp_path: Path) -> None:
    FileJournal(tmp_path, boot_id="a").save(JournalState(promoted_bytes=1))
    assert FileJournal(tmp_path, boot_id="b").load() == JournalState()


def test_a_save_that_was_cut_off_leaves_the_old_state(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, boot_id="a")
    journal.save(JournalState(promoted_bytes=1))
    (tmp_path / "journal.new").write_text('{"boot_id": "a", "sta')
    assert journal.load() == JournalState(promoted_bytes=1)


@pytest.mark.parametrize("text", ["", "[]", '{"boot_id": "a"}', '{"boot_id": "a", "state": {"originals": [{}]}}'])
def test_a_journal_that_cannot_be_read_is_said_not_guessed(tmp_path: Path, text: str) -> None:
    (tmp_path / "journal.json").write_text(text)
    with pytest.raises(UnexpectedContent, match=r"journal\.json"):
        FileJournal(tmp_path, boot_id="a").load()
