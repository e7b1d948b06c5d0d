"""Does every node have what it needs, and what is in the way? Pure.

Before: `facts`. After: `checks`.
"""

from collections import defaultdict
from collections.abc import Iterator

from terrace_api import OPT_OUT_LABEL
from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import ConditionType, NodeTieringStatus
from terrace_api.selectors import opted_out
from terrace_kubectl.doctor.facts import Facts
from terrace_kubectl.doctor.findings import Finding, Level, about_nodes, good
from terrace_kubectl.rows import NodeRow, condition, node_rows

_IN_THE_WAY = {
    "ForeignKdamonds": "stop the other user of DAMON on these nodes (damo, another module), or label them "
    f"{OPT_OUT_LABEL}=disabled",
    "ExclusiveModule": "store N in that module's parameters/enabled, and keep it from being enabled at boot",
}
"""Reasons of EngineAvailable=False that somebody can remove without another kernel."""
_BROKEN = {
    ConditionType.ACCEPTED: "edit the policy: these nodes keep what was in force before",
    ConditionType.APPLIED: "see the agent's log there; it tries again by itself",
    ConditionType.WORKLOADS_RESOLVED: "see the message: which pods may move is not known, so they are left alone",
}


def engines(facts: Facts) -> Iterator[Finding]:
    """On which nodes with a slow tier can no engine run, and why?"""
    for reason, alike in _by_reason(facts, ConditionType.ENGINE_AVAILABLE).items():
        names = [name for name, _, _ in alike]
        kernels = sorted({status.kernel for _, status, _ in alike})
        what = f"{reason} on kernel {_few(kernels)}: {alike[0][2].message}"
        level = Level.PROBLEM if reason in _IN_THE_WAY else Level.NOTE
        cure = _IN_THE_WAY.get(reason, "another kernel; until then these nodes count as unsupported, not as failed")
        yield about_nodes(level, "Engine", names, what, cure)


def nowhere(facts: Facts) -> Iterator[Finding]:
    """Is there any node at all that can be tiered?"""
    if facts.fleet is None:
        return
    rows = [row for row in node_rows(facts.fleet) if row.tiers]
    tiered = [row for row in rows if len(row.tiers) > 1]
    single = [row.name for row in rows if len(row.tiers) == 1]
    able = [row for row in tiered if _can_run(facts, row)]
    if single:
        what = "a single tier of memory: there is nothing to move"
        yield about_nodes(Level.NOTE, "Tiers", single, what)
    if tiered and not able:
        what = "a slow tier, and no engine can run on any of them"
        yield about_nodes(Level.PROBLEM, "Tiers", (row.name for row in tiered), what, "see Engine for each reason")
    elif tiered:
        yield good("Tiers", f"{len(able)} of {len(tiered)} nodes with a slow tier can run an engine")


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
    """Where do hot pages move to what the kernel takes for slower memory?"""
    for _, alike in _by_reason(facts, ConditionType.TIERS_INVERTED, status=ConditionStatus.TRUE).items():
        names = (name for name, _, _ in alike)
        what = f"the order of tiers is against the kernel's: {alike[0][2].message}"
        cure = "swap the tiers in spec.tiers; if the kernel is wrong about that memory, leave them"
        yield about_nodes(Level.PROBLEM, ConditionType.TIERS_INVERTED.value, names, what, cure)


def skew(facts: Facts) -> Iterator[Finding]:
    """Which agents do not know all that they are told?"""
    names = [name for name, status in _statuses(facts) if status.unknown_fields]
    if names:
        fields = sorted({field for _, status in _statuses(facts) for field in status.unknown_fields})
        what = f"the agent does not know {_few(fields)}"
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
    for name, found in _statuses(facts):
        one = condition(found, type_)
        if one is not None and one.status is status:
            alike[one.reason].append((name, found, one))
    return dict(sorted(alike.items(), key=lambda item: (-len(item[1]), item[0])))


def _statuses(facts: Facts) -> list[tuple[str, NodeTieringStatus]]:
    fleet = facts.fleet
    seen = [(node.name, fleet.seen[node.name]) for node in fleet.nodes if node.name in fleet.seen] if fleet else []
    return [(name, one.status) for name, one in seen if one.status is not None]


def _few(words: list[str]) -> str:
    return ", ".join(words[:3]) + (", ..." if len(words) > 3 else "")


def _can_run(facts: Facts, row: NodeRow) -> bool:
    seen = facts.fleet.seen.get(row.name) if facts.fleet else None
    found = condition(seen.status, ConditionType.ENGINE_AVAILABLE) if seen else None
    return found is not None and found.status is ConditionStatus.TRUE
