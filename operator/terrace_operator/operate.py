"""Puts the operator together and runs it until it is told to stop or a part of it fails. Shell.

Before: `main`. Parts: `elector`, `cluster` (two reflectors, `roll_call`), `reconcile`, `policy_watch` (kopf), `listen`.

All of them run on every replica; without leading they only read, so that whoever takes over knows the fleet already.
A term begins with new lists all the same: what the former leader wrote last may not have come over the watch yet. One
that goes on, after the API server was away, does not.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from terrace_operator.cluster.access import Cluster
from terrace_operator.cluster.connection import Connection, connect
from terrace_operator.cluster.lease import LeaseName, LeaseObject
from terrace_operator.cluster.look import AgentPods
from terrace_operator.cluster.reflector import Reflector
from terrace_operator.cluster.requests import SILENCE_S, Requests
from terrace_operator.elector import Elector, new_identity
from terrace_operator.fleet import Editions
from terrace_operator.listen import Address, listening
from terrace_operator.metrics import Metrics
from terrace_operator.policy_watch import PolicyWatch
from terrace_operator.reconcile import WRITES_PER_SECOND, Reconciler
from terrace_operator.recorder import Recorder
from terrace_operator.wake import Wake

_log = logging.getLogger(__name__)

_STUCK_S = 3 * SILENCE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says.

    Attributes:
        lease: the Lease whose holder writes.
        agent_pods: which pods are the agents'; None if nobody said.
        listen: where health and metrics are served; None for nowhere.
        writes_per_second: at most, of all kinds together.
    """

    lease: LeaseName
    agent_pods: AgentPods | None = None
    listen: Address | None = None
    writes_per_second: float = WRITES_PER_SECOND


class Operator:
    """One operator: its parts and how they are wired."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self.metrics = Metrics()
        self._term = 0
        self._wake = Wake()
        requests = Requests(connection)
        self._elector = Elector(LeaseObject(requests=requests, name=options.lease), new_identity(), self._term_changed)
        self._cluster = Cluster(
            requests,
            self._wake,
            left_s=self._elector.left_s,
            on_return=self._api_server_returned,
            agent_pods=options.agent_pods,
        )
        self._recorder = Recorder(self._cluster.write_event, self.metrics)
        self._reconciler = Reconciler(
            self._cluster, self.metrics, self._wake, self._recorder.tell, writes_per_second=options.writes_per_second
        )
        self._policy_watch = PolicyWatch(
            self._cluster, self._known_policies, self._reconciler.policies_changed, connection.credentials
        )
        self._reflectors: tuple[Reflector[Any], ...] = (
            self._cluster.node_reflector,
            self._cluster.tiering_reflector,
        )
        self.metrics.leader(lambda: self._elector.leading)
        for reflector in self._reflectors:
            self.metrics.watch_age(reflector.source.kind, lambda found=reflector: time.monotonic() - found.fresh_s)  # type: ignore[misc]

    async def run(self) -> None:
        """Runs until SIGTERM or SIGINT.

        Raises:
            Exception: whatever ended a part that should run for ever.
        """
        stop = asyncio.Event()
        _on_signals(stop)
        await self._elector.attempt()  # before the first lists: a term that begins now needs no second ones
        await _until_one_ends(
            _start("stop", stop.wait()),
            _start("lease", self._elector.run()),
            _start("nodes", self._cluster.node_reflector.run()),
            _start("nodetierings", self._cluster.tiering_reflector.run()),
            _start("events", self._recorder.run()),
            _start("reconcile", self._reconcile()),
            _start("silent nodes", self._cluster.roll_call.run(lambda: self._elector.leading)),
            _start("tieringpolicies", self._listen(stop)),
            _start("look at tieringpolicies", self._policy_watch.look()),
        )

    def alive(self) -> str:
        """Returns what only a restart could help with; an API server that does not answer is not among it."""
        stuck = [one.source.kind for one in self._reflectors if time.monotonic() - one.heard_s > _STUCK_S]
        return f"no sign of life from the watch of {', '.join(stuck)}" if stuck else ""

    def ready(self) -> str:
        """Returns what is still missing before the operator does its work, or could take it over."""
        unsynced = [one.source.kind for one in self._reflectors if not one.synced.is_set()]
        if self._reconciler.policies is None:
            unsynced.append("TieringPolicy")
        if unsynced:
            return f"not yet listed: {', '.join(unsynced)}"
        return "" if self._elector.asked.is_set() else "the Lease was not reached yet"

    async def _reconcile(self) -> None:
        """Gives the Lease back as soon as no write is under way; kopf may take longer to end."""
        try:
            await self._reconciler.run()
        finally:
            await self._elector.leave()

    def _term_changed(self) -> None:
        if self._elector.leading and self._elector.term != self._term:
            self._term = self._elector.term
            self._cluster.refresh()
            self._reconciler.begin_term()
        else:
            self._reconciler.policies_changed()

    def _known_policies(self) -> Editions | None:
        return self._reconciler.policies.editions if self._reconciler.policies else None

    def _api_server_returned(self) -> None:
        """Policies may have changed unseen, and kopf may take longer to come back."""
        self._reconciler.policies_changed()

    async def _listen(self, stop: asyncio.Event) -> None:
        """Runs kopf once the policies have been listed: until then nobody has to be told of a change."""
        while self._reconciler.policies is None:
            await asyncio.sleep(0.1)
        await self._policy_watch.listen(started=lambda: _on_signals(stop))


async def operate(options: Options) -> None:
    """Connects, listens, and runs the operator."""
    async with AsyncExitStack() as stack:
        connection = await connect()
        stack.push_async_callback(connection.close)
        operator = Operator(connection, options)
        if options.listen:
            registry = operator.metrics.registry
            await stack.enter_async_context(
                listening(options.listen, alive=operator.alive, ready=operator.ready, registry=registry)
            )
        await operator.run()


async def _until_one_ends(*parts: asyncio.Task[Any]) -> None:
    """Cancels the others when one ends; returns when all have ended."""
    done, running = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    _log.info("stopping: %s ended", ", ".join(task.get_name() for task in done))
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for task in done:
        task.result()


def _start(name: str, part: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.create_task(part, name=name)


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
