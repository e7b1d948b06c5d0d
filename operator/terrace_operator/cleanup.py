"""`terrace-operator cleanup`: brings every node back as it was found, whatever the policies say. Shell.

It takes the Lease first, so that no operator writes against it, and leaves it held for a while: time enough to
uninstall.

Before: `main`. Parts: `elector`, `cluster`, `writer`; `restoration` judges.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from terrace_operator.assign import Cause
from terrace_operator.cluster.access import Cluster
from terrace_operator.cluster.connection import Connection, connect
from terrace_operator.cluster.lease import LeaseName, LeaseObject
from terrace_operator.cluster.requests import Requests
from terrace_operator.compile import RESTORE
from terrace_operator.decide import Decision
from terrace_operator.elector import Elector, new_identity
from terrace_operator.fleet import Policies
from terrace_operator.metrics import Metrics
from terrace_operator.node_writes import NodeWrite, node_writes
from terrace_operator.restoration import Restoration, farewell, restoration
from terrace_operator.throttle import Throttle
from terrace_operator.wake import Wake
from terrace_operator.writer import Writer

HELD_S = 60
"""For so long no operator writes after a clean-up has ended."""
_LOOK_EVERY_S = 1.0
_POLL_S = 0.1

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanUpOptions:
    """What the command line says.

    Attributes:
        lease: the Lease whose holder writes.
        limit_s: when to end, whatever it waits for then: the Lease, or nodes that have not answered.
        writes_per_second: at most.
    """

    lease: LeaseName
    limit_s: float
    writes_per_second: float


async def clean_up(options: CleanUpOptions, say: Say) -> Restoration:
    """Restores all nodes; says how far it is and what is left to do.

    Raises:
        ApiRefused, ApiUnreachable, ApiGarbled: the Lease could not be taken, or the policies not be listed.
        TimeoutError: no node could be told within the limit; says why.
    """
    async with AsyncExitStack() as stack:
        connection = await connect()
        stack.push_async_callback(connection.close)
        return await CleanUp(connection, options, say).run()


class CleanUp:
    """One clean-up: its parts and how they are wired."""

    def __init__(self, connection: Connection, options: CleanUpOptions, say: Say) -> None:
        self._options = options
        self._say = say
        self._wake = Wake()
        requests = Requests(connection)
        self._elector = Elector(LeaseObject(requests=requests, name=options.lease), new_identity(), self._wake.now)
        self._cluster = Cluster(requests, self._wake, left_s=self._elector.left_s, on_return=self._wake.now)
        throttle = Throttle(options.writes_per_second)
        self._writer = Writer("NodeTiering", self._cluster.write_tiering, lambda _: None, throttle, Metrics())

    async def run(self) -> Restoration:
        """Takes the Lease, restores, and leaves the Lease held; an interrupted clean-up gives it back."""
        end_s = time.monotonic() + self._options.limit_s
        await self._elector.take()
        held_s = 0
        parts = (self._elector.run(), self._cluster.node_reflector.run(), self._cluster.tiering_reflector.run())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            await self._until_alone(end_s)
            found = await self._restore(end_s)
            policies = await self._cluster.list_policies()
            held_s = HELD_S
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._elector.leave(held_s=held_s)
        self._say(self._farewell(found, policies))
        return found

    async def _until_alone(self, end_s: float) -> None:
        if not self._elector.leading:
            self._say("waiting until whoever held the Lease has certainly stopped writing")
        while not (self._elector.leading and self._cluster.complete):
            if time.monotonic() >= end_s:
                why = "nodes could not be listed" if self._elector.leading else "whoever held the Lease may still write"
                raise TimeoutError(f"no node was told within {self._options.limit_s:.0f} s: {why}")
            await asyncio.sleep(_POLL_S)

    async def _restore(self, end_s: float) -> Restoration:
        said = ""
        while True:
            await self._writer.write_all(self._writes())
            found = restoration(self._cluster.tierings.values(), self._cluster.agents)
            if found.line() != said:
                said = found.line()
                self._say(said)
            if found.over or time.monotonic() >= end_s:
                return found
            self._wake.at(min(end_s, time.monotonic() + _LOOK_EVERY_S))
            await self._wake.wait()

    def _farewell(self, found: Restoration, policies: Policies) -> str:
        return farewell(
            found,
            (policy.name for policy in policies.all),
            held_s=HELD_S,
            lease=str(self._options.lease),
            agent_image=os.environ.get("TERRACE_AGENT_IMAGE", ""),
        )

    def _writes(self) -> tuple[NodeWrite, ...]:
        """Nodes without a NodeTiering need none to be as they were found."""
        tierings = self._cluster.tierings
        decisions = (
            Decision(node=node, spec=RESTORE, cause=Cause.NOT_SELECTED, reason="clean-up")
            for node in self._cluster.nodes.values()
            if node.name in tierings
        )
        return node_writes(decisions, tierings, adoptable=())
