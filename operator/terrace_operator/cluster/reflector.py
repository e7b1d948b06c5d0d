"""A paged list and an endless watch of one kind, kept as a mapping from name to value.

However the stream is lost (cut, silence, garbage, an error, a resource version that is too old), the mapping ends up
as the API server has it: the watch goes on where it stopped, and where that is not possible, the list is read again
and replaces everything at once.

Before: `objects` makes the values. After: `reconcile` reads `items` when it is told that something changed.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from terrace_api.backoff import backoff_s
from terrace_operator.cluster.requests import JSON, Requests
from terrace_operator.errors import ApiGarbled, ApiGone, ApiRefused, ApiUnreachable, refused
from terrace_operator.logs import fields

_log = logging.getLogger(__name__)

Json = Any
Value = TypeVar("Value")

PAGE = "500"
_WATCH_S = (300, 600)
"""Bounds of the length that is asked for, spread so that no two watches end together."""
_LEAST_DELAY_S, _MOST_DELAY_S = 0.2, 10.0
_RELIST_AFTER = 3
"""Failures in a row after which the resource version itself is suspected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Generic[Value]):
    """What to list and watch.

    Attributes:
        as_: the form in which the API server shall send objects; `PartialObjectMetadata` leaves spec and status out.
        can_wait: whether nobody waits for the difference between two values of one object.
    """

    kind: str
    path: str
    read: Callable[[Json], Value]
    as_: str | None = None
    can_wait: Callable[[Value, Value], bool] = lambda before, after: False  # noqa: ARG005

    def accept(self, suffix: str = "") -> str:
        """Returns the media type of an object, or with the suffix `List`, of a list."""
        return f"{JSON};as={self.as_}{suffix};g=meta.k8s.io;v=v1" if self.as_ else JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Before(Generic[Value]):
    """What the copy said of one object when a write of it began.

    Attributes:
        value: None if it was not there.
        removals: how often anything had been taken out of the copy.
    """

    value: Value | None
    removals: int


class Reflector(Generic[Value]):
    """Keeps `items` as the API server has them.

    Attributes:
        items: by name; changes in place, so a reader that awaits takes a copy first.
        changes: grows when `items` does not say the same as before.
        synced: set while a list is complete; before the first one `items` says nothing.
        current: whether `items` is complete and, as far as is known, as the API server has it; not while that is away.
            True from the moment a watch is answered: what happened meanwhile comes right after, as events always do.
        heard_s: monotonic time of the last sign of life of this loop, a failed attempt included.
        fresh_s: monotonic time at which `items` was last known to be complete and current.
    """

    def __init__(
        self,
        source: Source[Value],
        requests: Requests,
        on_change: Callable[[bool], None],
        on_return: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Makes one that has not listed anything yet.

        Args:
            source: what to keep.
            requests: where it is.
            on_change: called for each change of `items`, with whether somebody waits for it.
            on_return: called when `items` becomes current, with the seconds since it was so last.
        """
        self.source = source
        self.items: dict[str, Value] = {}
        self.changes = 0
        self.synced = asyncio.Event()
        self.current = False
        self.heard_s = self.fresh_s = time.monotonic()
        self._requests = requests
        self._on_change = on_change
        self._on_return = on_return
        self._following: asyncio.Task[None] | None = None
        self._version: str | None = None
        self._failures = 0
        self._removals = 0

    async def run(self) -> None:
        """Lists and watches for ever."""
        while True:
            self._following = asyncio.create_task(self._follow())
            try:
                await asyncio.wait({self._following})
            finally:
                self._following.cancel()
            if not self._following.cancelled():
                self._following.result()

    def refresh(self) -> None:
        """Begins with a new list; until it is complete, `synced` is not set."""
        self.synced.clear()
        self.current = False
        if self._following is not None:
            self._following.cancel()

    async def _follow(self) -> None:
        self._version = None
        while True:
            try:
                if self._version is None:
                    await self._list()
                await self._watch()
            except ApiGone as error:
                _log.info("resource version too old, listing again", extra=fields(kind=self.source.kind))
                self._version = None
                self.current = False
                if self._failures:  # a new list did not help
                    await self._wait(error)
                self._failures = max(1, self._failures)
            except ApiGarbled as error:
                self._version = None
                await self._wait(error)
            except (ApiRefused, ApiUnreachable) as error:
                if self._failures >= _RELIST_AFTER:
                    self._version = None
                await self._wait(error)

    def before(self, name: str) -> Before[Value]:
        """Returns what to give to `put` when the write that begins now has its answer."""
        return Before(value=self.items.get(name), removals=self._removals)

    def put(self, name: str, before: Before[Value], value: Value) -> None:
        """Puts in the answer to a write of ours, unless something newer may have arrived meanwhile.

        An object that is still not there may have come and gone; if anything has gone, the watch will say. It says
        nothing new of what was put in, so the change is told here.
        """
        gone = before.value is None and before.removals != self._removals
        if self.items.get(name) is before.value and not gone and before.value != value:
            self._keep(name, before.value, value)

    async def _list(self) -> None:
        found: dict[str, Value] = {}
        query = {"limit": PAGE}
        while True:
            page = await self._requests.get(self.source.path, accept=self.source.accept("List"), query=query)
            self._alive()
            items, token, version = _read_page(page, self.source)
            found |= items
            if not token:
                break
            query = {"limit": PAGE, "continue": token}
        self._version = version
        self._replace(found)

    def _replace(self, found: dict[str, Value]) -> None:
        first, changed = not self.synced.is_set(), found != self.items
        self.items = found
        self._removals += 1
        self._fresh()
        self.synced.set()
        _log.info("listed", extra=fields(kind=self.source.kind, objects=len(found)))
        if first or changed:
            self._changed()

    async def _watch(self) -> None:
        length = random.randint(*_WATCH_S)
        query = {"resourceVersion": self._version or "", "timeoutSeconds": str(length)}
        async with self._requests.watch(self.source.path, accept=self.source.accept(), query=query) as events:
            self._fresh()
            if self._failures:
                _log.info("watching again", extra=fields(kind=self.source.kind, failures=self._failures))
            async for event in events:
                self._handle(event)
                self._fresh()
                self._failures = 0
        self._failures = 0
        await asyncio.sleep(random.uniform(_LEAST_DELAY_S, 1))

    def _handle(self, event: Json) -> None:
        try:
            type_, manifest = event["type"], event["object"]
            if type_ == "ERROR":
                raise refused(
                    status=manifest.get("code", 500),
                    reason=manifest.get("reason", ""),
                    message=manifest.get("message", ""),
                )
            version = manifest["metadata"]["resourceVersion"]
            if type_ in {"ADDED", "MODIFIED", "DELETED"}:
                self._change(manifest, gone=type_ == "DELETED")
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiGarbled(f"watch event without {error}") from error
        self._version = version

    def _change(self, manifest: Json, *, gone: bool) -> None:
        name = manifest["metadata"]["name"]
        if gone:
            self._removals += 1
            known = self.items.pop(name, None)
            if known is not None:
                self._changed()
            return
        value, known = self.source.read(manifest), self.items.get(name)
        if known != value:
            self._keep(name, known, value)

    def _keep(self, name: str, known: Value | None, value: Value) -> None:
        self.items[name] = value
        self._changed(urgent=known is None or not self.source.can_wait(known, value))

    def _changed(self, *, urgent: bool = True) -> None:
        self.changes += 1
        self._on_change(urgent)

    def _alive(self) -> None:
        self.heard_s = time.monotonic()

    def _fresh(self) -> None:
        last_s, now_s = self.fresh_s, time.monotonic()
        self.heard_s = self.fresh_s = now_s
        if not self.current:
            self.current = True
            self._on_return(now_s - last_s)

    async def _wait(self, error: Exception) -> None:
        """Sleeps with jitter, longer after every failure in a row."""
        self._alive()
        self.current = False
        self._failures += 1
        most = backoff_s(self._failures + 1, first_s=_LEAST_DELAY_S, most_s=_MOST_DELAY_S)
        delay = random.uniform(most / 2, most) + (error.retry_after_s if isinstance(error, ApiRefused) else 0.0)
        fact = fields(kind=self.source.kind, error=str(error), retry_in_s=round(delay, 1))
        _log.log(logging.WARNING if self._failures > 1 else logging.INFO, "watch lost", extra=fact)
        await asyncio.sleep(delay)


def _read_page(page: Json, source: Source[Value]) -> tuple[dict[str, Value], str, str]:
    """Returns a page's values by name, where the next page begins (empty for the last), and the list's version."""
    try:
        items = {item["metadata"]["name"]: source.read(item) for item in page["items"] or ()}
        return items, page["metadata"].get("continue", ""), page["metadata"]["resourceVersion"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ApiGarbled(f"list of {source.kind} without {error}") from error
