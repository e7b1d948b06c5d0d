"""Does every node do what it is told, and what holds it up? Pure.

Before: `facts`. After: `checks`.
"""

from collections import defaultdict
from collections.abc import Iterator

from terrace_api import OPT_OUT_LABEL
from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import ConditionType, NodeTieringStatus
from terrace_api.selectors import opted_out
from terrace_kubectl.doctor.facts import Facts
from terrace_kubectl.doctor.findings import Finding, Level, about_nodes, few
from terrace_kubectl.rows import condition

_BROKEN = {
    ConditionType.ACCEPTED: "edit the policy: these nodes keep what was in force before",
    ConditionType.APPLIED: "see the agent's log there; it tries again by itself",
    ConditionType.WORKLOADS_RESOLVED: "see the message: which pods may move is not known, so they are left alone",
}


def failures(facts: Facts) -> Iterator[Finding]:
    """What did nodes refuse or fail?"""
    for type_, cure in _BROKEN.items():
        for reason, alike in _by_reason(facts, type_).items():
            names = (name for name, _, _ in alike)
            if reason != "SettingsRejected":  # said by Accepted
                yield about_nodes(Level.PROBLEM, type_.value, names, f"{reason}: {alike[0][2].message}", cure)


def guardrails(facts: Facts) -> Iterator[Finding]:
    """Where is a guardrail hit?"""
    hit = _by_reason(facts, ConditionType.GUARDRAIL_TRIPPED, status=ConditionStatus.TRUE)
    for reason, alike in hit.items():
        names = (name for name, _, _ in alike)
        yield about_nodes(Level.NOTE, "Guardrail", names, f"{reason}: {alike[0][2].message}")


def inverted(facts: Facts) -> Iterator[Finding]:
    """Where do hot pages move to what the kernel takes for slower memory? A policy may know better, so it is a note."""
    for _, alike in _by_reason(facts, ConditionType.TIERS_INVERTED, status=ConditionStatus.TRUE).items():
        names = (name for name, _, _ in alike)
        what = f"the order of tiers is against the kernel's: {alike[0][2].message}"
        cure = "if it is not meant: swap the tiers in spec.tiers; if the kernel is wrong about that memory, leave them"
        yield about_nodes(Level.NOTE, ConditionType.TIERS_INVERTED.value, names, what, cure)


def skew(facts: Facts) -> Iterator[Finding]:
    """Which agents do not know all that they are told?"""
    names = [name for name, status in facts.statuses if status.unknown_fields]
    if names:
        fields = sorted({field for _, status in facts.statuses for field in status.unknown_fields})
        what = f"the agent does not know {few(fields)}"
        yield about_nodes(
            Level.PROBLEM, "Versions", names, what, "upgrade the agents: helm upgrade, then see the DaemonSet"
        )


def opted_out_nodes(facts: Facts) -> Iterator[Finding]:
    """Which nodes are left alone on purpose?"""
    names = [node.name for node in (facts.fleet.nodes if facts.fleet else ()) if opted_out(node.labels)]
    if names:
        yield about_nodes(Level.NOTE, "Opted out", names, f"opted out by the label {OPT_OUT_LABEL}=disabled")


def _by_reason(
    facts: Facts, type_: ConditionType, status: ConditionStatus = ConditionStatus.FALSE
) -> dict[str, list[tuple[str, NodeTieringStatus, Condition]]]:
    """Returns the nodes whose condition has that status, by its reason, the most frequent first."""
    alike: defaultdict[str, list[tuple[str, NodeTieringStatus, Condition]]] = defaultdict(list)
    for name, found in facts.statuses:
        one = condition(found, type_)
        if one is not None and one.status is status:
            alike[one.reason].append((name, found, one))
    return dict(sorted(alike.items(), key=lambda item: (-len(item[1]), item[0])))
