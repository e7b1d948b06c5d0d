"""The journal is whole or old, and of this boot."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from terrace_agent.errors import StateUnusable, UnexpectedContent
from terrace_agent.journal import Cooldown, Counter, JournalState, Original, OwnedKdamond, Tally
from terrace_agent.journal_file import FileJournal

PAIRS = st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=3).map(tuple)
OWNED = st.builds(
    OwnedKdamond,
    files=PAIRS,
    former=PAIRS,
    staged=PAIRS,
    pid=st.none() | st.integers(1),
    source_nid=st.none(),
    directions=st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=2).map(tuple),
)
STATES = st.builds(
    JournalState,
    originals=st.lists(st.builds(Original), max_size=2).map(tuple),
    owned=st.lists(OWNED, max_size=2).map(tuple),
    counters=st.lists(st.builds(Counter), max_size=2).map(tuple),
    features=st.none() | st.lists(st.text(max_size=9), max_size=3).map(tuple),
    tallies=st.lists(st.builds(Tally), max_size=2).map(tuple),
    cooldown=st.none() | st.builds(Cooldown, until_s=st.floats(0, 1e9)),
    counted_pages=st.lists(st.tuples(st.text(max_size=9), st.integers(0)), max_size=2).map(tuple),
)


@profile(deadline=None, max_examples=30)
@given(STATES)
def test_what_was_saved_is_loaded(tmp_path_factory: pytest.TempPathFactory, state: JournalState) -> None:
    where = tmp_path_factory.mktemp("journal")
    FileJournal(where, boot_id="a").save(state)
    assert FileJournal(where, boot_id="a").load() == state


def test_what_another_has_saved_meanwhile_is_loaded(tmp_path: Path) -> None:
    journal, other = FileJournal(tmp_path, boot_id="a"), FileJournal(tmp_path, boot_id="a")
    for promoted_bytes in range(1, 6):
        other.save(JournalState(promoted_bytes=promoted_bytes))
        assert journal.load() == JournalState(promoted_bytes=promoted_bytes)


def test_a_first_start_finds_an_empty_journal(tmp_path: Path) -> None:
    assert FileJournal(tmp_path, boot_id="a").load() == JournalState()


def test_after_a_reboot_there_is_nothing_to_restore(tmp_path: Path) -> None:
    FileJournal(tmp_path, boot_id="a").save(JournalState(promoted_bytes=1))
    assert FileJournal(tmp_path, boot_id="b").load() == JournalState()


def test_a_directory_that_cannot_be_used_is_said_with_the_file(tmp_path: Path) -> None:
    gone = FileJournal(tmp_path / "gone", boot_id="a")
    with pytest.raises(StateUnusable, match=r"gone/journal\.json: .*ENOENT"):
        gone.save(JournalState())
    (tmp_path / "journal.json").mkdir()
    with pytest.raises(StateUnusable, match=r"journal\.json: .*EISDIR"):
        FileJournal(tmp_path, boot_id="a").load()


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


CLAIM = {
    "index": 0,
    "source_nid": 0,
    "files": [["contexts/nr_contexts", "1"]],
    "made_from": "digest",
    "former": [],
    "pid": 77,
    "in_force": True,
}
COUNTER = {
    "index": 0,
    "scheme": 1,
    "promotes": False,
    "target_nid": 1,
    "pid": 77,
    "applied_bytes": 4096,
    "foreign_pages": 0,
    "thp_migrations": 0,
    "arrived_bytes": 4096,
}
FIRST_RELEASE = {
    "originals": [{"path": "/sys/kernel/mm/numa/demotion_enabled", "value": "false"}],
    "owned": [CLAIM],
    "counters": [COUNTER],
    "promoted_bytes": 0,
    "demoted_bytes": 8192,
    "features": ["paddr", "-thisnode"],
}
"""What an agent of the first release writes, and all that it can read: it refuses any other field."""


def test_a_journal_of_the_first_release_is_read_and_what_it_lacks_is_blank(tmp_path: Path) -> None:
    (tmp_path / "journal.json").write_text(json.dumps({"boot_id": "a", "state": FIRST_RELEASE}))
    found = FileJournal(tmp_path, boot_id="a").load()
    assert (found.owned[0].pid, found.owned[0].staged, found.owned[0].directions) == (77, (), ())
    assert (found.counters[0].arrived_bytes, found.counters[0].tried_bytes) == (4096, 0)
    assert (found.demoted_bytes, found.tallies, found.cooldown, found.easing) == (8192, (), None, 0)


def test_what_kdamonds_of_the_first_release_move_is_told_by_their_schemes(tmp_path: Path) -> None:
    schemes = "/sys/kernel/mm/damon/admin/kdamonds/0/contexts/0/schemes"
    files = [
        *([f"{schemes}/0/action", "stat"], [f"{schemes}/0/target_nid", "-1"]),
        *([f"{schemes}/1/action", "migrate_cold"], [f"{schemes}/1/target_nid", "1"]),
        *([f"{schemes}/2/action", "migrate_hot"], [f"{schemes}/2/target_nid", "2"]),
    ]
    state = FIRST_RELEASE | {"owned": [CLAIM | {"files": files}]}
    (tmp_path / "journal.json").write_text(json.dumps({"boot_id": "a", "state": state}))
    assert FileJournal(tmp_path, boot_id="a").load().owned[0].directions == ((False, 1), (True, 2))


def test_an_agent_of_the_first_release_finds_what_is_left_to_it_and_no_field_that_it_does_not_know(
    tmp_path: Path,
) -> None:
    state = JournalState(
        originals=(Original(path="/sys/kernel/mm/numa/demotion_enabled", value="false"),),
        owned=(
            OwnedKdamond(
                index=0,
                source_nid=0,
                files=(("contexts/nr_contexts", "1"),),
                made_from="digest",
                pid=77,
                in_force=True,
                staged=(("a", "b"),),
                directions=((False, 1),),
            ),
        ),
        counters=(Counter(**COUNTER, tried_bytes=5, quota_exceeds=2),),  # type: ignore[arg-type]
        demoted_bytes=8192,
        features=("paddr", "-thisnode"),
        easing=3,
        cooldown=Cooldown(reason="Churn", message="", until_s=1.5),
        counted_pages=(("pgpromote_success", 1),),
    )
    FileJournal(tmp_path, boot_id="a").save(state)
    assert json.loads((tmp_path / "journal.json").read_text())["state"] == FIRST_RELEASE
    assert FileJournal(tmp_path, boot_id="a").load() == state


SPENT = Tally(
    index=0,
    pid=7,
    promotes=True,
    target_nid=0,
    tried_bytes=3,
    applied_bytes=2,
    arrived_bytes=1,
    quota_exceeds=0,
)


def test_what_a_newer_agent_has_added_is_overlooked(tmp_path: Path) -> None:
    state = JournalState(
        easing=3,
        owned=(OwnedKdamond(index=0, source_nid=0, files=(("a", "1"),), made_from="x"),),
        tallies=(SPENT,),
        cooldown=Cooldown(reason="Churn", message="up and down", until_s=9.0),
    )
    FileJournal(tmp_path, boot_id="a").save(state)
    file = tmp_path / "journal.json"
    content = json.loads(file.read_text())
    newer = content["since"]
    for entry in (newer, newer["owned"][0], newer["tallies"][0], newer["cooldown"]):
        entry["invented_later"] = 1
    file.write_text(json.dumps(content))
    assert FileJournal(tmp_path, boot_id="a").load() == state
