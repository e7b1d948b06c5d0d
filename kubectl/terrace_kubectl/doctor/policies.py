"""Does every policy do what it says? Pure.

Before: `facts`. After: `checks`.
"""

from collections.abc import Iterator

from terrace_api import OPT_OUT_LABEL
from terrace_kubectl.doctor.facts import Facts
from terrace_kubectl.doctor.findings import Finding, Level, good, problem
from terrace_kubectl.fleet import Fleet
from terrace_kubectl.policy_rows import PolicyRow, policy_rows
from terrace_operator.select import selects

_CURES = {
    "Invalid": "edit the policy; its nodes keep what they have meanwhile",
    "NoMatchingNodes": "compare spec.nodeSelector with the labels of nodes: kubectl get nodes --show-labels",
    "TrialEnded": "delete it, or remove spec.trial to keep it",
    "RolloutStopped": "repair what failed, then edit the policy: any edit begins another rollout",
    "RolledBack": "repair what failed, then edit the policy: any edit begins another rollout",
    "NoSupportedNodes": "see Engine for each reason",
    "NotObserved": "see the operator: it answers within seconds",
}
_WAITING = {"Canary", "NodesUpdating", "Baking", "NodesJoining", "Paused"}
"""Not ready, and nothing is wrong."""
_OUTRANKED = "if it should have them: raise spec.priority, or select other nodes"
_LEFT_OUT = f"if one should be tiered: remove its label {OPT_OUT_LABEL}, or let an agent run there"


def readiness(facts: Facts) -> Iterator[Finding]:
    """Is every policy ready, and if not, what helps?"""
    if facts.fleet is None:
        return
    rows = policy_rows(facts.fleet.policies)
    if not rows:
        what = "there is none: nothing is tiered"
        cure = "kubectl apply -f deploy/samples/observe.yaml watches all nodes and moves nothing"
        yield Finding(level=Level.NOTE, topic="Policies", what=what, cure=cure)
    for row in rows:
        yield _policy(row, on_purpose=_on_purpose(row, facts.fleet), cure=_cure(row, facts.fleet))


def _on_purpose(row: PolicyRow, fleet: Fleet) -> str:
    """Returns what to do if it is not meant that the policy has no node; empty if that was not somebody's choice."""
    if row.reason == "Outranked":
        return _OUTRANKED
    chosen = any(
        selects(policy.spec, node) for policy in fleet.policies.valid if policy.name == row.name for node in fleet.nodes
    )
    return _LEFT_OUT if row.reason == "NoMatchingNodes" and chosen else ""


def _cure(row: PolicyRow, fleet: Fleet) -> str:
    trials = (policy.spec.trial for policy in fleet.policies.valid if policy.name == row.name)
    trial = next(trials, None)
    if row.reason == "NoMatchingNodes" and trial:
        named = ", ".join(trial.node_names)
        return f"spec.trial.nodeNames has {named}: name nodes that are there (kubectl get nodes) and in the selection"
    return _CURES.get(row.reason, f"kubectl terrace status policy {row.name}")


def _policy(row: PolicyRow, *, on_purpose: str, cure: str) -> Finding:
    topic = f"Policy {row.name}"
    if row.is_ready:
        return good(topic, f"{row.ready} nodes ready")
    what = f"{row.reason}: {row.message}"
    if row.reason in _WAITING:
        return Finding(level=Level.NOTE, topic=topic, what=what)
    if on_purpose:
        return Finding(level=Level.NOTE, topic=topic, what=what, cure=on_purpose)
    return problem(topic, what, cure)
