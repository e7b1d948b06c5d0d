"""The loop: takes turns, keeps the last state, and says what is true when it is worth saying.

Before: `inbox`. After: a `Publisher` (`cluster` in the DaemonSet, a line on the terminal by hand), `metrics`. It holds
no decision about tiering: those are in `decide`, `report` and the engines.
"""

import random
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from terrace_agent.cycle import Cycle
from terrace_agent.errors import ApiUnavailable
from terrace_agent.inbox import Inbox
from terrace_agent.laststate import LastState
from terrace_agent.order import Order, read_order
from terrace_agent.report import Active, Observed, activate, is_due, make_status, totals
from terrace_agent.steplog import StepLog
from terrace_agent.topology.values import Topology
from terrace_agent.turn import Turn, is_defect
from terrace_api.codec import encode_status
from terrace_api.defaults import Json
from terrace_api.node_tiering import ConditionType, NodeTieringStatus

OnTurn = Callable[[NodeTieringStatus, Topology, float], None]
"""Told the status of each turn, the topology behind it, and how many seconds the turn took."""

_FIRST_OBJECT_S = 10.0
"""How long the first turn waits for an object: without one it could say nothing, and nobody would take it."""
_TOTALS_EVERY_S = 60.0
"""Totals are written no more often than this for their own sake."""
_FIRST_RETRY_S, _LONGEST_RETRY_S = 5.0, 30.0


class Publisher(Protocol):
    """Where a status goes."""

    def publish(self, status: NodeTieringStatus) -> None:
        """Makes the status known.

        Raises:
            ApiUnavailable: nobody took it; it is tried again.
        """

    def heartbeat_period_s(self) -> int:
        """Returns within what time a status is to be published even if nothing changed; never fails."""


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
        interval_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cycle = cycle
        self._inbox = inbox
        self._publisher = publisher
        self._last = last
        self._log = log
        self._on_turn = on_turn
        self._interval_s = interval_s
        self._clock = clock
        self._received: Mapping[str, Json] | None = None
        self._order = Order()
        self._turn: Turn | None = None
        self._active = Active()
        self._status: NodeTieringStatus | None = None
        self._written: NodeTieringStatus | None = None
        self._saved: NodeTieringStatus | None = None
        self._retry_s = _FIRST_RETRY_S
        self._write_not_before = 0.0
        self._heartbeat_at = 0.0
        self._totals_not_before = 0.0

    def run(self) -> None:
        """Takes turns; returns after the inbox was closed. Stops nothing in the kernel."""
        if self._inbox.latest() is None:
            self._inbox.wait(_FIRST_OBJECT_S)
        self._log.step("receive")
        while not self._inbox.closed:
            self.turn()
            plan = self._turn.plan if self._turn else None
            self._inbox.wait(min(self._interval_s, plan.recheck_s) if plan else self._interval_s)
            self._log.begin()

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
            now=_now(),
        )
        status = self._make_status(turn)
        worth_it = _is_worth_a_line(turn, self._turn) or _ready(status) != _ready(self._status)
        self._report_defect(turn)
        self._publish(status)
        self._save(turn, status)
        self._turn, self._status = turn, status
        self._log.flush(worth_it=worth_it)
        for tell in self._on_turn:
            tell(status, turn.topology, self._clock() - began)
        return status

    def recall(self) -> None:
        """Takes up what the agent before this one left, if that was in this boot; call it before `run`."""
        if self._last and (manifest := self._last.load()):
            self._inbox.put(manifest)
            recalled, status = read_order(manifest)
            if recalled.spec:
                # The API server may have one by now that is refused: this one is followed meanwhile.
                self._turn = Turn(order=recalled, followed=recalled)
            if status:
                self._active = Active(revision=status.active_revision, since=status.active_since, mode=status.mode)
            self._log.note("recalled the last state", generation=manifest["metadata"].get("generation"))

    def _receive(self) -> None:
        manifest = self._inbox.latest()
        if manifest is None or manifest is self._received:
            return
        if self._received is not None and self._received["metadata"].get("uid") != manifest["metadata"].get("uid"):
            # Another object, made again under this node's name: nothing was written to that one.
            self._written = None
        self._received = manifest
        self._write_not_before = 0.0
        self._order, status = read_order(manifest)
        # Only for the transition times of its conditions: what is in force, an older boot's status cannot know.
        self._status = self._status or status

    def _make_status(self, turn: Turn) -> NodeTieringStatus:
        seen = Observed(
            generation=turn.order.generation,
            unknown_fields=turn.order.unknown_fields,
            kernel=turn.kernel,
            situation=turn.situation(self._active.revision),
            active=self._active,
            topology=turn.topology,
            moved=turn.moved,
            pods=turn.pods,
            decisions=turn.workloads.decisions,
            plan_words=turn.plan.words if turn.plan else (),
            effective=turn.plan.effective if turn.plan else None,
            levels=turn.plan.levels if turn.plan else None,
        )
        status = make_status(seen, before=self._status, now=_now())
        self._log.step("report")
        return status

    def _publish(self, status: NodeTieringStatus) -> None:
        now = self._clock()
        if self._received is None or now < self._write_not_before:
            return
        if not is_due(
            status,
            before=self._status,
            written=self._written,
            overdue=now >= self._heartbeat_at,
            totals_wait=now < self._totals_not_before,
        ):
            return
        period_s = self._publisher.heartbeat_period_s()
        try:
            self._publisher.publish(replace(status, last_heartbeat_time=_now(), heartbeat_period_seconds=period_s))
        except ApiUnavailable as error:
            self._write_not_before = now + self._retry_s * random.uniform(1, 1.5)
            self._retry_s = min(self._retry_s * 2, _LONGEST_RETRY_S)
            self._log.note("status not written", problem=str(error))
        else:
            if self._written is not None and totals(status) != totals(self._written):
                self._totals_not_before = now + _TOTALS_EVERY_S
            self._written = status
            self._retry_s = _FIRST_RETRY_S
            # Spread: an edit makes all agents of a fleet write at once, and they must not go on in step.
            self._heartbeat_at = now + period_s * random.uniform(0.5, 0.95)
        self._log.step(
            "publish", generation=status.observed_generation, ready=_ready(status) if self._written is status else None
        )

    def _save(self, turn: Turn, status: NodeTieringStatus) -> None:
        manifest = self._received
        if self._last is None or manifest is None or turn.refused is not None:
            return
        if not is_due(status, before=None, written=self._saved, overdue=False, totals_wait=True):
            return
        metadata = {key: manifest["metadata"].get(key) for key in ("name", "uid", "generation")}
        try:
            self._last.save({"metadata": metadata, "spec": manifest["spec"], "status": encode_status(status)})
        except OSError as error:
            self._log.note("last state not saved", problem=str(error))
        else:
            self._saved = status
        self._log.step("save")

    def _report_defect(self, turn: Turn) -> None:
        if is_defect(turn.failure) and _name(turn) != _name(self._turn):
            self._log.note("defect", trace="".join(traceback.format_exception(turn.failure)))


def _is_worth_a_line(turn: Turn, before: Turn | None) -> bool:
    if before is None or turn.steps:
        return True
    return turn.order != before.order or turn.intent is not before.intent or _name(turn) != _name(before)


def _name(turn: Turn | None) -> str:
    return type(turn.refused or turn.failure).__name__ if turn else ""


def _ready(status: NodeTieringStatus | None) -> str | None:
    """Returns the status of the condition Ready; None before there is one."""
    conditions = status.conditions if status else ()
    return next((one.status.value for one in conditions if one.type == ConditionType.READY), None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
