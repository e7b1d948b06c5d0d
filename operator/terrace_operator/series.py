"""An event that is told again soon is counted instead of repeated. Pure; clocks come in as arguments.

Before: `events`. After: `recorder` writes what comes out.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from terrace_operator.events import Event

SERIES_S = 600.0
"""An event that comes again within that time is the same one."""
_AGAIN_S = 60.0
"""Least time between two writes of the count."""
_NAME_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWrite:
    """An event as it should be on the API server.

    Attributes:
        name: of the object, the same for all of a series.
        first: when it was told first.
        count: how often it was told by now.
        last: when it was told last.
    """

    name: str
    event: Event
    first: datetime
    count: int
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The last that was told of one event, by the monotonic clock: told at all, and written."""

    write: EventWrite
    told_s: float
    written_s: float


def tell(event: Event, before: Told | None, *, now_s: float, now: datetime) -> tuple[Told, EventWrite | None]:
    """Returns what to remember, and what to write, if anything; `before` is of an equal event."""
    if before is None or now_s >= before.told_s + SERIES_S:
        write = EventWrite(name=_name(event, now), event=event, first=now, count=1, last=now)
        return Told(write=write, told_s=now_s, written_s=now_s), write
    write = EventWrite(
        name=before.write.name, event=event, first=before.write.first, count=before.write.count + 1, last=now
    )
    if now_s < before.written_s + _AGAIN_S:
        return Told(write=write, told_s=now_s, written_s=before.written_s), None
    return Told(write=write, told_s=now_s, written_s=now_s), write


def over(told: Mapping[Event, Told], now_s: float) -> tuple[Event, ...]:
    """Returns the events that can be forgotten; those that were told last must come last, and are not looked at."""
    return tuple(event for event, _ in takewhile(lambda one: now_s >= one[1].told_s + SERIES_S, told.items()))


def _name(event: Event, now: datetime) -> str:
    """Returns a name that no other event has: by whom it regards, when, and what it says."""
    what = zlib.crc32(f"{event.reason} {event.note}".encode())
    return f"{event.regarding.name[:_NAME_CHARS]}.{int(now.timestamp() * 1_000_000):x}{what:08x}"
