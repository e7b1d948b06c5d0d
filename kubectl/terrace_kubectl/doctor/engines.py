"""Why can no engine run on a node, and what helps there? Pure.

A node says why each engine cannot run, and its condition has the reason of the best one only. What is within reach
comes first: whatever is in the way, then a value of the chart, then the policy; another kernel is the last resort.

Before: `facts`. After: `checks`.
"""

from collections import defaultdict
from collections.abc import Iterator

from terrace_api import OPT_OUT_LABEL
from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import ConditionType, EngineCapability, NodeTieringStatus
from terrace_api.policy import EngineChoice
from terrace_kubectl.doctor.facts import Facts
from terrace_kubectl.doctor.findings import Finding, Level, about_nodes, few, good
from terrace_kubectl.rows import condition, node_rows

_GRANT_MOVE_PAGES = "helm upgrade with movePages.enabled=true, which lets the agent move pages by itself"
_OTHER_TIERS = "another spec.engine, or spec.tiers as the kernel has them: see the message"
_KERNEL = "another kernel"

CURES = {
    "ForeignKdamonds": "stop the other user of DAMON on these nodes (damo, another module), or label them "
    f"{OPT_OUT_LABEL}=disabled",
    "ExclusiveModule": "store N in that module's parameters/enabled, and keep it from being enabled at boot",
    "SidecarSilent": "see why the sidecar of numaBalancing.enabled takes no stores: ",
    "NoSysAdmin": "helm upgrade with numaBalancing.enabled=true, which lets the kernel's own tiering be used",
    "NoHostProc": _GRANT_MOVE_PAGES,
    "NoHostPid": _GRANT_MOVE_PAGES,
    "NoPtrace": _GRANT_MOVE_PAGES,
    "Seccomp": f"{_GRANT_MOVE_PAGES}; where it is on, with a movePages.seccompProfile that has move_pages(2)",
    "NoTracker": "helm upgrade with movePages.idlePages=true where the kernel has CONFIG_IDLE_PAGE_TRACKING, else "
    "another kernel",
    "CannotExclude": "another spec.engine, which can leave pods alone, or a policy and pods without exclusions",
    "OtherMemoryTiers": _OTHER_TIERS,
    "FastTierWithoutCpus": _OTHER_TIERS,
    "UntieredMemory": _OTHER_TIERS,
    "NoDamonSysfs": _KERNEL,
    "NoPhysicalOperations": _KERNEL,
    "NoMigrateActions": _KERNEL,
    "NoNumaBalancing": _KERNEL,
    "NoTieringMode": _KERNEL,
    "OneMemoryTier": _KERNEL,
    "NoMovePages": _KERNEL,
}
"""What helps, by the reason that an agent gives for an engine that cannot run; what is easier comes first."""
_BROKEN = {"ForeignKdamonds", "ExclusiveModule", "SidecarSilent"}
"""What should not be so, whatever the kernel can do."""
_OF_A_NEWER_AGENT = "see the message"

Alike = list[tuple[str, NodeTieringStatus, Condition]]


def engines(facts: Facts) -> Iterator[Finding]:
    """On which nodes with a slow tier can no engine run, and why?"""
    for reasons, alike in _without_engine(facts).items():
        names = [name for name, _, _ in alike]
        kernels = sorted({status.kernel for _, status, _ in alike})
        what = f"{reasons[0]} on kernel {few(kernels)}: {alike[0][2].message}"
        cure = "; or ".join(_cures(facts, reasons, names[0]))
        if _BROKEN.isdisjoint(reasons):
            cure = f"{cure}; until then these nodes count as unsupported, not as failed"
            yield about_nodes(Level.NOTE, "Engine", names, what, cure)
        else:
            yield about_nodes(Level.PROBLEM, "Engine", names, what, cure)


def nowhere(facts: Facts) -> Iterator[Finding]:
    """Is there any node at all that can be tiered?"""
    if facts.fleet is None:
        return
    rows = [row for row in node_rows(facts.fleet) if row.tiers]
    tiered = [row.name for row in rows if len(row.tiers) > 1]
    single = [row.name for row in rows if len(row.tiers) == 1]
    able = {name for name, status in facts.statuses if _engine(status, ConditionStatus.TRUE)} & set(tiered)
    if single:
        what = "a single tier of memory: there is nothing to move"
        yield about_nodes(Level.NOTE, "Tiers", single, what)
    if tiered and not able:
        what = "a slow tier, and no engine can run on any of them"
        yield about_nodes(Level.PROBLEM, "Tiers", tiered, what, "see Engine for each reason")
    elif tiered:
        yield good("Tiers", f"{len(able)} of {len(tiered)} nodes with a slow tier can run an engine")


def _without_engine(facts: Facts) -> dict[tuple[str, ...], Alike]:
    """Returns the nodes that can run no engine by the reasons, that of the condition first; the most frequent first."""
    alike: defaultdict[tuple[str, ...], Alike] = defaultdict(list)
    for name, status in facts.statuses:
        if found := _engine(status, ConditionStatus.FALSE):
            others = (one.reason for one in status.engines if not one.available and _allowed(facts, name, one))
            alike[tuple(dict.fromkeys((found.reason, *others)))].append((name, status, found))
    return dict(sorted(alike.items(), key=lambda item: (-len(item[1]), item[0])))


def _allowed(facts: Facts, node: str, engine: EngineCapability) -> bool:
    spec = facts.fleet.seen[node].tiering.spec if facts.fleet else None
    choice = spec.settings.engine if spec and spec.settings else EngineChoice.AUTO
    return choice is EngineChoice.AUTO or choice.name == engine.name.name


def _cures(facts: Facts, reasons: tuple[str, ...], node: str) -> tuple[str, ...]:
    """Returns what helps against any of these reasons, each once."""
    known = [reason for reason in CURES if reason in reasons]
    told = (CURES[one] + (_log_of_sidecar(facts, node) if one == "SidecarSilent" else "") for one in known)
    return tuple(dict.fromkeys(told)) or (_OF_A_NEWER_AGENT,)


def _log_of_sidecar(facts: Facts, node: str) -> str:
    if pod := (facts.agent_pods or {}).get(node):
        return f"kubectl -n {pod.namespace} logs {pod.name} -c relay"
    namespace = next((one.namespace for one in facts.agents or ()), "NAMESPACE")
    return f"kubectl -n {namespace} logs -l app.kubernetes.io/component=agent -c relay --prefix"


def _engine(status: NodeTieringStatus, wanted: ConditionStatus) -> Condition | None:
    found = condition(status, ConditionType.ENGINE_AVAILABLE)
    return found if found and found.status is wanted else None
