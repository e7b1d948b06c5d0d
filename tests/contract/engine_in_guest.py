"""Runs in a guest: one turn of the engine on the guest's own kernel, told as JSON.

Usage: engine_in_guest.py start|commit|stop [KILL_AFTER]; with KILL_AFTER the process gets SIGKILL after so many stores.
"""

import json
import os
import signal
import sys
from pathlib import Path

from terrace_agent.damon.engine import DamonEngine
from terrace_agent.errors import EngineUnavailable
from terrace_agent.hostfs import HostFs, MountedHostFs
from terrace_agent.journal_file import FileJournal
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from unit.agent.damon.builders import settings

STATE = Path("/run/terrace")
CHOSEN = {"start": settings(time="0s"), "commit": settings(time="0s", used="80%", free="21%")}


class Fuse(MountedHostFs):
    """The host's files, until it blows."""

    def __init__(self, after: int | None) -> None:
        super().__init__(Path("/"))
        self._left = after

    def store(self, path: str, value: str) -> None:
        super().store(path, value)
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def turn(fs: HostFs, what: str) -> dict[str, object]:
    """Returns what the turn did and what it left."""
    STATE.mkdir(exist_ok=True)
    engine = DamonEngine(fs, FileJournal(STATE, boot_id=fs.read("/proc/sys/kernel/random/boot_id")))
    capability = engine.probe()
    try:
        facts = read_facts(fs)
        plan = engine.plan_stop() if what == "stop" else engine.plan(CHOSEN[what], discover(facts, None))
    except EngineUnavailable as error:
        return {"available": capability.available, "message": str(error), "steps": 0}
    engine.apply(plan)
    moved = engine.verify()
    return {
        "available": capability.available,
        "message": plan.reason,
        "steps": len(plan.steps),
        "kdamonds": {kdamond.direction: kdamond.pid for kdamond in moved.kdamonds},
        "used_target": plan.effective.fast_used_target if plan.effective else "",
    }


if __name__ == "__main__":
    json.dump(turn(Fuse(int(sys.argv[2]) if len(sys.argv) > 2 else None), sys.argv[1]), sys.stdout)
