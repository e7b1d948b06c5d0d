"""Nodes, policies and NodeTierings as values, for the operator's tests. Policies go through the real codec."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from cases.policies import policy as policy_manifest
from terrace_api.codec import decode_policy, decode_policy_status
from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.errors import Problem
from terrace_api.node_tiering import EngineName, NodeTieringSpec, PolicyRef
from terrace_api.policy import TieringPolicy
from terrace_api.policy_status import LastGood, Stopped, TieringPolicyStatus
from terrace_operator.assign import assign, held_specs
from terrace_operator.compile import RESTORE, revision, settings_of
from terrace_operator.decide import Decided, decide
from terrace_operator.fleet import Agents, InvalidPolicy, Node, Policies, Report, Tiering
from terrace_operator.phase import Since
from terrace_operator.progress import Goal
from terrace_operator.statuses import policy_statuses
from terrace_operator.tally import tally
from terrace_operator.trial import is_over

NOW = "2026-06-01T12:00:00Z"
NO_AGENTS_MISSING: Agents = {}
AT_ONCE: dict[str, Any] = {"rollout": {"canary": "100%", "maxUpdating": "100%", "bake": "0s"}}
"""The part of a policy with which every node takes a revision at once."""


def a_policy(name: str, *, created: str = "2026-01-01T00:00:00Z", generation: int = 1, **spec: Any) -> TieringPolicy:
    """Returns a policy; without a spec it selects all nodes."""
    manifest = policy_manifest(
        name, **(spec if {"allNodes", "nodeSelector"} & set(spec) else {"allNodes": True} | spec)
    )
    manifest["metadata"] |= {"uid": f"uid-{name}", "creationTimestamp": created, "generation": generation}
    return decode_policy(manifest)


def an_invalid_policy(name: str) -> InvalidPolicy:
    """Returns a policy that cannot be read."""
    problems = (Problem(field="spec.quota.size", message="must be at least 1Mi"),)
    return InvalidPolicy(name=name, uid=f"uid-{name}", generation=2, problems=problems)


def policies(*valid: TieringPolicy, invalid: tuple[InvalidPolicy, ...] = ()) -> Policies:
    """Returns a list of policies that have no status yet."""
    return Policies(valid=valid, invalid=invalid, statuses={})


def proven(*valid: TieringPolicy) -> Policies:
    """Returns a list of policies whose current revision is known to be good."""
    return Policies(valid=valid, statuses={policy.uid: a_status(good=policy) for policy in valid})


def a_status(*, good: TieringPolicy | None = None, stopped: Stopped | None = None) -> TieringPolicyStatus:
    """Returns a status that says nothing but what is remembered."""
    blank = decode_policy_status({})
    assert blank is not None
    settings = settings_of(good.spec) if good else None
    last_good = LastGood(revision=revision(settings), settings=settings) if settings else None
    return replace(blank, last_good=last_good, stopped=stopped)


def a_node(name: str, *, uid: str = "", **labels: str) -> Node:
    """Returns a node; labels with other than letters are given by `replace`."""
    return Node(name=name, uid=uid or f"uid-{name}", labels=labels)


def a_tiering(
    node: Node, spec: NodeTieringSpec = RESTORE, report: Report | None = None, *, generation: int = 1, **changes: Any
) -> Tiering:
    """Returns a node's NodeTiering."""
    found = Tiering(
        name=node.name,
        uid=f"nt-{node.uid}",
        generation=generation,
        node_uid=node.uid,
        spec=spec,
        report=report,
        deleting=False,
    )
    return replace(found, **changes)


def unread(tiering: Tiering, policy: str) -> Tiering:
    """Returns a NodeTiering whose spec is that policy's and, but for this, cannot be read."""
    return replace(tiering, spec=None, unread=PolicyRef(name=policy, uid=f"uid-{policy}"))


def look(
    known: Policies,
    nodes: Iterable[Node],
    tierings: Iterable[Tiering] = (),
    *,
    now: str = NOW,
    agents: Agents = NO_AGENTS_MISSING,
) -> Decided:
    """Returns what is decided of a state that is seen for the first time."""
    found = {tiering.name: tiering for tiering in tierings}
    running = [policy for policy in known.valid if not is_over(policy, datetime.fromisoformat(now))]
    assignments = assign(running, nodes, held_specs(known.invalid, found.values()))
    goals = [Goal.of(policy, known.statuses.get(policy.uid)) for policy in running]
    return decide(assignments, goals, found, agents, Since(now_s=0.0, at_s={}))


def statuses(
    known: Policies,
    nodes: Iterable[Node],
    tierings: Iterable[Tiering] = (),
    *,
    now: str = NOW,
    agents: Agents = NO_AGENTS_MISSING,
) -> dict[str, TieringPolicyStatus]:
    """Returns each policy's status by its name, for a state that is seen for the first time."""
    found = {tiering.name: tiering for tiering in tierings}
    decided = look(known, nodes, found.values(), now=now, agents=agents)
    tallies = tally((policy.name for policy in known.all), decided.decisions, found, agents)
    writes = policy_statuses(known, decided.rollouts, tallies, datetime.fromisoformat(now))
    return {write.name: write.after for write in writes}


def a_condition(type_: str, status: str, reason: str = "Because", message: str = "of this") -> Condition:
    """Returns a condition."""
    return Condition(
        type=type_,
        status=ConditionStatus(status),
        reason=reason,
        message=message,
        last_transition_time=NOW,
        observed_generation=1,
    )


def a_report(
    *conditions: Condition,
    revision: str | None = "",
    generation: int = 1,
    engine: EngineName = EngineName.DAMON,
    promoted: int = 0,
    demoted: int = 0,
    tiers: int = 2,
) -> Report:
    """Returns what an agent reported."""
    return Report(
        observed_generation=generation,
        active_revision=revision or "",
        engine=engine,
        promoted_bytes=promoted,
        demoted_bytes=demoted,
        conditions=conditions,
        tiers=tiers,
    )


READY = a_condition("Ready", "True", "Converged", "hot memory is fast")
SINGLE_TIER = a_condition("Ready", "True", "SingleTier", "there is nothing to move")
NO_ENGINE = a_condition("EngineAvailable", "False", "NoDAMON", "this kernel has no DAMON; boot one that has")
REFUSED = a_condition("Accepted", "False", "UnknownNid", "nid 7 is not there")
FAILED = a_condition("Applied", "False", "StoreRefused", "storing 'on' in state: EBUSY")
