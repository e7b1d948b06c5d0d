"""The agent at rest on this machine, where no emulation distorts time: `terrace-agent run` on a tree of plain files.

The files are those of a simulated machine on which the agent has already done all that it has to do.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from cases.policies import policy
from terrace_agent.byhand import as_received, read_policy
from terrace_agent.cycle import Cycle
from terrace_agent.engines import make_engines
from terrace_agent.hostfs import HostFs
from terrace_agent.order import read_order
from terrace_agent.steplog import StepLog
from testbed.errors import BedError
from unit.agent.sim_host import SimHost

SETTLED_S = 60.0
MEASURED_S = 120.0
_TOPS = ("/sys", "/proc")


def share_of_a_core(seconds: float = MEASURED_S) -> float:
    """Returns the CPU time of an agent with nothing to do, as a share of one core."""
    with tempfile.TemporaryDirectory(prefix="terrace-at-rest-") as directory, _agent(Path(directory)) as process:
        time.sleep(SETTLED_S)
        began_s, before_s = time.monotonic(), _cpu_s(process.pid)
        time.sleep(seconds)
        share = (_cpu_s(process.pid) - before_s) / (time.monotonic() - began_s)
        if process.poll() is not None:
            raise BedError(f"the agent ended: {(Path(directory) / 'log').read_text()[-2000:]}")
        _expect_rest(Path(directory) / "log")
    return share


@contextmanager
def _agent(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    file = directory / "policy.yaml"
    file.write_text(yaml.safe_dump(policy("rest", mode="Enforce", allNodes=True)))
    _settle(directory, file)
    places = map(str, (directory / "host", directory / "state", file))
    words = [sys.executable, "-m", "bench.resting_agent", *places]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _settle(directory: Path, file: Path) -> None:
    """Takes the turns that a simulated machine needs, and writes it down as files."""
    host, state = SimHost(), directory / "state"
    order, _ = read_order(as_received(read_policy(file), node="rest", revision="file-rest"))
    cycle, turn = Cycle(host, make_engines(host, state), StepLog()), None
    for _ in range(3):
        turn = cycle.turn(order, turn)
    if turn is None or turn.failure or turn.refused or turn.steps:
        raise BedError(f"the simulated machine is not at rest: {turn}")
    for top in _TOPS:
        _write(host, top, directory / "host")


def _write(host: HostFs, path: str, root: Path) -> None:
    folders = set(host.folders(path))
    (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for name in host.names(path):
        below = f"{path}/{name}"
        if name in folders:
            _write(host, below, root)
        else:
            (root / below.lstrip("/")).write_text(f"{host.read(below)}\n")


def _cpu_s(pid: int) -> float:
    """Returns the time of all threads on a CPU, from the scheduler's own account in nanoseconds."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _expect_rest(log: Path) -> None:
    """Raises `BedError` if the agent had anything to do: that would not be rest."""
    text = log.read_text()
    if '"step": "apply"' in text or "kdamonds" not in text:
        raise BedError(f"the agent was not at rest: {text[-2000:]}")
