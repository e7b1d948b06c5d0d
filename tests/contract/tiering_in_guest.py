"""Runs in a guest: an engine for some seconds on the guest's own kernel, told as JSON.

Usage: tiering_in_guest.py ENGINE SECONDS [KILL_AFTER] [--cpu-percent N]; 0 seconds bring back what was set. With
KILL_AFTER the process gets SIGKILL after so many stores. `since_s` is CLOCK_MONOTONIC of the first look, and
`rest_cpu_percent` what this process and the mover used of a CPU in the second half of the time.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from contract.engine_in_guest import STATE, Fuse
from terrace_agent.engine import Engine
from terrace_agent.engines import make_engines
from terrace_agent.hostfs import HostFs
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from terrace_agent.workloads.cgroups import read_cgroups
from terrace_agent.workloads.resolve import resolve
from terrace_api.policy import Settings
from unit.agent.damon.builders import settings


def run(fs: HostFs, engine: Engine, wanted: Settings, seconds: float) -> dict[str, object]:
    """Returns what the engine says of itself, and what moved."""
    capability = engine.probe()
    since_s = time.monotonic()
    told: dict[str, object] = {"reason": capability.reason, "message": capability.message, "since_s": since_s}
    until, half = since_s + seconds, since_s + seconds / 2
    rest: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    while capability.available and time.monotonic() < until:
        topology = discover(read_facts(fs), None)
        plan = engine.plan(wanted, topology, resolve((), None, read_cgroups(fs), topology.tiers).movable)
        engine.apply(plan)
        engine.verify()
        notes = plan.effective.notes if plan.effective else ()
        if rest is None and time.monotonic() >= half:
            rest = time.monotonic(), _cpu_s()
        time.sleep(plan.recheck_s)
    if rest:
        told["rest_cpu_percent"] = 100 * (_cpu_s() - rest[1]) / (time.monotonic() - rest[0])
    if not seconds:
        engine.apply(engine.plan_stop())
    moved = engine.verify()
    return told | {"promoted": moved.promoted_bytes, "demoted": moved.demoted_bytes, "notes": notes}


def _cpu_s() -> float:
    """Returns the CPU time of this process and those that it has started, in seconds."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if os.getpid() in (int(path.parent.name), int(fields[1])):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=("numa_balancing", "move_pages"))
    parser.add_argument("seconds", type=float)
    parser.add_argument("kill_after", type=int, nargs="?")
    parser.add_argument("--cpu-percent", type=int)
    return parser.parse_args()


def _settings(cpu_percent: int | None) -> Settings:
    found = settings(time="0s", quota="800Mi")
    if cpu_percent is None:
        return found
    return replace(found, monitoring=replace(found.monitoring, cpu_percent=cpu_percent))


if __name__ == "__main__":
    given = _arguments()
    host = Fuse(given.kill_after)
    chosen = next(one for one in make_engines(host, STATE) if one.name.value == given.engine)
    json.dump(run(host, chosen, _settings(given.cpu_percent), given.seconds), sys.stdout)
