"""The newest object that was received, handed from whoever receives to the loop.

Before: `cluster` (another thread) or `main` (a file, the last state on disk). After: `loop`.
"""

import threading
from collections.abc import Mapping

from terrace_api.defaults import Json


class Inbox:
    """Holds one NodeTiering as received; a newer one replaces it. Safe between threads."""

    def __init__(self) -> None:
        self._changed = threading.Event()
        self._closed = False
        self._manifest: Mapping[str, Json] | None = None

    def put(self, manifest: Mapping[str, Json]) -> None:
        """Takes a received object, and wakes the loop if its spec is another one."""
        before, self._manifest = self._manifest, manifest
        if _version(before) != _version(manifest):
            self._changed.set()

    def latest(self) -> Mapping[str, Json] | None:
        """Returns the newest object; None until there is one."""
        return self._manifest

    def wait(self, seconds: float) -> bool:
        """Returns after `seconds`, or with True as soon as another spec came or the inbox was closed."""
        if self._closed:
            return True
        woken = self._changed.wait(seconds)
        self._changed.clear()
        return woken

    def close(self) -> None:
        """Ends every wait, now and later."""
        self._closed = True
        self._changed.set()

    @property
    def closed(self) -> bool:
        """Whether the loop should end."""
        return self._closed


def _version(manifest: Mapping[str, Json] | None) -> object:
    metadata = manifest["metadata"] if manifest else {}
    return metadata.get("uid"), metadata.get("generation")
