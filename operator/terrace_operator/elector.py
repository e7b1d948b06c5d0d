"""Holds the Lease, or waits for it, and says for how long it is certain that nobody else writes. Shell.

Before: `election` has the rules, `cluster.lease` the object. After: `cluster.access` starts no write without the time
that `Elector.left_s` gives; `operate` begins a term from a fresh list.
"""

import asyncio
import logging
import math
import random
import socket
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

from terrace_operator.election import (
    ENDED_WITHIN_S,
    RENEW_WITHIN_S,
    RETRY_S,
    Lease,
    Sighting,
    claim,
    leave,
    sighted,
    take,
)
from terrace_operator.errors import ApiConflict, ApiGarbled, ApiNotFound, ApiRefused, ApiUnreachable
from terrace_operator.logs import fields

_log = logging.getLogger(__name__)

_ATTEMPT_S = 4.0
"""A request that hangs leaves time for another attempt before the deadline."""


class Lock(Protocol):
    """The Lease, as `cluster.lease` has it."""

    async def read(self) -> Lease:
        """Returns the Lease; one without a version if it does not exist."""
        ...

    async def write(self, lease: Lease) -> Lease:
        """Makes or replaces it, unless somebody else did since it was read."""
        ...


class Elector:
    """One candidate.

    Attributes:
        holder: who holds the Lease as far as is known; empty for nobody.
        asked: set once the Lease has been looked at.
        term: of this process, the last one if it no longer leads. It leads again in the same one if nobody else did in
            between.
    """

    def __init__(
        self,
        lock: Lock,
        identity: str,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        """Makes a candidate that holds nothing.

        Args:
            lock: what to hold.
            identity: of this process and no other, ever.
            on_change: called when this process begins to lead, also in another term, and when it no longer does.
            clock: goes on while the machine sleeps, as other candidates' clocks do.
        """
        self.holder = ""
        self.term = 0
        self.asked = asyncio.Event()
        self._lock = lock
        self._identity = identity
        self._on_change = on_change
        self._clock = clock
        self._seen: Sighting | None = None
        self._from_s = 0.0
        self._renewed_s: float | None = None
        self._left = False
        self._told: int | None = None
        self._problem = ""

    @property
    def leading(self) -> bool:
        """Whether a write may be started."""
        return self.left_s() > 0

    def left_s(self) -> float:
        """Returns how long a write may take that starts now; 0 if none may start."""
        now_s = self._clock()
        if self._left or self._renewed_s is None or not self._from_s <= now_s < self._renewed_s + RENEW_WITHIN_S:
            return 0.0
        return self._renewed_s + ENDED_WITHIN_S - now_s

    async def run(self) -> None:
        """Tries to get the Lease and to keep it, for ever."""
        while True:
            await self.attempt()
            await asyncio.sleep(RETRY_S * random.uniform(1, 1.2))

    async def attempt(self) -> None:
        """Looks at the Lease once, and takes or renews it if it may."""
        await self._without_fail(self._attempt)
        self._tell()

    async def take(self) -> None:
        """Takes the Lease from whoever holds it; leads as soon as that one has certainly stopped writing.

        Raises:
            ApiRefused, ApiUnreachable, ApiGarbled: it could not be taken.
        """
        while self.holder != self._identity:
            former = (await self._look()).lease
            try:
                await self._write(take(former, self._identity, now=_now()))
            except (ApiConflict, ApiNotFound):
                continue
            if former.holder:
                self._from_s = self._clock() + former.duration_s

    async def leave(self, held_s: int = 0) -> None:
        """Ends this process's part for good: it writes nothing any more.

        Nobody else does either for `held_s` seconds, nor while one from whom the Lease was taken still may.
        """
        leading, self._renewed_s, self._left = self._renewed_s is not None, None, True
        held_s = max(held_s, math.ceil(self._from_s - self._clock()))
        if leading:
            await self._without_fail(lambda: self._leave(held_s))
        self._tell()

    async def _attempt(self) -> None:
        seen = self._seen
        if seen is None or seen.lease.holder != self._identity or not seen.lease.version:
            seen = await self._look()
        try:
            await self._claim(seen)
        except (ApiConflict, ApiNotFound):  # somebody else has it, deleted it, or an answer to this process was lost
            await self._claim(await self._look())

    async def _look(self) -> Sighting:
        found = await self._lock.read()
        self._seen = sighted(self._seen, found, self._clock())
        self.holder = found.holder
        self.asked.set()
        return self._seen

    async def _claim(self, seen: Sighting) -> None:
        if self._left:
            return
        wanted = claim(seen, self._identity, leading=self.leading, now_s=self._clock(), now=_now())
        if wanted is None:
            self._renewed_s = None
        else:
            await self._write(wanted)

    async def _write(self, wanted: Lease) -> None:
        sent_s = self._clock()
        self._seen = sighted(None, await self._lock.write(wanted), self._clock())
        self._renewed_s, self.holder, self.term = sent_s, self._identity, self._seen.lease.transitions

    async def _leave(self, held_s: int) -> None:
        found = await self._lock.read()
        if found.holder == self._identity:
            await self._lock.write(leave(found, now=_now(), held_s=held_s))

    async def _without_fail(self, request: Callable[[], Awaitable[None]]) -> None:
        """Says what went wrong when it is something new; the next attempt comes in any case."""
        try:
            async with asyncio.timeout(_ATTEMPT_S):
                await request()
        except ApiConflict:
            self._problem = ""  # somebody else was faster
        except (ApiRefused, ApiUnreachable, ApiGarbled, TimeoutError) as error:
            problem = str(error) or type(error).__name__
            if problem != self._problem:
                _log.warning("lease not reached", extra=fields(error=problem))
            self._problem = problem
        else:
            self._problem = ""

    def _tell(self) -> None:
        term = self.term if self.leading else None
        if term != self._told:
            self._told = term
            fact = fields(identity=self._identity, holder=self.holder)
            _log.info("no longer leading" if term is None else "leading", extra=fact)
            self._on_change()


def new_identity() -> str:
    """Returns what no other process has been or will be: a restarted container of the same pod is another holder."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
