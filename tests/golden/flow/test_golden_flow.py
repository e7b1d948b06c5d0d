"""The arrows of ARCHITECTURE.md that damon's golden files do not show, each held to a file, from the samples on.

What a policy compiles to; what a machine's files say of its topology; what counters come to in a NodeTiering's status;
and what statuses come to in the policy's.
"""

import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from cases.fleets import FAILED, NO_ENGINE, NOW, READY, a_condition, a_node, a_report, a_tiering, policies, statuses
from golden.update import Golden
from terrace_agent.cycle import Cycle
from terrace_agent.engines import make_engines
from terrace_agent.order import Order, read_order
from terrace_agent.report import Active, activate, make_status
from terrace_agent.steplog import StepLog
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from terrace_agent.turn import Turn
from terrace_api.codec import (
    decode_policy_file,
    encode,
    encode_node_tiering_spec,
    encode_policy_status,
    encode_status,
)
from terrace_api.node_tiering import EngineName, NodeTieringStatus
from terrace_api.policy import TieringPolicy
from terrace_operator.compile import compile_spec
from terrace_operator.fleet import Agent
from unit.agent.host_tree import HostTree, guest_files
from unit.agent.sim_host import SimHost

HERE = Path(__file__).parent
SAMPLES = HERE.parents[2] / "deploy/samples"
MIB = 1 << 20


def sample(name: str) -> TieringPolicy:
    return decode_policy_file((SAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))


def as_yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=110)


def ordered(name: str) -> Order:
    """What the agent is asked for by a node's object that follows a sample."""
    spec = encode_node_tiering_spec(compile_spec(sample(name)))
    return read_order({"metadata": {"name": "n1", "uid": "u1", "generation": 1}, "spec": spec})[0]


@pytest.mark.parametrize("name", ["observe", "enforce", "mem-tier", "rollout", "workloads"])
def test_a_policy_is_this_spec_of_its_nodes(name: str, golden: Golden) -> None:
    golden.check(HERE / f"{name}.spec.yaml", as_yaml(encode_node_tiering_spec(compile_spec(sample(name)))))


@pytest.mark.parametrize(("name", "hmat"), [("tiers-of-the-kernel", True), ("one-tier-of-the-kernel", False)])
def test_the_files_of_a_machine_are_this_topology(name: str, hmat: bool, golden: Golden) -> None:
    topology = discover(read_facts(HostTree(guest_files(hmat=hmat)), page_bytes=4096), None)
    golden.check(HERE / f"{name}.topology.yaml", as_yaml(encode(topology)))


class Machine:
    """A simulated kernel and what the agent says of it, turn by turn."""

    def __init__(self, state: Path) -> None:
        self.host = SimHost()
        self._cycle = Cycle(self.host, make_engines(self.host, state), StepLog(io.StringIO()))
        self._turn: Turn | None = None
        self._active = Active()

    def status(self, name: str) -> NodeTieringStatus:
        """Takes a turn after a sample."""
        self._turn = turn = self._cycle.turn(ordered(name), self._turn)
        self._active = activate(
            self._active,
            outcome=turn.outcome,
            intent=turn.intent,
            revision=turn.revision,
            running=turn.running,
            now=NOW,
        )
        return make_status(turn.observed(self._active), before=None, now=NOW)


def test_counters_are_these_totals_and_this_status(tmp_path: Path, golden: Golden) -> None:
    machine = Machine(tmp_path)
    machine.status("enforce")
    demotion, promotion = sorted(machine.host.kernel.running)
    machine.host.kernel.count(demotion, sz_tried=64 * MIB, sz_applied=48 * MIB, qt_exceeds=2)
    machine.host.kernel.count(promotion, sz_tried=32 * MIB, sz_applied=30 * MIB)
    golden.check(HERE / "enforce.node-status.yaml", as_yaml(encode_status(machine.status("enforce"))))


def test_observe_comes_to_this_status(tmp_path: Path, golden: Golden) -> None:
    machine = Machine(tmp_path)
    machine.host.kernel.put("/proc/uptime", "5000.00 1.00")
    for pid in (101, 102):
        # Started with the boot: what it says is known.
        machine.host.kernel.put(f"/proc/{pid}/stat", f"{pid} (kdamond.0) S {' '.join(['0'] * 30)}")
    machine.status("observe")
    golden.check(HERE / "observe.node-status.yaml", as_yaml(encode_status(machine.status("observe"))))


def test_the_statuses_of_nodes_are_this_status_of_their_policy(golden: Golden) -> None:
    policy = sample("enforce")
    spec = compile_spec(policy)
    revision = spec.revision
    converging = a_condition("Ready", "False", "Converging", "8 s to go")
    reports = {
        "ready": a_report(READY, revision=revision, promoted=300 * MIB, demoted=200 * MIB),
        "converging": a_report(converging, revision=revision, promoted=20 * MIB),
        "failed": a_report(FAILED, a_condition("Ready", "False", "ApplyFailed", "EBUSY")),
        "unsupported": a_report(NO_ENGINE, engine=EngineName.NONE),
        "silent": a_report(READY, revision=revision, demoted=MIB),
        "unanswered": None,
    }
    nodes = [a_node(name) for name in reports]
    tierings = [a_tiering(node, spec, reports[node.name]) for node in nodes]
    found = statuses(policies(policy), nodes, tierings, agents={"silent": Agent.SILENT})[policy.name]
    golden.check(HERE / "enforce.policy-status.yaml", as_yaml(encode_policy_status(found)))
