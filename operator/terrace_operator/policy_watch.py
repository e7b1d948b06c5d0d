"""Says that TieringPolicies changed: kopf says it at once, a look every ten seconds says it for certain. Shell.

kopf ends for good when the API server says for a moment that the kind is not there, watches nothing if it does not
find it at its start, and after a gap in its watch it lists anew, which names nobody who has been deleted meanwhile
(kopf 1.45, `kopf/_cogs/clients/watching.py`, `continuous_watch`). None of this is a reason for an edit to be missed.

Before: `handlers` (kopf), `cluster` looks. After: `reconcile` is told to list the policies.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

from terrace_operator.cluster.connection import Credentials
from terrace_operator.errors import ApiGarbled, ApiRefused, ApiUnreachable
from terrace_operator.fleet import Editions
from terrace_operator.handlers import watch_policies
from terrace_operator.logs import fields

_log = logging.getLogger(__name__)

LOOK_S = (8.0, 12.0)
"""Bounds of the time between two looks; policies are tens of objects, and only their metadata is read."""
_KOPF_AGAIN_S = 5.0
_FIND_AGAIN_S = 1.0


class PoliciesSeen(Protocol):
    """What can be seen of the policies without reading them, as `cluster.access` has it."""

    async def policies_are_found(self) -> bool:
        """Returns whether discovery names the policies' kind."""
        ...

    async def policy_editions(self) -> Editions:
        """Returns which policies there are, in which edition."""
        ...


class PolicyWatch:
    """Calls `changed` whenever a policy was made, edited or deleted."""

    def __init__(
        self,
        seen: PoliciesSeen,
        known: Callable[[], Editions | None],
        changed: Callable[[], None],
        credentials: Callable[[], Awaitable[Credentials]],
    ) -> None:
        """Makes one that holds what it sees against what is `known` by then; kopf asks for `credentials`.

        Two looks would not do: a policy that was made and deleted between them leaves no difference.
        """
        self._seen = seen
        self._known = known
        self._changed = changed
        self._credentials = credentials

    async def listen(self, started: Callable[[], None]) -> NoReturn:
        """Runs kopf for ever, each time once the kind is found; `started` is as in `watch_policies`."""
        while True:
            try:
                await self._found()
                await watch_policies(self._changed, self._credentials, started)
            except Exception as error:
                _log.warning("kopf ended, starting it again", extra=fields(error=f"{type(error).__name__}: {error}"))
            await asyncio.sleep(_KOPF_AGAIN_S)
            self._changed()

    async def look(self) -> NoReturn:
        """Looks for ever."""
        while True:
            await self.look_once()
            await asyncio.sleep(random.uniform(*LOOK_S))

    async def look_once(self) -> None:
        """Calls `changed` if the policies are not those that are known."""
        try:
            found = await self._seen.policy_editions()
        except (ApiRefused, ApiUnreachable, ApiGarbled) as error:
            _log.info("cannot look at policies", extra=fields(error=str(error)))
            return
        if found != self._known():
            self._changed()

    async def _found(self) -> None:
        while True:
            try:
                if await self._seen.policies_are_found():
                    return
            except (ApiRefused, ApiUnreachable, ApiGarbled) as error:
                _log.warning("cannot look for TieringPolicy", extra=fields(error=str(error)))
            await asyncio.sleep(_FIND_AGAIN_S)
