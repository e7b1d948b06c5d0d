"""`run`: assembles the loop, in the DaemonSet or by hand with a file, and ends it on a signal.

Before: `main`. `kubernetes` and `prometheus_client` are imported where they are needed only: by hand neither is.
How it ends: `signals`.
"""

import hashlib
import sys
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from terrace_agent import signals
from terrace_agent.byhand import as_received, ignored, read_policy
from terrace_agent.cycle import Cycle
from terrace_agent.engines import make_engines, read_boot_id
from terrace_agent.errors import AnotherAgentRuns
from terrace_agent.forget import forget
from terrace_agent.heartbeat import SHORTEST_S
from terrace_agent.hostfs import HostFs
from terrace_agent.inbox import Inbox
from terrace_agent.laststate import LastState
from terrace_agent.lock import lock
from terrace_agent.loop import Loop, OnTurn
from terrace_agent.outbox import Publisher
from terrace_agent.present import status_line
from terrace_agent.serve import Pulse, serve
from terrace_agent.steplog import StepLog, seconds_since_process_start
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.roster import Roster
from terrace_api.node_tiering import NodeTieringStatus
from terrace_api.policy import Mode

_STACK_BYTES = 1 << 20
"""Of each thread: the default of 8 MiB lets transparent huge pages make 2 MiB of the little that is used."""
_STALE_AFTER_S = 60.0
_FIRST_PODS_S = 10.0
"""How long the first turn waits for this node's pods, if none are on disk: it would leave all of them alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line says.

    Attributes:
        listen: where `/metrics` and `/healthz` are served; None for nowhere.
    """

    node: str
    state_dir: Path
    interval_s: float
    listen: tuple[str, int] | None


def run_in_cluster(host: HostFs, options: RunOptions) -> int:
    """Follows this node's NodeTiering until a signal."""
    from terrace_agent.cluster import Cluster  # noqa: PLC0415 (see the module's docstring)
    from terrace_agent.transport import connect  # noqa: PLC0415

    log = _begin()
    _wait_for_lock(options.state_dir, log)
    inbox = Inbox()
    boot_id = read_boot_id(host)
    roster = Roster(LastState(options.state_dir, boot_id=boot_id, name="pods.json"), log)
    cluster = Cluster(connect(), node=options.node, inbox=inbox, pods=roster, log=log)
    log.step("connect")
    last = LastState(options.state_dir, boot_id=boot_id)
    loop = _assemble(host, options, inbox=inbox, publisher=cluster, last=last, log=log, roster=roster)
    loop.recall()
    roster.recall()
    cluster.start()
    roster.wait(_FIRST_PODS_S)
    ended = signals.run_until_one(loop.run, inbox.close, log)
    if loop.left_the_node:
        roster.close()
        forget(options.state_dir, boot_id=boot_id)
    return ended


def run_file(host: HostFs, options: RunOptions, file: Path) -> int:
    """Follows the policy in `file` until a signal, and prints the status when it changes."""
    log = _begin()
    lock(options.state_dir)
    policy = read_policy(file)
    revision = f"file-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}"
    inbox = Inbox()
    inbox.put(as_received(policy, node=options.node, revision=revision))
    terminal = _Terminal(sys.stdout)
    if note := ignored(policy):
        terminal.say(note)
    loop = _assemble(host, options, inbox=inbox, publisher=terminal, last=None, log=log, on_turn=(terminal.show,))
    ended = signals.run_until_one(loop.run, inbox.close, log)
    terminal.say(terminal.farewell())
    return ended


class _Terminal:
    """A `Publisher` that prints; every turn, not only when a status would be due."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""
        self._pids: tuple[int, ...] = ()
        self._in_force = ""

    def publish(self, status: NodeTieringStatus) -> None:
        """See `show`."""

    def heartbeat_period_s(self) -> int:
        """Returns any period: nobody waits for one."""
        return SHORTEST_S

    def show(self, status: NodeTieringStatus, topology: Topology, seconds: float) -> None:
        del topology, seconds
        self._pids = tuple(kdamond.pid for kdamond in status.kdamonds)
        self._in_force = status.engine.value if status.mode is Mode.ENFORCE else ""
        line = status_line(status)
        if line != self._shown:
            self._shown = line
            self.say(f"{datetime.now().astimezone():%H:%M:%S} {line}")

    def say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def farewell(self) -> str:
        pids = ", ".join(map(str, self._pids))
        what = f"kdamonds {pids}" if pids else self._in_force
        if not what:
            return "Nothing of Terrace runs in the kernel."
        return f"The kernel goes on ({what}). To stop that and restore everything: terrace-agent stop"


def _begin() -> StepLog:
    signals.hold_back()
    threading.stack_size(_STACK_BYTES)
    log = StepLog()
    log.begin(seconds_ago=seconds_since_process_start())
    log.step("start")
    return log


def _wait_for_lock(state_dir: Path, log: StepLog) -> None:
    told = False
    while True:
        try:
            lock(state_dir)
        except AnotherAgentRuns as error:
            if not told:
                log.note("waiting", problem=str(error))
            told = True
            if signals.await_one(1.0):
                raise
        else:
            return


def _assemble(
    host: HostFs,
    options: RunOptions,
    *,
    inbox: Inbox,
    publisher: Publisher,
    last: LastState | None,
    log: StepLog,
    on_turn: tuple[OnTurn, ...] = (),
    roster: Roster | None = None,
) -> Loop:
    pulse = Pulse(stale_after_s=_STALE_AFTER_S)
    if options.listen is not None:
        from terrace_agent.metrics import Metrics  # noqa: PLC0415 (see the module's docstring)

        metrics = Metrics()
        on_turn += (metrics.record,)
        serve(options.listen, render=metrics.render, pulse=pulse)
    cycle = Cycle(host, make_engines(host, options.state_dir), log, roster)
    log.step("assemble")
    return Loop(
        cycle=cycle,
        inbox=inbox,
        publisher=publisher,
        last=last,
        log=log,
        on_turn=(*on_turn, lambda *_: pulse.beat()),
        interval_s=options.interval_s,
    )
