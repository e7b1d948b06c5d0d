"""What goes out of the loop: the status to whoever takes it, and the last state to the disk, each when it is due.

Before: `loop`. After: a `Publisher` (`cluster` in the DaemonSet, a line on the terminal by hand) and `laststate`. When
something is due is in `report.is_due`; how long to wait after a failure, and between heartbeats, is here.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from terrace_agent.errors import ApiUnavailable
from terrace_agent.laststate import LastState
from terrace_agent.report import is_due, ready, totals
from terrace_agent.steplog import StepLog
from terrace_api.codec import encode_status
from terrace_api.defaults import Json
from terrace_api.node_tiering import NodeTieringStatus

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


class Outbox:
    """Publishes the statuses that are due, and remembers which one was written."""

    def __init__(self, publisher: Publisher, log: StepLog, clock: Callable[[], float]) -> None:
        self._publisher = publisher
        self._log = log
        self._clock = clock
        self._written: NodeTieringStatus | None = None
        self._retry_s = _FIRST_RETRY_S
        self._not_before = 0.0
        self._heartbeat_at = 0.0
        self._totals_not_before = 0.0

    def expect(self, *, another_object: bool) -> None:
        """Says that a spec was received, so that nothing is put off; to another object nothing was written yet."""
        self._not_before = 0.0
        if another_object:
            self._written = None

    def offer(self, status: NodeTieringStatus, *, before: NodeTieringStatus | None) -> None:
        """Publishes the status of this turn if it is due; `before` is that of the turn before."""
        now = self._clock()
        if now < self._not_before:
            return
        if not is_due(
            status,
            before=before,
            written=self._written,
            overdue=now >= self._heartbeat_at,
            totals_wait=now < self._totals_not_before,
        ):
            return
        period_s = self._publisher.heartbeat_period_s()
        try:
            self._publisher.publish(replace(status, last_heartbeat_time=stamp(), heartbeat_period_seconds=period_s))
        except ApiUnavailable as error:
            self._put_off(error, now)
        else:
            self._remember(status, now, period_s)
        taken = self._written is status
        self._log.step("publish", generation=status.observed_generation, ready=ready(status) if taken else None)

    def _put_off(self, error: ApiUnavailable, now: float) -> None:
        self._not_before = now + self._retry_s * random.uniform(1, 1.5)
        self._retry_s = min(self._retry_s * 2, _LONGEST_RETRY_S)
        self._log.note("status not written", problem=str(error))

    def _remember(self, status: NodeTieringStatus, now: float, period_s: int) -> None:
        if self._written is not None and totals(status) != totals(self._written):
            self._totals_not_before = now + _TOTALS_EVERY_S
        self._written = status
        self._retry_s = _FIRST_RETRY_S
        # Spread: an edit makes all agents of a fleet write at once, and they must not go on in step.
        self._heartbeat_at = now + period_s * random.uniform(0.5, 0.95)


class Shelf:
    """Saves the last good configuration and the last status, if there is a place for them."""

    def __init__(self, last: LastState | None, log: StepLog) -> None:
        self._last = last
        self._log = log
        self._saved: NodeTieringStatus | None = None

    def load(self) -> dict[str, Json] | None:
        """Returns what the agent before this one saved in this boot."""
        return self._last.load() if self._last else None

    def save(self, manifest: Mapping[str, Json], status: NodeTieringStatus) -> None:
        """Saves what was received and what came of it, when more than counters changed."""
        if self._last is None or not is_due(status, before=None, written=self._saved, overdue=False, totals_wait=True):
            return
        metadata = {key: manifest["metadata"].get(key) for key in ("name", "uid", "generation")}
        try:
            self._last.save({"metadata": metadata, "spec": manifest["spec"], "status": encode_status(status)})
        except OSError as error:
            self._log.note("last state not saved", problem=str(error))
        else:
            self._saved = status
        self._log.step("save")


def stamp() -> str:
    """Returns the time as objects have it: RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
