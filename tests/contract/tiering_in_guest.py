"""Runs in a guest: an engine without DAMON for some seconds on the guest's own kernel, told as JSON.

Usage: tiering_in_guest.py numa_balancing|move_pages SECONDS; 0 seconds bring back what was set.
"""

import json
import sys
import time
from pathlib import Path

from terrace_agent.engine import Engine
from terrace_agent.hostfs import MountedHostFs
from terrace_agent.journal_file import FileJournal
from terrace_agent.move_pages.engine import MovePagesEngine
from terrace_agent.numa_balancing.engine import NumaBalancingEngine
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from terrace_agent.workloads.cgroups import read_cgroups
from terrace_agent.workloads.resolve import resolve
from unit.agent.damon.builders import settings

STATE = Path("/run/terrace")
ENGINES = {"numa_balancing": NumaBalancingEngine, "move_pages": MovePagesEngine}


def run(fs: MountedHostFs, engine: Engine, seconds: float) -> dict[str, object]:
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
    STATE.mkdir(exist_ok=True)
    host = MountedHostFs(Path("/"))
    journal = FileJournal(STATE, boot_id=host.read("/proc/sys/kernel/random/boot_id"), name=f"{sys.argv[1]}.json")
    json.dump(run(host, ENGINES[sys.argv[1]](host, journal), float(sys.argv[2])), sys.stdout)
