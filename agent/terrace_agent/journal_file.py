"""The journal as a file, one for each engine.

Use: `FileJournal(state_dir, boot_id=..., name=...)` in the agent, where `state_dir` is an existing plain directory
(`/host/run/terrace`, not reached through `HostFs`) and the boot id is `/proc/sys/kernel/random/boot_id`.

Before: `journal_form`. After: the engines, as their `Journal`.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from terrace_agent import journal_form
from terrace_agent.errors import StateUnusable, UnexpectedContent
from terrace_agent.journal import JournalState


class FileJournal:
    """The journal as a file in a directory; each engine has its own."""

    def __init__(self, state_dir: Path, *, boot_id: str, name: str = "journal.json") -> None:
        self._path = state_dir / name
        self._boot_id = boot_id
        self._state = JournalState()
        self._version: tuple[int, int, int] | None = None

    def load(self) -> JournalState:
        """See `Journal.load`.

        Raises:
            StateUnusable: the file is there and cannot be read.
            UnexpectedContent: it is no journal.
        """
        with _usable(self._path):
            try:
                found = self._path.stat()
            except FileNotFoundError:
                return JournalState()
            # A turn asks several times. Each save is another file, so that these tell one content from any other.
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
            if version != self._version:
                self._state, self._version = self._read(), version
            return self._state

    def _read(self) -> JournalState:
        text = self._path.read_text(encoding="utf-8")
        try:
            content = json.loads(text)
            if content["boot_id"] != self._boot_id:
                return JournalState()
            return journal_form.decode(content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnexpectedContent(path=str(self._path), content=text) from error

    def save(self, state: JournalState) -> None:
        """See `Journal.save`: a new file, synced, then renamed over the old one.

        Raises:
            StateUnusable: the directory is missing, read-only or full.
        """
        content = {"boot_id": self._boot_id, **journal_form.encode(state)}
        draft = self._path.with_suffix(".new")
        with _usable(self._path):
            with draft.open("w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            _sync_directory(self._path.parent)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateUnusable(path=str(path), errno=error.errno or 0) from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
