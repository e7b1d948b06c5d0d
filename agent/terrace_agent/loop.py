"""The loop: takes turns, keeps the last state, and says what is true when it is worth saying.

Before: `inbox`. After: `outbox`, `metrics`. It holds no decision about tiering: those are in `decide`, `report` and the
engines.
"""

import time
import traceback
from collections.abc import Callable, Mapping

from terrace_agent.cycle import Cycle
from terrace_agent.decide import Intent, Outcome
from terrace_agent.inbox import Inbox
from terrace_agent.laststate import LastState
from terrace_agent.order import Order, read_order
from terrace_agent.outbox import Outbox, Publisher, Shelf, stamp
from terrace_agent.present import find
from terrace_agent.report import Active, activate, make_status, ready
from terrace_agent.steplog import StepLog
from terrace_agent.topology.values import Topology
from terrace_agent.turn import Turn, is_defect, without_trace
from terrace_api.conditions import ConditionStatus
from terrace_api.defaults import Json
from terrace_api.node_tiering import ConditionType, NodeTieringStatus

OnTurn = Callable[[NodeTieringStatus, Topology, float], None]
"""Told the status of each turn, the topology behind it, and how many seconds the turn took."""

_FIRST_OBJECT_S = 10.0
"""How long the first turn waits for an object: without one it could say nothing, and nobody would take it."""

_FAILED_S = 1.0
"""A turn that fails costs as much as one that does something."""


class Loop:
    """Runs until its inbox is closed."""

    def __init__(
        self,
        *,
        cycle: Cycle,
        inbox: Inbox,
        publisher: Publisher,
        last: LastState | None,
        log: StepLog,
        on_turn: tuple[OnTurn, ...],
        interval_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cycle = cycle
        self._inbox = inbox
        self._outbox = Outbox(publisher, log, clock)
        self._shelf = Shelf(last, log)
        self._log = log
        self._on_turn = on_turn
        self._interval_s = interval_s
        self._clock = clock
        self._received: Mapping[str, Json] | None = None
        self._order = Order()
        self._turn: Turn | None = None
        self._active = Active()
        self._status: NodeTieringStatus | None = None
        self._told: tuple[int, ConditionStatus, str] | None = None
        self._over = False

    def run(self) -> None:
        """Takes turns; returns after the inbox was closed. Stops nothing in the kernel."""
        if self._inbox.latest() is None:
            self._inbox.wait(_FIRST_OBJECT_S)
        self._log.step("receive")
        while not self._inbox.closed:
            self.turn()
            self._inbox.wait(self._pause_s())
            self._log.begin()
        self._over = True

    @property
    def left_the_node(self) -> bool:
        """Whether it has ended, and the node is as it was found."""
        turn = self._turn
        return self._over and turn is not None and (turn.intent, turn.outcome) == (Intent.RESTORE, Outcome.STOPPED)

    def turn(self) -> NodeTieringStatus:
        """Takes one turn and returns the status that it came to."""
        began = self._clock()
        self._receive()
        turn = self._cycle.turn(self._order, self._turn)
        self._active = activate(
            self._active,
            outcome=turn.outcome,
            intent=turn.intent,
            revision=turn.revision,
            running=turn.running,
            now=stamp(),
        )
        status = make_status(turn.observed(self._active), before=self._status, now=stamp())
        self._log.step("report")
        worth_it = _is_worth_a_line(turn, self._turn) or ready(status) != ready(self._status)
        self._report_defect(turn)
        for error in (turn.failure, turn.refused):
            without_trace(error)
        if self._received is not None:
            self._outbox.offer(status, before=self._status)
            if turn.refused is None:
                self._shelf.save(self._received, status)
        self._turn, self._status = turn, status
        self._log.flush(worth_it=worth_it)
        self._tell_whether_ready(status)
        for tell in self._on_turn:
            tell(status, turn.topology, self._clock() - began)
        return status

    def recall(self) -> None:
        """Takes up what the agent before this one left, if that was in this boot; call it before `run`."""
        if manifest := self._shelf.load():
            self._inbox.put(manifest)
            recalled, status = read_order(manifest)
            if recalled.spec:
                # The API server may have one by now that is refused: this one is followed meanwhile.
                self._turn = Turn(order=recalled, followed=recalled)
            if status:
                self._active = Active(revision=status.active_revision, since=status.active_since, mode=status.mode)
            self._log.note("recalled the last state", generation=manifest["metadata"].get("generation"))

    def _pause_s(self) -> float:
        """Returns how long to wait for news: after a failure not as short as a plan that succeeds may ask for."""
        turn = self._turn
        if turn is None or turn.plan is None:
            return self._interval_s
        least_s = min(self._interval_s, _FAILED_S) if turn.failure else 0.0
        return max(least_s, min(self._interval_s, turn.plan.recheck_s))

    def _receive(self) -> None:
        manifest = self._inbox.latest()
        if manifest is None or manifest is self._received:
            return
        before, self._received = self._received, manifest
        # Another uid is another object, made again under this node's name.
        made_again = before is not None and before["metadata"].get("uid") != manifest["metadata"].get("uid")
        self._outbox.expect(another_object=made_again)
        self._order, status = read_order(manifest)
        # Only for the transition times of its conditions: what is in force, an older boot's status cannot know.
        self._status = self._status or status

    def _tell_whether_ready(self, status: NodeTieringStatus) -> None:
        """Logs the condition that says what stands in the way, if anything does; once for each spec and reason."""
        if (found := find(status.conditions, ConditionType.READY)) is None:
            return
        told = (found.observed_generation, found.status, found.reason)
        if told != self._told:
            generation, verdict, reason = told
            self._log.note("ready", generation=generation, status=verdict.value, reason=reason, why=found.message)
        self._told = told

    def _report_defect(self, turn: Turn) -> None:
        if is_defect(turn.failure) and _name(turn) != _name(self._turn):
            self._log.note("defect", trace="".join(traceback.format_exception(turn.failure)))


def _is_worth_a_line(turn: Turn, before: Turn | None) -> bool:
    if before is None or turn.steps:
        return True
    return turn.order != before.order or turn.intent is not before.intent or _name(turn) != _name(before)


def _name(turn: Turn | None) -> str:
    return type(turn.refused or turn.failure).__name__ if turn else ""
