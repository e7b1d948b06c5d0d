"""What people see of a cluster at a bad moment, word by word; the width is fixed, and there are no colours."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import RenderableType

from cases.plugin_fleet import BATCH, NOW, PODS, a_fleet, facts, policy_of
from cases.policies import policy
from golden.update import Golden
from terrace_kubectl import diff, explain_node, explain_pod, fleet_view, node_view, policy_view
from terrace_kubectl import report as reports
from terrace_kubectl.doctor.checks import diagnose
from terrace_kubectl.fleet import Pod
from terrace_kubectl.page import page
from terrace_kubectl.report import Sample, report
from terrace_kubectl.rows import NodeRow, node_row
from terrace_kubectl.show import diff as show_diff
from terrace_kubectl.show import doctor as show_doctor
from terrace_kubectl.show import explain as show_explain
from terrace_kubectl.show import fleet as show_fleet
from terrace_kubectl.show import node as show_node
from terrace_kubectl.show import policy as show_policy
from terrace_kubectl.show.terminal import Output, as_text, plain

FILES = Path(__file__).parent
COLUMNS = 110
FLEET = a_fleet()
ROOM_FOR_ALL = policy("batch", **BATCH["spec"] | {"nodeSelector": {"matchLabels": {"kubernetes.io/os": "linux"}}})
EDITS = {
    "new": policy("night", mode="Enforce", priority=30, allNodes=True, workloads=[{"name": "all", "action": "Tier"}]),
    "wider": ROOM_FOR_ALL,
    "same": BATCH,
}


def node_and_seen(name: str) -> tuple[Any, Any]:
    node = FLEET.node(name)
    assert node is not None
    return node, FLEET.seen[name]


def pod(name: str) -> Pod:
    [(namespace, labels)] = [(namespace, labels) for namespace, found, labels, _ in PODS if found == name]
    return Pod(namespace=namespace, name=name, cgroup_uid=f"uid-{name}", labels=labels, node="batch-1", finished=False)


def explained(name: str) -> Iterable[RenderableType]:
    node, seen = node_and_seen(name)
    return show_explain.show_node(explain_node.explain(node, seen, FLEET.policies, NOW))


def of_node(name: str) -> Iterable[RenderableType]:
    return show_node.show(node_view.view(*node_and_seen(name)), now=NOW)


def of_pod(name: str) -> Iterable[RenderableType]:
    row = node_row(*node_and_seen("batch-1"))
    return show_explain.show_pod(explain_pod.explain(pod(name), row, FLEET.seen["batch-1"]))


def of_policy(name: str) -> Iterable[RenderableType]:
    return show_policy.show(policy_view.view(FLEET, name), most=3, now=NOW)


def of_edit(name: str) -> Iterable[RenderableType]:
    return show_diff.show(diff.compare(FLEET, policy_of(EDITS[name]), NOW))


TEXTS: dict[str, Iterable[RenderableType]] = {
    "status": show_fleet.show(fleet_view.view(FLEET)),
    "status-policy-batch": of_policy("batch"),
    "status-policy-everywhere": of_policy("everywhere"),
    "status-node-batch-1": of_node("batch-1"),
    "status-node-edge-1": of_node("edge-1"),
    "status-node-web-6": of_node("web-6"),
    "explain-node-batch-1": explained("batch-1"),
    "explain-node-web-3": explained("web-3"),
    "explain-node-web-5": explained("web-5"),
    "explain-pod-excluded": of_pod("orders-db-0"),
    "explain-pod-tiered": of_pod("train-x2k"),
    "diff-new": of_edit("new"),
    "diff-wider": of_edit("wider"),
    "diff-same": of_edit("same"),
    "doctor": show_doctor.show(diagnose(facts(FLEET))),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_terminal_shows(name: str, golden: Golden) -> None:
    golden.check(FILES / f"{name}.txt", plain(TEXTS[name], columns=COLUMNS))


JSON: dict[str, Any] = {
    "status": fleet_view.view(FLEET),
    "explain-node-web-3": explain_node.explain(*node_and_seen("web-3"), FLEET.policies, NOW),
    "diff-new": diff.compare(FLEET, policy_of(EDITS["new"]), NOW),
    "doctor": diagnose(facts(FLEET)),
}


@pytest.mark.parametrize("name", JSON)
def test_programs_read(name: str, golden: Golden) -> None:
    golden.check(FILES / f"{name}.json", as_text(JSON[name], Output.JSON))


def later(row: NodeRow, step: int) -> NodeRow:
    """A node on which memory moved meanwhile."""
    if not row.engine:
        return row
    return replace(
        row,
        promoted_bytes=row.promoted_bytes + step * (2 << 30),
        demoted_bytes=row.demoted_bytes + step * step * (1 << 30),
        tiers=tuple(replace(tier, free_bytes=tier.free_bytes + step * (1 << 30)) for tier in row.tiers),
    )


def samples(count: int) -> list[Sample]:
    first = reports.sample(FLEET, NOW)
    return [
        Sample(at=NOW + timedelta(seconds=30 * step), rows=tuple(later(row, step) for row in first.rows))
        for step in range(count)
    ]


@pytest.mark.parametrize(("name", "count"), [("report-now", 1), ("report-over-time", 4)])
def test_the_page_shows(name: str, count: int, golden: Golden) -> None:
    golden.check(FILES / f"{name}.html", page(report("https://cluster.example.org:6443", samples(count), FLEET)))
