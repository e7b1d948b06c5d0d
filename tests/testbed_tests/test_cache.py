"""The cache never shows what is half-made."""

import os
import threading
import time
from pathlib import Path

import pytest

from testbed import cache


@pytest.fixture(autouse=True)
def cache_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TERRACE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill(directory: Path) -> None:
    (directory / "file").write_text("made")


def test_an_entry_is_built_once() -> None:
    built = []

    def build(directory: Path) -> None:
        built.append(1)
        fill(directory)

    for _ in range(2):
        assert (cache.entry("thing", "key", build) / "file").read_text() == "made"
    assert built == [1]


def test_an_interrupted_build_leaves_nothing(cache_root: Path) -> None:
    def interrupted(directory: Path) -> None:
        fill(directory)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("thing", "key", interrupted)
    assert list((cache_root / "thing").iterdir()) == []


def test_what_a_killed_builder_left_is_not_taken(cache_root: Path) -> None:
    left = cache_root / "thing" / "key.partial"
    left.mkdir(parents=True)
    (left / "old").write_text("half")
    assert [file.name for file in cache.entry("thing", "key", fill).iterdir()] == ["file"]


def test_two_builders_build_once() -> None:
    built = []

    def slow(directory: Path) -> None:
        built.append(1)
        time.sleep(0.2)
        fill(directory)

    threads = [threading.Thread(target=cache.entry, args=("thing", "key", slow)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [1]


def test_a_new_entry_lets_go_of_those_that_were_not_used_for_long(cache_root: Path) -> None:
    for age, name in enumerate(("first", "second", "third")):
        os.utime(cache.entry("thing", name, fill), (age, age))
    cache.entry("thing", "first", fill)
    cache.entry("thing", "new", fill, keep=2)
    assert sorted(entry.name for entry in (cache_root / "thing").iterdir()) == ["first", "new"]


def test_entries_of_the_last_hour_stay(cache_root: Path) -> None:
    for name in ("one", "two", "three"):
        cache.entry("thing", name, fill, keep=1)
    assert len(list((cache_root / "thing").iterdir())) == 3


def test_the_key_follows_contents_names_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "tree" / "file"
    file.parent.mkdir()
    file.write_text("one")
    keys = [cache.key(file.parent)]
    file.write_text("two")
    keys.append(cache.key(file.parent))
    file.chmod(0o755)
    keys.append(cache.key(file.parent))
    file.rename(file.with_name("other"))
    keys.append(cache.key(file.parent))
    assert len(set(keys)) == 4


def test_the_key_ignores_compiled_python(tmp_path: Path) -> None:
    before = cache.key(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "module.pyc").write_text("compiled")
    assert cache.key(tmp_path) == before
