"""Runs in a guest: the whole engine while processes come, are killed and go; told as JSON.

Three processes stay: of a pod that may move, of one that is excluded, and of one whose cpuset nobody has told the
engine. Beside them thousands end at once, and larger ones are killed at any time, many of them while they are moved.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.engine_in_guest import STATE
from contract.victims import CGROUPS, footprint, hot, make_cgroup, pages_by_nid, wait_for
from terrace_agent.engine import Engine
from terrace_agent.engines import make_engines
from terrace_agent.hostfs import HostFs, MountedHostFs
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from terrace_agent.workloads.values import Cgroup, Movable
from terrace_api.node_tiering import EngineName
from unit.agent.damon.builders import settings

SEED = 7
SECONDS, SETTLED_S = 60.0, 25.0
STEADY_MIB, MAYFLY_MIB, MAYFLIES = 48, 18, 8
AT_ONCE = 50
FREE, EXCLUDED, NARROW = "fire/free", "fire/excluded", "fire/narrow"
MOVABLE = Movable(
    listed=True, allowed=(Cgroup(path=f"/{FREE}"), Cgroup(path=f"/{NARROW}")), barred=(Cgroup(path=f"/{EXCLUDED}"),)
)


class Churn:
    """Processes that come and go until it is told to stop; `ended` says how many have."""

    def __init__(self) -> None:
        self.ended = 0
        self._mayflies: list[tuple[float, subprocess.Popen[bytes]]] = []
        self._over = threading.Event()

    def run(self) -> None:
        """Starts and kills."""
        while not self._over.is_set():
            self._kill_the_old()
            if len(self._mayflies) < MAYFLIES:
                self._mayflies.append((time.monotonic() + random.uniform(0.1, 15), hot(MAYFLY_MIB, FREE)))
            for _ in range(AT_ONCE):
                self._one_that_ends_at_once()
        for _, process in self._mayflies:
            _kill(process)

    def stop(self) -> None:
        """Ends with the processes of this turn."""
        self._over.set()

    def _kill_the_old(self) -> None:
        now_s = time.monotonic()
        for _, process in (one for one in self._mayflies if one[0] <= now_s):
            _kill(process)
            self.ended += 1
        self._mayflies = [one for one in self._mayflies if one[0] > now_s]

    def _one_that_ends_at_once(self) -> None:
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        self.ended += 1


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def steady(cgroup: str) -> subprocess.Popen[bytes]:
    """Returns a process of the cgroup that has its memory on nid 1."""
    process = hot(STEADY_MIB, cgroup)
    wait_for(process.pid, STEADY_MIB)
    return process


@contextmanager
def churning() -> Iterator[Path]:
    """Has another process make the churn; the file that it leaves says how many have ended."""
    file = STATE.parent / "churn"
    pid = os.fork()
    if not pid:
        try:
            _churn_into(file)
        finally:
            os._exit(0)
    yield file
    os.waitpid(pid, 0)


def _churn_into(file: Path) -> None:
    (CGROUPS / FREE / "cgroup.procs").write_text(str(os.getpid()))
    churn = Churn()
    threading.Timer(SECONDS - 5, churn.stop).start()
    churn.run()
    file.write_text(str(churn.ended))


def turns(fs: HostFs, engine: Engine) -> dict[str, object]:
    """Returns what the engine came to."""
    began, settled = time.monotonic(), (0, 0)
    notes: tuple[str, ...] = ()
    while time.monotonic() - began < SECONDS:
        plan = engine.plan(settings(time="0s", quota="800Mi"), discover(read_facts(fs), None), MOVABLE)
        engine.apply(plan)
        notes = plan.effective.notes if plan.effective else ()
        if settled == (0, 0) and time.monotonic() - began > SETTLED_S:
            settled = footprint(os.getpid())
        time.sleep(plan.recheck_s)
    return {"notes": notes, "settled": settled, "after": footprint(os.getpid())}


def run(fs: HostFs) -> dict[str, object]:
    """Returns everything that came of it."""
    random.seed(SEED)
    for path in (FREE, EXCLUDED, NARROW):
        make_cgroup(path, mems="0-1")
    processes = {path: steady(path) for path in (FREE, EXCLUDED, NARROW)}
    # Not sooner: memory that is elsewhere when a cpuset becomes narrow is moved by the kernel itself.
    (CGROUPS / NARROW / "cpuset.mems").write_text("1")
    before = {path: pages_by_nid(process.pid) for path, process in processes.items()}
    engine = next(one for one in make_engines(fs, STATE) if one.name is EngineName.MOVE_PAGES)
    with churning() as file:
        told = turns(fs, engine)
    after = {path: pages_by_nid(process.pid) for path, process in processes.items()}
    engine.apply(engine.plan_stop())
    for process in processes.values():
        _kill(process)
    return told | {"placed": before, "found": after, "ended": int(file.read_text())}


if __name__ == "__main__":
    json.dump(run(MountedHostFs(Path("/"))), sys.stdout)
