"""Does every policy do what it says? Pure.

Before: `facts`. After: `checks`.
"""

from collections.abc import Iterator

from terrace_kubectl.doctor.facts import Facts
from terrace_kubectl.doctor.findings import Finding, Level, good, problem
from terrace_kubectl.policy_rows import PolicyRow, policy_rows

_CURES = {
    "Invalid": "edit the policy; its nodes keep what they have meanwhile",
    "NoMatchingNodes": "compare spec.nodeSelector with the labels of nodes: kubectl get nodes --show-labels",
    "Outranked": "raise spec.priority, or select other nodes",
    "TrialEnded": "delete it, or remove spec.trial to keep it",
    "RolloutStopped": "repair what failed, then edit the policy: any edit begins another rollout",
    "RolledBack": "repair what failed, then edit the policy: any edit begins another rollout",
    "NoSupportedNodes": "see Engine for each reason",
    "NotObserved": "see the operator: it answers within seconds",
}
_WAITING = {"Canary", "NodesUpdating", "Baking", "NodesJoining", "Paused"}
"""Not ready, and nothing is wrong."""


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
        yield _policy(row)


def _policy(row: PolicyRow) -> Finding:
    topic = f"Policy {row.name}"
    if row.is_ready:
        return good(topic, f"{row.ready} nodes ready")
    what = f"{row.reason}: {row.message}"
    if row.reason in _WAITING:
        return Finding(level=Level.NOTE, topic=topic, what=what)
    return problem(topic, what, _CURES.get(row.reason, f"kubectl terrace status policy {row.name}"))
