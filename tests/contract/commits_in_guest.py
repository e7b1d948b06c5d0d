"""Runs in a guest: the loop commits again and again, since pods come and go while it does; told as JSON.

Usage: commits_in_guest.py POLICY. Some pods are left alone, so that there are lists of what may move, and every pod
that comes or goes is a reason to commit. The engine lets that be one every five seconds by its clock, which runs faster
here.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TextIO

from contract.engine_in_guest import STATE
from contract.pods_in_guest import Pods
from contract.victims import footprint
from terrace_agent.byhand import as_received, read_policy
from terrace_agent.cycle import Cycle
from terrace_agent.damon.engine import DamonEngine
from terrace_agent.damon.stores import NR_KDAMONDS
from terrace_agent.engines import read_boot_id
from terrace_agent.errors import StoreRefused
from terrace_agent.hostfs import MountedHostFs
from terrace_agent.inbox import Inbox
from terrace_agent.journal_file import FileJournal
from terrace_agent.loop import Loop
from terrace_agent.steplog import StepLog
from terrace_agent.workloads.cgroups import ROOT
from terrace_agent.workloads.roster import Roster
from terrace_api.node_tiering import ConditionType, NodeTieringStatus

COMMITS, LIMIT_S = 200, 600.0
SETTLED_AFTER = COMMITS // 4
TIMES_FASTER = 50
TURN_EVERY_S = 0.2
_GOOD = {
    ConditionType.READY: "True",
    ConditionType.APPLIED: "True",
    ConditionType.WORKLOADS_RESOLVED: "True",
    ConditionType.GUARDRAIL_TRIPPED: "False",
}


class CountingHost(MountedHostFs):
    """The host's files; counts commits, and how long each comes after what it is about was looked at.

    Attributes:
        refused: errnos, one for each commit that was refused.
        stood_in: how often a cgroup was named in place of one that had gone since a list was staged.
        since_listed_s: from reading all cgroups to the end of each commit.
        since_looked_s: from the last look whether those that are listed are still there to the end of each commit.
    """

    def __init__(self) -> None:
        super().__init__(Path("/"))
        self.commits = 0
        self.refused: list[int] = []
        self.stood_in = 0
        self.since_listed_s: list[float] = []
        self.since_looked_s: list[float] = []
        self._listed_at = self._looked_at = 0.0
        self._looks = self._is_staged = False

    def exists(self, path: str) -> bool:
        """See `HostFs.exists`."""
        if path == f"{ROOT}/cgroup.controllers":
            self._listed_at = time.monotonic()
        if path.endswith("/memory.stat") and not self._looks:
            self._looks, self._looked_at = True, time.monotonic()
        return super().exists(path)

    def store(self, path: str, value: str) -> None:
        """See `HostFs.store`."""
        self._looks = False
        self.stood_in += self._is_staged and path.endswith("/memcg_path")
        self._is_staged = value == "update_tuned_intervals" or self._is_staged
        try:
            super().store(path, value)
        except StoreRefused as error:
            if value == "commit":
                self.refused.append(error.errno)
            raise
        if value == "commit":
            self.commits += 1
            self._is_staged = False
            self.since_listed_s.append(time.monotonic() - self._listed_at)
            self.since_looked_s.append(time.monotonic() - self._looked_at)


class Nobody:
    """A `Publisher` to whom nothing is due."""

    def publish(self, status: NodeTieringStatus) -> None:
        """See `Publisher.publish`."""

    def heartbeat_period_s(self) -> int:
        """See `Publisher.heartbeat_period_s`."""
        return 3_600


def made_loop(host: CountingHost, engine: DamonEngine, roster: Roster, policy: Path, log: StepLog) -> Loop:
    """Returns the loop of an agent with this engine only."""
    inbox = Inbox()
    inbox.put(as_received(read_policy(policy), node="", revision="by-hand"))
    return Loop(
        cycle=Cycle(host, (engine,), log, roster), inbox=inbox, publisher=Nobody(), last=None, log=log, on_turn=()
    )


def run(policy: Path, nowhere: TextIO) -> dict[str, object]:
    """Returns what came of it."""
    host, log = CountingHost(), StepLog(nowhere)
    roster = Roster(None, log)
    roster.replace([])
    pods = Pods(roster)
    STATE.mkdir(exist_ok=True)
    journal = FileJournal(STATE, boot_id=read_boot_id(host))
    engine = DamonEngine(host, journal, clock=lambda: TIMES_FASTER * time.monotonic())
    loop = made_loop(host, engine, roster, policy, log)
    pods.start()
    try:
        first = loop.turn()
        told = turns(host, loop)
        last = loop.turn()
        running = [int(host.read(f"{Path(NR_KDAMONDS).parent}/{one}/pid")) for one in range(len(last.kdamonds))]
        engine.apply(engine.plan_stop())
    finally:
        pods.stop()
    return told | {
        "pids": [sorted(one.pid for one in status.kdamonds) for status in (first, last)],
        "running": sorted(running),
        "commits": host.commits,
        "refused": host.refused,
        "stood_in": host.stood_in,
        "gone": pods.gone,
        "since_listed_s": spread(host.since_listed_s),
        "since_looked_s": spread(host.since_looked_s),
    }


def turns(host: CountingHost, loop: Loop) -> dict[str, object]:
    """Takes turns until there were enough commits; returns every condition that says that something is wrong."""
    began, settled, number = time.monotonic(), (0, 0), 0
    wrong: dict[str, int] = {}
    while host.commits < COMMITS and time.monotonic() - began < LIMIT_S:
        for text in _wrong(loop.turn()):
            wrong[text] = wrong.get(text, 0) + 1
        number += 1
        if settled == (0, 0) and host.commits >= SETTLED_AFTER:
            settled = footprint(os.getpid())
        time.sleep(TURN_EVERY_S)
    took_s = round(time.monotonic() - began, 1)
    return {"wrong": wrong, "turns": number, "took_s": took_s, "settled": settled, "after": footprint(os.getpid())}


def spread(values: list[float]) -> dict[str, float]:
    """Returns what a reader wants to know of so many durations."""
    return {"median": round(statistics.median(values), 3), "max": round(max(values), 3)} if values else {}


def _wrong(status: NodeTieringStatus) -> list[str]:
    return [
        f"{one.type}={one.status.value}: {one.message}"
        for one in status.conditions
        if one.status.value != _GOOD.get(ConditionType(one.type), one.status.value)
    ]


if __name__ == "__main__":
    with Path(os.devnull).open("w", encoding="ascii") as null:
        json.dump(run(Path(sys.argv[1]), null), sys.stdout)
