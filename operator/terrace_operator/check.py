"""`terrace-operator check`: waits until an installation does its work, and says what does not. Changes nothing. Shell.

Before: `main`. Parts: `cluster`; `checkup` judges.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from terrace_operator.checkup import Point, Sight, checkup
from terrace_operator.cluster.access import Cluster
from terrace_operator.cluster.connection import Connection, connect
from terrace_operator.cluster.lease import LeaseName, LeaseObject
from terrace_operator.cluster.requests import Requests
from terrace_operator.election import Lease
from terrace_operator.errors import ApiGarbled, ApiRefused, ApiUnreachable
from terrace_operator.wake import Wake

_LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What the command line says.

    Attributes:
        lease: the Lease whose holder writes.
        limit_s: how long to wait until all is well.
    """

    lease: LeaseName
    limit_s: float


async def check(options: CheckOptions) -> tuple[Point, ...]:
    """Returns what is well and what is not, as soon as all is well or the time is up."""
    async with AsyncExitStack() as stack:
        connection = await connect()
        stack.push_async_callback(connection.close)
        return await Check(connection, options).run()


class Check:
    """One check: its parts and how they are wired."""

    def __init__(self, connection: Connection, options: CheckOptions) -> None:
        self._options = options
        requests = Requests(connection)
        self._lease = LeaseObject(requests=requests, name=options.lease)
        self._cluster = Cluster(requests, Wake(), left_s=lambda: 0.0, on_return=lambda: None)
        self._first: Lease | None = None

    async def run(self) -> tuple[Point, ...]:
        """Looks again and again."""
        end_s = time.monotonic() + self._options.limit_s
        parts = (self._cluster.node_reflector.run(), self._cluster.tiering_reflector.run())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            while True:
                found = checkup(await self._look())
                if all(point.good for point in found) or time.monotonic() >= end_s:
                    return found
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> Sight:
        lease, lease_problem = await self._look_at_lease()
        return Sight(
            policies_problem=await self._policies_problem(),
            lease=str(self._options.lease),
            lease_problem=lease_problem,
            holder=lease.holder,
            renewed=self._first is not None and lease != self._first,
            nodes=tuple(self._cluster.nodes) if self._cluster.complete else None,
            tierings=dict(self._cluster.tierings),
        )

    async def _look_at_lease(self) -> tuple[Lease, str]:
        try:
            found = await self._lease.read()
        except (ApiRefused, ApiUnreachable, ApiGarbled) as error:
            return Lease(), str(error)
        self._first = self._first or found
        return found, ""

    async def _policies_problem(self) -> str:
        try:
            await self._cluster.list_policies()
        except (ApiRefused, ApiUnreachable, ApiGarbled) as error:
            return str(error)
        return ""
