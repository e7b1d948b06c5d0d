"""The loop: read the whole state, decide, write what differs, and wait until something changes. Shell.

It knows nothing of what happened, only what is. A lost event, a restart or a failed write costs time, never the
result: whatever is not as decided is found again by the next pass, and there is one every minute in any case.

Before: `cluster` and `handlers` wake it. After: NodeTiering.spec and TieringPolicy.status are as decided.
"""

import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

from terrace_api.conditions import ConditionStatus
from terrace_operator.census import Census, census
from terrace_operator.decide import Decided, Decision
from terrace_operator.decider import Decider, Seen
from terrace_operator.errors import ApiGarbled, ApiRefused, ApiUnreachable, NotLeading
from terrace_operator.events import Event, Troubles, change_of_hands, policy_events, troubles, turns
from terrace_operator.fleet import Agents, Policies
from terrace_operator.liveness import AliveWrite
from terrace_operator.logs import fields
from terrace_operator.metrics import Metrics
from terrace_operator.node_writes import NodeWrite, node_writes, outlived
from terrace_operator.standing import Standing
from terrace_operator.status_writer import StatusWriter
from terrace_operator.statuses import StatusWrite, policy_statuses, remembers
from terrace_operator.tally import tally
from terrace_operator.throttle import Throttle
from terrace_operator.wake import Wake
from terrace_operator.writer import Writer, WriteT

_log = logging.getLogger(__name__)

RESYNC_S = (45.0, 75.0)
"""Bounds of the time between two passes that list the policies again although nobody said that they changed."""
ADOPT_AFTER_S = 30.0
"""How long the garbage collector may take to collect a NodeTiering of an earlier registration of its node."""
_LIST_AGAIN_S = 2.0
WRITES_PER_SECOND = 200.0
"""A fleet of 5,000 nodes takes a new revision in half a minute; one API server of a few cores takes more than this."""


class Fleet(Seen, Protocol):
    """The whole state and the two kinds of writes, as `cluster.access` has them."""

    @property
    def leading(self) -> bool:
        """Whether this process may write."""
        ...

    @property
    def complete(self) -> bool:
        """Whether nodes and NodeTierings are known as they are now."""
        ...

    @property
    def agents(self) -> Agents:
        """What is known of the agents of nodes: whose are not alive. To look is to hear who has spoken since."""
        ...

    def alive_writes(self, agents: Agents, now: str) -> tuple[AliveWrite, ...]:
        """Returns the conditions AgentAlive that do not say what `agents` does."""
        ...

    async def list_policies(self) -> Policies:
        """Returns all policies as they are now."""
        ...

    async def write_tiering(self, write: NodeWrite) -> None:
        """Makes or changes a NodeTiering."""
        ...

    async def write_status(self, write: StatusWrite) -> None:
        """Writes a policy's status."""
        ...

    async def write_alive(self, write: AliveWrite) -> None:
        """Writes a NodeTiering's condition AgentAlive."""
        ...


class Reconciler:
    """Makes the cluster be as decided.

    Attributes:
        policies: as of the last list; None until the first one succeeded, and again when a term begins.
        settled: a pass has ended with nothing left to write.
    """

    def __init__(
        self,
        fleet: Fleet,
        metrics: Metrics,
        wake: Wake,
        tell: Callable[[Iterable[Event]], None],
        *,
        writes_per_second: float = WRITES_PER_SECOND,
    ) -> None:
        """Makes one that knows nothing yet; `tell` takes events over."""
        self.policies: Policies | None = None
        self.settled = False
        metrics.fleet(self.census)
        self._fleet = fleet
        self._metrics = metrics
        self._wake = wake
        self._list_due_s = 0.0
        self._term = self._decided_in = 0
        self._decider = Decider(fleet)
        self._tell = tell
        self._decisions: tuple[Decision, ...] | None = None
        self._troubles: Troubles | None = None
        self._unsure: set[str] = set()
        self._outlived_since: dict[str, float] = {}
        throttle = Throttle(writes_per_second)
        self._specs = Writer("NodeTiering", self._in_its_term(self._write_spec), self._spec_written, throttle, metrics)
        write_alive, write_status = self._in_its_term(fleet.write_alive), self._in_its_term(fleet.write_status)
        self._alive = Writer("NodeTiering/status", write_alive, _alive_written, throttle, metrics)
        self._statuses = StatusWriter(write_status, self._status_written, throttle, metrics)

    def policies_changed(self) -> None:
        """Says that the policies have to be listed again."""
        self._list_due_s = 0.0
        self._wake.now()

    def begin_term(self) -> None:
        """Says that another process may have written until now: what it recorded in statuses has to be listed first.

        A pass that is under way writes nothing more.
        """
        self._term += 1
        self.policies = None
        self._forget()
        self.policies_changed()

    async def run(self) -> None:
        """Reconciles for ever."""
        while True:
            with self._metrics.passes.time():
                await self.reconcile()
            self._wake.at(self._list_due_s)
            await self._wake.wait()

    async def reconcile(self) -> None:
        """Makes one pass; without leading it only keeps the policies in mind."""
        if self._list_due_s <= time.monotonic():
            await self._list_policies()
        policies = self.policies
        if policies is None or not self._fleet.complete:
            self._forget()
            return
        now = datetime.now(UTC)
        agents = self._fleet.agents  # looked at in every pass: who takes over knows already who was heard when
        if not self._fleet.leading:
            self._forget()
            self._metrics.waiting.clear()
            return
        self._decided_in = self._term
        with self._deciding():
            decided = self._decider.decide(policies, agents, self._unsure, now)
            writes = node_writes(decided.decisions, self._fleet.tierings, self._adoptable(decided.decisions))
            self._unsure &= {write.name for write in writes}
        _, specs_again_s = await self._specs.write_all(writes)
        statuses_again_s = await self._write_statuses(policies, decided, agents, now)
        _, alive_again_s = await self._alive.write_all(self._fleet.alive_writes(agents, _stamp(now)))
        for due_s in (specs_again_s, statuses_again_s, alive_again_s, *self._decider.due_s):
            if due_s is not None:
                self._wake.at(due_s)
        self.settled = specs_again_s is None
        self._decisions = decided.decisions

    def census(self) -> Census | None:
        """Returns what there is to count; None without leading, for another replica counts the same."""
        if self.policies is None or self._decisions is None or not self._fleet.leading:
            return None
        return census(self.policies, self._decisions, self._fleet.tierings.values())

    def _forget(self) -> None:
        """Begins as a new process would: what is known of time is of another time.

        Not which writes got no answer: they lose it just when the API server goes away, and when it is back, what
        became of them may be heard a moment after the first decision.
        """
        self._decider.forget()
        self._troubles = None

    async def _list_policies(self) -> None:
        """Lists the policies; what was asked for before a term began is not of that term, and they stay due."""
        self._list_due_s = time.monotonic() + random.uniform(*RESYNC_S)
        term = self._term
        try:
            found = await self._fleet.list_policies()
        except (ApiRefused, ApiUnreachable, ApiGarbled) as error:
            _log.warning("cannot list policies", extra=fields(error=str(error)))
            self._list_due_s = time.monotonic() + _LIST_AGAIN_S
            return
        if term == self._term:
            self.policies = found

    def _adoptable(self, decisions: Iterable[Decision]) -> frozenset[str]:
        now_s = time.monotonic()
        self._outlived_since = {
            uid: self._outlived_since.get(uid, now_s) for uid in outlived(decisions, self._fleet.tierings)
        }
        due_s = {uid: since_s + ADOPT_AFTER_S for uid, since_s in self._outlived_since.items()}
        for at_s in due_s.values():
            if at_s > now_s:
                self._wake.at(at_s)
        return frozenset(uid for uid, at_s in due_s.items() if at_s <= now_s)

    def _in_its_term(self, write: Callable[[WriteT], Awaitable[None]]) -> Callable[[WriteT], Awaitable[None]]:
        """Returns a write that is refused in any later term than that in which it was decided."""

        async def write_in_its_term(what: WriteT) -> None:
            if self._decided_in != self._term:
                raise NotLeading
            await write(what)

        return write_in_its_term

    async def _write_spec(self, write: NodeWrite) -> None:
        """Writes a spec, and remembers that it may be there if it was sent and no answer says whether it is."""
        earlier = write.name in self._unsure
        self._unsure.add(write.name)
        try:
            await self._fleet.write_tiering(write)
        except NotLeading:
            if not earlier:
                self._unsure.discard(write.name)
            raise
        except ApiRefused as error:
            if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                self._unsure.discard(write.name)
            raise
        self._unsure.discard(write.name)

    async def _write_statuses(
        self, policies: Policies, decided: Decided, agents: Agents, now: datetime
    ) -> float | None:
        with self._deciding():
            names = (policy.name for policy in policies.all)
            tallies = tally(names, decided.decisions, self._fleet.tierings, agents)
            self._tell_turns([standing for one in tallies.values() for standing in one.followers])
            writes = policy_statuses(policies, decided.rollouts, tallies, now)
        in_vain, again_s = await self._statuses.write_due(writes)
        if in_vain:  # a policy may be another one by now
            self._list_due_s = min(self._list_due_s, time.monotonic() + _LIST_AGAIN_S)
        return again_s

    def _tell_turns(self, standings: Sequence[Standing]) -> None:
        """Tells who got into trouble and out of it; the first look finds only what is so already."""
        if self._troubles is not None:
            self._tell(turns(self._troubles, standings, self._fleet.nodes))
        self._troubles = troubles(self._troubles or {}, standings)

    def _spec_written(self, write: NodeWrite) -> None:
        policy = write.spec.policy.name if write.spec.policy else ""
        fact = fields(node=write.name, action=write.spec.action, policy=policy, revision=write.spec.revision or "")
        _log.info("spec written: %s", write.reason, extra=fact)
        self._tell(change_of_hands(write))

    def _status_written(self, write: StatusWrite) -> None:
        """Keeps what was written: the next list may come long after the next pass."""
        if remembers(write.after) != remembers(write.before):
            self._wake.now()  # what follows from it is decided by the next pass
        if self.policies is not None:
            self.policies = replace(self.policies, statuses={**self.policies.statuses, write.uid: write.after})
        self._tell(policy_events(write))

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        """Measures what takes the processor; waiting for answers does not."""
        started_s = time.monotonic()
        with self._metrics.decisions.time():
            yield
        self._wake.rest_after(time.monotonic() - started_s)


def _alive_written(write: AliveWrite) -> None:
    condition = write.condition
    level = logging.INFO if condition.status is ConditionStatus.TRUE else logging.WARNING
    fact = fields(node=write.name, alive=condition.status, reason=condition.reason)
    _log.log(level, "agent: %s", condition.message, extra=fact)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
