"""`probe`, `plan FILE` and `stop`: what a person runs on a machine, with or without Kubernetes.

Before: `main`. They read what the loop reads, through the same code; only `stop` changes anything that lasts. `probe`
and `plan` work beside a running agent, too: see `onlooker`.
"""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

from terrace_agent.cycle import Cycle
from terrace_agent.engine import Engine, Plan
from terrace_agent.engines import make_engines
from terrace_agent.errors import EngineUnavailable
from terrace_agent.hostfs import HostFs
from terrace_agent.ladder import choose, passed_over, reasons, without
from terrace_agent.lock import held_if_free, lock
from terrace_agent.order import Order
from terrace_agent.present import plan_text, probe_text
from terrace_agent.report import Active, make_status
from terrace_agent.steplog import StepLog
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.cgroups import read_cgroups
from terrace_agent.workloads.resolve import resolve
from terrace_agent.workloads.values import Movable
from terrace_api.codec import decode_policy_file, encode_node_tiering_spec, encode_status
from terrace_api.defaults import Json
from terrace_api.errors import TerraceError
from terrace_api.node_tiering import Action, NodeTieringSpec, PolicyRef
from terrace_api.policy import Mode, Settings, TieringPolicy


def probe(host: HostFs, state_dir: Path, *, as_json: bool) -> str:
    """Returns topology, engines and reasons; changes nothing that lasts.

    Raises:
        TerraceError: something could not be read.
    """
    with held_if_free(state_dir) as alone:
        turn = Cycle(host, make_engines(host, state_dir, onlooker=not alone), StepLog()).turn(Order(), None)
    if turn.failure is not None:
        raise turn.failure
    status = make_status(turn.observed(Active()), before=None, now="")
    if not as_json:
        return probe_text(status)
    encoded = encode_status(status)
    shown = ("kernel", "fastUsed", "numaNodes", "engines", "kdamonds", "pods")
    return json.dumps({key: encoded[key] for key in shown}, indent=2)


def plan(host: HostFs, state_dir: Path, file: Path) -> str:
    """Returns the stores that `run --file` would make in mode Enforce; makes none of them.

    Raises:
        InvalidObject: the file holds no valid policy.
        SettingsRejected: the policy cannot be meant for this machine.
        EngineUnavailable: no engine can run here.
    """
    policy = read_policy(file)
    topology = discover(read_facts(host), policy.spec.tiers)
    if len(topology.tiers) < 2:
        return (
            "# This machine has memory of at most one of the tiers that the policy names or the kernel tells apart: "
            "there is nothing to move, and nothing would be stored."
        )
    notes = [f"# {note}"] if (note := ignored(policy)) else []
    if policy.spec.mode is Mode.OBSERVE:
        notes.append("# The policy's mode is Observe: `run` would only watch. These are the stores of mode Enforce.")
    workloads = resolve(policy.spec.workloads or (), None, read_cgroups(host), topology.tiers)
    notes += [f"# {workloads.problem.message}"] if workloads.problem else []
    with held_if_free(state_dir) as alone:
        engines = make_engines(host, state_dir, onlooker=not alone)
        planned = _first_plan(engines, policy.spec, topology, workloads.movable)
    return "\n".join([*notes, plan_text(planned)])


def stop(host: HostFs, state_dir: Path) -> str:
    """Stops what Terrace runs in the kernel and brings back every original value; returns what it did.

    Raises:
        AnotherAgentRuns: it would start everything again.
        StoreRefused: the kernel refused; what else could be brought back was, and `stop` again goes on with the rest.
    """
    lock(state_dir)
    done, failures = [], []
    for engine in make_engines(host, state_dir):
        try:
            todo = engine.plan_stop()
            engine.apply(todo)
        except TerraceError as error:
            failures.append(error)
        else:
            done.append(plan_text(todo) if todo.steps else f"{engine.name.value}: nothing of Terrace was running")
    if failures:
        raise failures[0]
    return "\n".join(done)


def read_policy(file: Path) -> TieringPolicy:
    """Returns the policy in a file.

    Raises:
        InvalidObject: it is not a valid TieringPolicy.
        OSError: the file cannot be read.
    """
    return decode_policy_file(file.read_text(encoding="utf-8"))


def ignored(policy: TieringPolicy) -> str:
    """Returns in words what of a policy means nothing on a machine by itself; empty if nothing does."""
    spec = policy.spec
    meant_for_fleets = {"nodeSelector": spec.node_selector, "trial": spec.trial, "paused": spec.paused}
    found = [name for name, value in meant_for_fleets.items() if value]
    return f"ignored by hand, the policy is taken for this machine: {', '.join(found)}" if found else ""


def as_received(policy: TieringPolicy, *, node: str, revision: str) -> dict[str, Json]:
    """Returns the NodeTiering that an operator would have made of `policy` for this machine."""
    settings = Settings(**{field.name: getattr(policy.spec, field.name) for field in dataclasses.fields(Settings)})
    spec = NodeTieringSpec(
        action=Action.MANAGE,
        policy=PolicyRef(name=policy.name, uid=policy.uid),
        revision=revision,
        settings=settings,
    )
    return {"metadata": {"name": node, "uid": "", "generation": 1}, "spec": encode_node_tiering_spec(spec)}


def _first_plan(engines: tuple[Engine, ...], settings: Settings, topology: Topology, movable: Movable) -> Plan:
    """Returns the plan of the first engine of the ladder that can, with the reasons of those that cannot."""
    capabilities = tuple(engine.probe() for engine in engines)
    while chosen := choose(settings.engine, capabilities):
        try:
            plan = next(engine for engine in engines if engine.name is chosen).plan(settings, topology, movable)
        except EngineUnavailable as error:
            capabilities = without(capabilities, chosen, error)
        else:
            why = reasons(passed_over(settings.engine, capabilities, chosen))
            return replace(plan, words=(*plan.words, *([f"passed over: {why}"] if why else [])))
    raise EngineUnavailable(reason="NoEngine", message=reasons(passed_over(settings.engine, capabilities, None)))
