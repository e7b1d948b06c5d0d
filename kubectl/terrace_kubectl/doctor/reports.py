"""Has every node a NodeTiering, and is its agent heard? Pure.

Before: `facts`. After: `checks`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from terrace_kubectl.doctor.facts import Facts
from terrace_kubectl.doctor.findings import Finding, Level, about_nodes, good
from terrace_kubectl.rows import NO_AGENT, NodeRow, node_rows
from terrace_operator.fleet import Agent

_OTHER_VERSION = "use the plugin of the cluster's version"
_UNANSWERED = {
    "NoNodeTiering": ("no NodeTiering", "see the operator: it makes one within seconds"),
    "SpecUnreadable": ("a NodeTiering of another version of Terrace", _OTHER_VERSION),
    "StatusUnreadable": ("a status by an agent of another version of Terrace", _OTHER_VERSION),
    "NotObserved": ("no answer to the current spec", "see their agents' pods and logs"),
}
"""Reasons of a node's state that say that nobody has answered: what is so, and what to do."""
_UNHEARD = {
    "NoReport": "no report",
    Agent.SILENT.value: "AgentAlive=False: the agent missed three heartbeats",
    Agent.NODE_NOT_READY.value: "AgentAlive=False: the node is not ready, and nothing is heard of its agent",
}
"""Reasons of a node's state that say that nothing is, or is no longer, heard of its agent."""
_PLACEMENT = "agent.nodeSelector, agent.affinity and agent.tolerations of the chart"


def inventory(facts: Facts) -> Iterator[Finding]:
    """Has every node a NodeTiering, and has its agent answered it?"""
    if facts.fleet is None:
        return
    rows = [row for row in node_rows(facts.fleet) if row.state != NO_AGENT]
    unanswered = [
        about_nodes(Level.PROBLEM, "Nodes", names, what, cure)
        for reason, (what, cure) in _UNANSWERED.items()
        if (names := [row.name for row in rows if row.reason == reason])
    ]
    unheard = list(_unheard(facts, rows))
    yield from (*unanswered, *unheard)
    if rows and not unanswered and not unheard:
        yield good("Nodes", f"all {len(rows)} have reported on their current spec")


def without_agent(facts: Facts) -> Iterator[Finding]:
    """On which nodes does the operator expect no agent?"""
    names = [row.name for row in node_rows(facts.fleet) if row.state == NO_AGENT] if facts.fleet else []
    if names:
        what = "no agent's pod is there: not counted and not waited for"
        yield about_nodes(Level.NOTE, "Agents", names, what, f"if one should be: {_PLACEMENT}")


def _unheard(facts: Facts, rows: Iterable[NodeRow]) -> Iterator[Finding]:
    """Tells nodes without an agent from nodes whose agent is in trouble, as far as pods can be seen."""
    alike: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row.reason in _UNHEARD:
            alike[_trouble(facts, row)].append(row.name)
    for (what, cure), names in alike.items():
        yield about_nodes(Level.PROBLEM, "Agents", names, what, cure)


def _trouble(facts: Facts, row: NodeRow) -> tuple[str, str]:
    what = _UNHEARD[row.reason]
    if row.reason == Agent.NODE_NOT_READY:
        return what, "kubectl describe node, then see its kubelet"
    if facts.agent_pods is None:
        return f"{what}, and agents' pods may not be looked at", "see the agents' pods on these nodes, and their logs"
    pod = facts.agent_pods.get(row.name)
    if pod is None:
        return f"{what}, and no agent's pod", f"see {_PLACEMENT}"
    log = f"kubectl -n {pod.namespace} logs {pod.name} (--previous)"
    if pod.trouble:
        return f"{what}: the agent's pod does not run ({pod.trouble})", log
    return f"{what}, although the agent's pod runs", log
