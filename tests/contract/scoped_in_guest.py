"""Runs in a guest: the damon engine for some seconds, with a list of what may move; told as JSON.

Usage: scoped_in_guest.py POLICY SECONDS. The cgroups are those of `CGROUPS`, which exist: one is excluded, one has a
cpuset that allows nid 1 only, and one may move.
"""

import json
import sys
import time
from pathlib import Path

from contract.engine_in_guest import STATE
from terrace_agent.byhand import read_policy
from terrace_agent.engine import Engine
from terrace_agent.engines import make_engines
from terrace_agent.hostfs import HostFs, MountedHostFs
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from terrace_agent.workloads.values import Cgroup, Movable
from terrace_api.node_tiering import EngineName
from terrace_api.policy import Settings

INCLUDED, EXCLUDED, PINNED = CGROUPS = ("included", "excluded", "pinned")
MOVABLE = Movable(
    listed=True,
    allowed=(Cgroup(path=f"/{INCLUDED}"), Cgroup(path=f"/{PINNED}", mems=frozenset({1}))),
    barred=(Cgroup(path=f"/{EXCLUDED}"),),
)


def run(fs: HostFs, engine: Engine, settings: Settings, seconds: float) -> dict[str, float]:
    """Takes turns for so long, and stops; returns when the first one was applied, by the monotonic clock."""
    since_s = 0.0
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        plan = engine.plan(settings, discover(read_facts(fs), None), MOVABLE)
        engine.apply(plan)
        since_s = since_s or time.monotonic()
        engine.verify()
        time.sleep(plan.recheck_s)
    engine.apply(engine.plan_stop())
    return {"since_s": since_s}


if __name__ == "__main__":
    host = MountedHostFs(Path("/"))
    damon = next(one for one in make_engines(host, STATE) if one.name is EngineName.DAMON)
    json.dump(run(host, damon, read_policy(Path(sys.argv[1])).spec, float(sys.argv[2])), sys.stdout)
