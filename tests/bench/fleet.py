"""`make bench-fleet`: what the operator costs for fleets of growing size, on a real API server with fake agents.

Each size has a control plane of its own. The operator is the real one with the chart's rights; the agents of all nodes
are one thread. Beside it runs the plain-kopf way, up to a size at which it ends.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.fleet_agents import FleetAgents
from bench.fleet_bed import Bed, Process
from bench.fleet_figures import Figures, growth, table
from bench.fleet_watches import SingleWatches, may_open
from testbed import command, progress, waiting

SIZES = (100, 1000, 5000)
KOPF_UP_TO = 1000
POLICY = "fleet"
_WAITING, _WRITTEN = "terrace_operator_writes_waiting", "terrace_operator_writes_total"
_EACH_S = 0.1


def main() -> int:
    """Runs the benchmark and returns the exit code."""
    parser = argparse.ArgumentParser(prog="make bench-fleet")
    parser.add_argument("--nodes", type=int, nargs="+", default=list(SIZES), help="sizes of fleets, smallest first")
    parser.add_argument("--kopf-up-to", type=int, default=KOPF_UP_TO, help="the largest fleet for plain kopf")
    options = parser.parse_args()
    return command.run(lambda: _run(options.nodes, options.kopf_up_to))


def _run(sizes: list[int], kopf_up_to: int) -> int:
    runs = [_measure(count, compare=count <= kopf_up_to) for count in sizes]
    print(table(runs))
    figures = {f"{name}_{run.nodes}": value for run in runs for name, value in run.figures.items()}
    print(json.dumps(figures | growth(runs)), flush=True)
    return 0


def _measure(nodes: int, *, compare: bool) -> Figures:
    limit_s = 60 + nodes / 25
    run = Figures(nodes=nodes)
    with _bed(nodes) as bed, _agents(bed) as agents:
        first = bed.operator()
        waiting.until(first.ready, "the operator", limit_s=60)
        with progress.step(f"{nodes} nodes get their first NodeTiering", usually=f"{nodes / 100:.0f} s"):
            _until(bed, agents, lambda: agents.answered[""] >= nodes, "all agents to answer", limit_s)
            _settle(first, limit_s)
        first.daemon.stop()
        _initial_sync(bed, run)
        if compare:
            _plain_kopf(bed, run)
        operator = bed.operator()
        _until_leads(operator, limit_s)
        _apply(bed, agents, operator, run, limit_s)
        progress.say(f"so far: {json.dumps(run.figures)}")
        _hand_over(bed, agents, operator, run, limit_s)
    return run


@contextmanager
def _bed(nodes: int) -> Iterator[Bed]:
    directory = Path(tempfile.mkdtemp(prefix="terrace-bench-"))
    bed = Bed(directory / "cluster")
    try:
        with progress.step(f"starting a control plane with {nodes} nodes", usually=f"{10 + nodes / 300:.0f} s"):
            bed.start()
            bed.make_nodes(nodes)
        yield bed
    finally:
        bed.stop()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _agents(bed: Bed) -> Iterator[FleetAgents]:
    agents = FleetAgents(bed.cluster.server, bed.cluster.tls())
    agents.start()
    try:
        yield agents
    finally:
        agents.stop()


def _initial_sync(bed: Bed, run: Figures) -> None:
    """A start beside a fleet that is as it should be: from the process's start until everything is listed."""
    process = bed.operator()
    waiting.until(process.ready, "the operator to know the fleet", limit_s=120, every_s=0.02)
    run.add(initial_sync_seconds=time.monotonic() - process.started_s)
    process.daemon.stop()


def _plain_kopf(bed: Bed, run: Figures) -> None:
    process = bed.plain_kopf()
    waiting.until(process.ready, "plain kopf to know the fleet", limit_s=300, every_s=0.02)
    usage = process.usage()
    run.add(
        kopf_index_sync_seconds=time.monotonic() - process.started_s,
        kopf_index_cpu_seconds=usage.cpu_s,
        kopf_index_peak_rss_mib=usage.peak_rss_bytes / 2**20,
    )
    process.daemon.kill()


def _apply(bed: Bed, agents: FleetAgents, operator: Process, run: Figures, limit_s: float) -> None:
    """A policy for all nodes: told, answered, and true in its status."""
    before, cpu_s, requests = bed.writers()[1], operator.usage().cpu_s, bed.requests()
    with progress.step(f"a policy for {run.nodes} nodes", usually=f"{run.nodes / 120:.0f} s"):
        applied_s = bed.apply_policy(POLICY)
        _until(bed, agents, lambda: _told(agents, run.nodes) is not None, "all specs to be written", limit_s)
        revision = _told(agents, run.nodes) or ""
        _until(bed, agents, lambda: agents.answered[revision] >= run.nodes, "all agents to answer", limit_s)
        _until(bed, agents, lambda: _ready(bed), "the policy to be Ready", limit_s)
    ready_s = time.monotonic()
    _settle(operator, limit_s)
    usage, (writers, _) = operator.usage(), bed.writers(skip=before)
    run.add(
        apply_to_specs_seconds=agents.told_s[revision] - applied_s,
        apply_to_answers_seconds=agents.answered_s[revision] - applied_s,
        apply_to_ready_seconds=ready_s - applied_s,
        operator_cpu_seconds=usage.cpu_s - cpu_s,
        operator_peak_rss_mib=usage.peak_rss_bytes / 2**20,
        operator_writes_per_node=writers["operator"] / run.nodes,
        agent_writes_per_node=writers["agents"] / run.nodes,
        object_bytes=bed.object_bytes(),
    )
    run.requests = bed.requests() - requests


def _hand_over(bed: Bed, agents: FleetAgents, operator: Process, run: Figures, limit_s: float) -> None:
    """The leader is killed and a policy is edited: until the other one leads, and until all nodes are told."""
    other = bed.operator()
    waiting.until(other.ready, "the second operator", limit_s=120)
    with progress.step("the leader is killed", usually="17 s until the other one leads"):
        killed_s = operator.kill()
        bed.apply_policy(POLICY, quota={"size": "300Mi"})
        waiting.until(lambda: other.metric("terrace_operator_leader") == 1, "the other to lead", limit_s=60)
        run.add(hand_over_seconds=time.monotonic() - killed_s)
        _until(bed, agents, lambda: _told(agents, run.nodes, but=1) is not None, "all nodes to be told", limit_s)
        run.add(kill_to_specs_seconds=time.monotonic() - killed_s)
    _settle(other, limit_s)
    _single_watches(bed, agents, run, limit_s)
    other.daemon.stop()


def _single_watches(bed: Bed, agents: FleetAgents, run: Figures, limit_s: float) -> None:
    """A watch per node, as real agents have: until all are open, what they take, and until a change is known to all."""
    if not may_open(run.nodes):
        progress.say(f"{run.nodes} watches on one object each are left out: more than the open files of ulimit -Hn")
        return
    revision = _told(agents, run.nodes, but=1) or ""
    before = bed.api_server_rss_bytes()
    watches = SingleWatches(bed.cluster.server, bed.cluster.tls(), bed.names)
    began_s = time.monotonic()
    watches.start()
    try:
        with progress.step(f"{run.nodes} watches on one object each", usually=f"{run.nodes / 200:.0f} s"):
            _until(bed, agents, lambda: watches.all_say(revision), "all watches to be open", limit_s)
            run.add(single_watches_open_seconds=watches.told_s - began_s)
            run.add(single_watches_api_server_mib=(bed.api_server_rss_bytes() - before) / 2**20)
        applied_s = bed.apply_policy(POLICY, quota={"size": "350Mi"})
        _until(bed, agents, lambda: _told(agents, run.nodes, but=2) is not None, "all nodes to be told", limit_s)
        changed = _told(agents, run.nodes, but=2) or ""
        _until(bed, agents, lambda: watches.all_say(changed), "all watches to tell it", limit_s)
        run.add(single_watches_told_seconds=watches.told_s - applied_s)
    finally:
        watches.stop()


def _told(agents: FleetAgents, nodes: int, but: int = 0) -> str | None:
    """Returns the revision that all nodes have been told, other than the first `but` ones."""
    complete = [revision for revision, count in agents.told.items() if revision and count >= nodes]
    return complete[but] if len(complete) > but else None


def _ready(bed: Bed) -> bool:
    conditions = bed.policy_status(POLICY).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _until_leads(operator: Process, limit_s: float) -> None:
    waiting.until(lambda: operator.metric("terrace_operator_leader") == 1, "the operator to lead", limit_s=limit_s)
    waiting.until(operator.ready, "the operator", limit_s=limit_s)


def _settle(operator: Process, limit_s: float) -> None:
    """Waits until the operator has had nothing to write for a while."""
    quiet = Counter[str]()

    def still() -> bool:
        found = operator.metrics(_WAITING, _WRITTEN)
        quiet["looks"] = quiet["looks"] + 1 if not found[_WAITING] and found[_WRITTEN] == quiet["written"] else 0
        quiet["written"] = int(found[_WRITTEN])
        return quiet["looks"] >= 3

    waiting.until(still, "the operator to have nothing to do", limit_s=limit_s, every_s=1.0)


def _until(bed: Bed, agents: FleetAgents, condition: Callable[[], bool], what: str, limit_s: float) -> None:
    def asked() -> bool:
        agents.check()
        return condition()

    waiting.until(asked, what, limit_s=limit_s, detail=bed.said, every_s=_EACH_S)


if __name__ == "__main__":
    sys.exit(main())
