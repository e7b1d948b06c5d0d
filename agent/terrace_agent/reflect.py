"""A list and then a watch of some objects, for ever: whatever breaks, it goes on where it was, or lists again.

Before: `transport`. After: whoever keeps the objects (`inbox`, `workloads.roster`). The agent's memory is small, so
nothing of an object is kept here.
"""

import random
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Protocol

from terrace_agent.errors import ApiUnavailable
from terrace_agent.steplog import StepLog
from terrace_agent.transport import Query, Server
from terrace_api.backoff import backoff_s
from terrace_api.defaults import Json

_SILENCE_S = 70
"""Bookmarks come about once a minute: a watch that is silent for longer is dead, whatever TCP says."""
_WATCH_S = 600
_REWATCH_S = 3.0
"""An API server that is stopped ends the watches of a whole fleet at once: they come back spread over this time."""
_BACKOFF_S = (1.0, 30.0)
_RELIST_AFTER = 3
"""Failures in a row after which the resource version itself is suspected."""


class Sink(Protocol):
    """Who keeps what is listed and watched; called from the watching thread."""

    def replace(self, manifests: Iterable[Json]) -> None:
        """Takes the whole list."""

    def put(self, manifest: Json) -> None:
        """Takes an object that is new or has changed."""

    def remove(self, manifest: Json) -> None:
        """Takes note that an object was deleted."""

    def heard(self) -> None:
        """Takes note that nothing has changed as of now."""


class Reflector:
    """Keeps one sink up to date, in a thread of its own that ends with the process.

    Args:
        from_cache: lists what the API server has at hand, which may be a moment old and costs it little. The watch
            goes on from there. A later list is not from there: it must not be older than what was seen.
        before_watch: called in the watching thread before each watch.
    """

    def __init__(
        self,
        server: Server,
        path: str,
        *,
        field_selector: str,
        sink: Sink,
        log: StepLog,
        from_cache: bool = False,
        before_watch: Callable[[], None] = lambda: None,
    ) -> None:
        self._server = server
        self._path = path
        self._selector: Query = [("fieldSelector", field_selector)]
        self._listing: Query = [*self._selector, *([("resourceVersion", "0")] if from_cache else [])]
        self._sink = sink
        self._log = log
        self._before_watch = before_watch
        self._version = ""
        self._failures = 0
        self._closed = threading.Event()

    def start(self) -> None:
        """Starts to watch."""
        threading.Thread(target=self._watch_for_ever, name="watch", daemon=True).start()

    def close(self) -> None:
        """Ends it at its next event, or pause."""
        self._closed.set()

    def _watch_for_ever(self) -> None:
        while not self._closed.is_set():
            try:
                if not self._version:
                    self._list()
                self._before_watch()
                self._watch()
                self._failures = 0
                self._closed.wait(random.uniform(0, _REWATCH_S))
            except Exception as error:
                # A defect must not leave the agent deaf: whatever it was, go on.
                self._log.note("watch interrupted", path=self._path, problem=f"{type(error).__name__}: {error}")
                self._recover(error)

    def _recover(self, error: Exception) -> None:
        """Pauses, longer after every failure in a row, and lists again where the version may be what is wrong."""
        self._failures += 1
        if not _will_pass(error) or self._failures >= _RELIST_AFTER:
            self._version = ""
        most_s = backoff_s(self._failures, first_s=_BACKOFF_S[0], most_s=_BACKOFF_S[1])
        self._closed.wait(random.uniform(0, most_s))

    def _list(self) -> None:
        found = self._server.get(self._path, self._listing)
        self._sink.replace(found["items"])
        self._version, self._listing = found["metadata"]["resourceVersion"], self._selector
        self._log.note("listed", path=self._path, objects=len(found["items"]))

    def _watch(self) -> None:
        """Follows the objects until the server ends the watch; each event moves the version to go on from."""
        query = [
            *self._selector,
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", self._version),
            ("timeoutSeconds", str(_WATCH_S + random.randrange(_WATCH_S))),
        ]
        for event in self._server.stream(self._path, query, silence_s=_SILENCE_S):
            if event["type"] == "ERROR":
                raise ApiUnavailable(
                    request=f"watch {self._path}",
                    status=event["object"].get("code", 0),
                    message=event["object"].get("message", ""),
                )
            version = event["object"]["metadata"]["resourceVersion"]
            self._hand_on(event)
            self._version, self._failures = version, 0

    def _hand_on(self, event: dict[str, Json]) -> None:
        match event["type"]:
            case "ADDED" | "MODIFIED":
                self._sink.put(event["object"])
            case "DELETED":
                self._sink.remove(event["object"])
            case _:
                self._sink.heard()


def _will_pass(error: Exception) -> bool:
    """Returns whether the same watch may succeed later: no answer, too many requests, or the server's own trouble."""
    if not isinstance(error, ApiUnavailable):
        return False
    return error.status in {0, HTTPStatus.TOO_MANY_REQUESTS} or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
