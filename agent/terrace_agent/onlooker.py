"""What `probe` and `plan` work with beside a running agent: nothing that they do reaches the kernel or its journal.

The agent is the only writer of both. Another one would take its originals and its claims back to what they were when it
read them, and stage schemes where the agent is about to have its own.

Before: `engines`. After: an engine, to which it looks like any host and journal.
"""

import errno
from pathlib import Path

from terrace_agent.errors import StoreWithheld
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Journal, JournalState


class OnlookerHost:
    """Another `HostFs`, of which nothing but reads is passed on."""

    def __init__(self, host: HostFs) -> None:
        self._host = host

    def read(self, path: str) -> str:
        """See `HostFs.read`."""
        return self._host.read(path)

    def store(self, path: str, value: str) -> None:
        """Stores nothing.

        Raises:
            StoreWithheld: always. Whoever only asks the kernel to refresh its files goes on with them as they are.
        """
        raise StoreWithheld(path=path, value=value, errno=errno.ECANCELED)

    def names(self, path: str) -> tuple[str, ...]:
        """See `HostFs.names`."""
        return self._host.names(path)

    def folders(self, path: str) -> tuple[str, ...]:
        """See `HostFs.folders`."""
        return self._host.folders(path)

    def exists(self, path: str) -> bool:
        """See `HostFs.exists`."""
        return self._host.exists(path)

    def locate(self, path: str) -> Path:
        """See `HostFs.locate`."""
        return self._host.locate(path)


class OnlookerJournal:
    """A `Journal` that begins as another one is now; what is saved stays in memory."""

    def __init__(self, journal: Journal) -> None:
        self._state = journal.load()

    def load(self) -> JournalState:
        """See `Journal.load`."""
        return self._state

    def save(self, state: JournalState) -> None:
        """Keeps it for as long as this object is there."""
        self._state = state
