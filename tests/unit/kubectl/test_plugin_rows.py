"""One node in one line: its state, its engine and its tiers."""

from dataclasses import replace
from typing import Any

import pytest

from cases.fleets import a_condition, a_node, a_tiering
from cases.plugin_fleet import EVERYWHERE, GIB, MACHINES, a_fleet, objects
from terrace_api.codec import encode_condition
from terrace_api.node_tiering import Action, NodeTieringSpec
from terrace_kubectl.fleet import Fleet, Seen
from terrace_kubectl.objects import read_seen
from terrace_kubectl.problems import problems
from terrace_kubectl.rows import (
    NodeRow,
    TierUse,
    add_up,
    by_urgency,
    needs_attention,
    node_row,
    node_rows,
    share,
    tiers,
)
from terrace_operator.compile import RESTORE

FLEET = a_fleet()
ROWS = {row.name: row for row in node_rows(FLEET)}


@pytest.mark.parametrize(
    ("name", "state", "reason", "engine"),
    [
        ("batch-1", "Ready", "Enforcing", "damon"),
        ("batch-3", "Held", "MemoryPressure", "damon"),
        ("edge-1", "Ready", "Observing", "damon"),
        ("web-1", "Degraded", "StoreRefused", ""),
        ("web-2", "Unsupported", "NoDamonSysfs", ""),
        ("web-3", "Unsupported", "ForeignKdamonds", ""),
        ("web-4", "Ready", "SingleTier", ""),
        ("web-5", "Idle", "Restored", ""),
        ("web-6", "Pending", "NoReport", ""),
    ],
)
def test_a_node_is_in_one_state_for_one_reason(name: str, state: str, reason: str, engine: str) -> None:
    row = ROWS[name]
    assert (row.state, row.reason, row.engine) == (state, reason, engine)


def test_a_node_without_a_node_tiering_asks_for_the_operator() -> None:
    row = node_row(a_node("new"), None)
    assert (row.state, row.reason) == ("Pending", "NoNodeTiering")
    assert "is the operator running?" in row.message


def test_what_another_version_wrote_is_not_guessed() -> None:
    node = a_node("a")
    spec = Seen(tiering=replace(a_tiering(node), spec=None), status=None)
    status = Seen(tiering=a_tiering(node), status=None, unreadable=True)
    assert [node_row(node, seen).reason for seen in (spec, status)] == ["SpecUnreadable", "StatusUnreadable"]


@pytest.mark.parametrize(
    ("reason", "state"), [("AgentSilent", "Silent"), ("NodeNotReady", "Silent"), ("NoAgent", "NoAgent")]
)
@pytest.mark.parametrize("reported", [True, False])
def test_what_an_agent_reported_no_longer_counts_when_it_is_not_alive(reason: str, state: str, reported: bool) -> None:
    manifest = a_manifest("batch-1")
    status = manifest["status"] if reported else {}
    alive = encode_condition(a_condition("AgentAlive", "False", reason, "nothing was heard"))
    conditions = [*status.get("conditions", ()), alive]
    seen = read_seen({**manifest, "status": {**status, "conditions": conditions}}, whole=True)
    assert not seen.unreadable
    row = node_row(a_node("batch-1", uid="uid-batch-1"), seen)
    assert (row.state, row.reason, row.message) == (state, reason, "nothing was heard")
    assert needs_attention(row) == (state == "Silent")


def test_a_status_that_cannot_be_read_is_told_from_none() -> None:
    manifest = a_manifest("batch-1")
    assert not read_seen({**manifest, "status": {}}, whole=True).unreadable
    assert read_seen({**manifest, "status": {"engine": "antigravity"}}, whole=True).unreadable


def test_pods_are_read_only_for_a_look_at_a_single_node() -> None:
    manifest = a_manifest("batch-1")
    for whole, pods in ((True, 3), (False, 0)):
        status = read_seen(manifest, whole=whole).status
        assert status is not None
        assert len(status.pods) == pods


def test_tiers_come_fastest_first_whatever_their_names_sort_like() -> None:
    assert [tier.name for tier in ROWS["batch-1"].tiers] == ["fast", "slow"]
    status = FLEET.seen["batch-1"].status
    assert status is not None
    renamed = replace(
        status,
        numa_nodes=tuple(
            replace(node, tier={"fast": "zippy", "slow": "attic"}[node.tier]) for node in status.numa_nodes
        ),
    )
    named = EVERYWHERE["spec"] | {"tiers": [{"name": "zippy", "nids": [0]}, {"name": "attic", "nids": [1]}]}
    spec = a_fleet(objects(policies=({**EVERYWHERE, "spec": named},))).seen["batch-1"].tiering.spec
    assert spec is not None
    assert [tier.name for tier in tiers(spec, renamed)] == ["zippy", "attic"]


def test_many_tiers_are_ordered_as_agents_name_them() -> None:
    status = FLEET.seen["batch-1"].status
    assert status is not None
    node = status.numa_nodes[0]
    names = ("slow", "middle2", "fast", "middle1", "")
    many = replace(status, numa_nodes=tuple(replace(node, nid=nid, tier=tier) for nid, tier in enumerate(names)))
    found = tiers(NodeTieringSpec(action=Action.RESTORE), many)
    assert [tier.name for tier in found] == ["fast", "middle1", "middle2", "slow"]


def test_only_nodes_with_two_tiers_count_as_fast_and_slow() -> None:
    rows = [ROWS["batch-1"], ROWS["web-4"], ROWS["web-6"]]
    assert add_up(rows) == (
        TierUse(name="fast", total_bytes=64 * GIB, free_bytes=2 * GIB),
        TierUse(name="slow", total_bytes=256 * GIB, free_bytes=96 * GIB),
    )
    assert add_up([ROWS["web-4"]]) == ()


def test_shares_are_rounded_as_agents_round_them() -> None:
    assert [share(1, 3), share(0, 5), share(5, 0)] == ["33.3%", "0.0%", "-"]


def test_the_worst_comes_first() -> None:
    order = [row.name for row in by_urgency(ROWS.values())]
    assert order[:5] == ["web-1", "web-6", "batch-3", "web-2", "web-3"]
    assert order[-1] == "web-5"


def test_problems_are_told_once_with_names_and_count() -> None:
    many = [replace(ROWS["web-2"], name=f"node-{number:02}") for number in range(30)]
    (found,) = problems([*many, ROWS["batch-1"]])
    assert (found.state, found.reason, found.nodes) == ("Unsupported", "NoDamonSysfs", 30)
    assert found.sample[:2] == ("node-00", "node-01")


def a_manifest(name: str) -> dict[str, Any]:
    tierings = objects(machines=MACHINES)["/apis/terrace.dev/v1alpha1/nodetierings"]
    found: dict[str, Any] = next(one for one in tierings if one["metadata"]["name"] == name)
    return found


def test_a_node_tiering_of_an_earlier_registration_says_nothing_of_the_node() -> None:
    old = a_tiering(a_node("a", uid="old"), RESTORE)
    row: NodeRow = node_row(a_node("a", uid="new"), Seen(tiering=old, status=None))
    assert row.state == "Pending"
    assert Fleet(nodes=(), seen={}, policies=FLEET.policies).node("a") is None
