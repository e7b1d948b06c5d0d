"""Runs in a guest: an engine for some seconds on the guest's own kernel, told as JSON.

Usage: tiering_in_guest.py numa_balancing|move_pages SECONDS [KILL_AFTER]; 0 seconds bring back what was set. With
KILL_AFTER the process gets SIGKILL after so many stores.
"""

import json
import sys
import time

from contract.engine_in_guest import STATE, Fuse
from terrace_agent.engine import Engine
from terrace_agent.engines import make_engines
from terrace_agent.hostfs import HostFs
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from terrace_agent.workloads.cgroups import read_cgroups
from terrace_agent.workloads.resolve import resolve
from unit.agent.damon.builders import settings


def run(fs: HostFs, engine: Engine, seconds: float) -> dict[str, object]:
    """Returns what the engine says of itself, and what moved."""
    capability = engine.probe()
    told: dict[str, object] = {"reason": capability.reason, "message": capability.message}
    wanted, until = settings(time="0s", quota="800Mi"), time.monotonic() + seconds
    notes: tuple[str, ...] = ()
    while capability.available and time.monotonic() < until:
        topology = discover(read_facts(fs), None)
        plan = engine.plan(wanted, topology, resolve((), None, read_cgroups(fs), topology.tiers).movable)
        engine.apply(plan)
        engine.verify()
        notes = plan.effective.notes if plan.effective else ()
        time.sleep(plan.recheck_s)
    if not seconds:
        engine.apply(engine.plan_stop())
    moved = engine.verify()
    return told | {"promoted": moved.promoted_bytes, "demoted": moved.demoted_bytes, "notes": notes}


if __name__ == "__main__":
    host = Fuse(int(sys.argv[3]) if len(sys.argv) > 3 else None)
    chosen = next(one for one in make_engines(host, STATE) if one.name.value == sys.argv[1])
    json.dump(run(host, chosen, float(sys.argv[2])), sys.stdout)
