"""Why a node follows its policy, and why a pod is or is not tiered."""

import copy
import io
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console, RenderableType

from cases.fleets import a_condition, a_policy, an_invalid_policy
from cases.plugin_fleet import BATCH, EVERYWHERE, MACHINES, NOW, WATCH, a_fleet, objects
from terrace_kubectl.explain_node import NodeExplained
from terrace_kubectl.explain_node import explain as explain_node
from terrace_kubectl.explain_pod import PodExplained
from terrace_kubectl.explain_pod import explain as explain_pod
from terrace_kubectl.fleet import Fleet, Pod
from terrace_kubectl.objects import read_pod
from terrace_kubectl.policy_rows import selection
from terrace_kubectl.rows import node_row
from terrace_kubectl.show.explain import show_node

FLEET = a_fleet()
POD = Pod(namespace="shop", name="cart-7d9f", cgroup_uid="uid-cart-7d9f", labels={}, node="batch-1", finished=False)


def node(name: str, fleet: Fleet = FLEET, **policies: Any) -> NodeExplained:
    found = fleet.node(name)
    assert found is not None
    return explain_node(found, fleet.seen.get(name), replace(fleet.policies, **policies), NOW)


def pod(fleet: Fleet = FLEET, **changes: Any) -> PodExplained:
    wanted = replace(POD, **changes)
    found = fleet.node(wanted.node)
    row = node_row(found, fleet.seen.get(wanted.node)) if found else None
    return explain_pod(wanted, row, fleet.seen.get(wanted.node))


def printed(parts: Iterable[RenderableType]) -> str:
    console = Console(width=200, file=io.StringIO())
    for part in parts:
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def why_not(explained: NodeExplained, name: str) -> str:
    return next(candidate.why for candidate in explained.candidates if candidate.policy == name)


def test_the_operators_own_words_say_who_wins() -> None:
    assert node("batch-1").why == "policy batch wins over everywhere, watch: priority 20 is above 10"


def test_tiers_against_the_kernels_order_are_in_the_way_and_others_not() -> None:
    held = next(one for one in MACHINES if one.name == "batch-3")
    (found,) = node("batch-3", a_fleet(objects(machines=(replace(held, inverted="nid 1 is slower."),)))).blocking
    assert (found.type, found.message) == ("TiersInverted", "nid 1 is slower.")
    assert node("batch-3").blocking == ()


def test_a_selector_that_does_not_match_says_which_part_of_it() -> None:
    found = node("edge-1")
    assert why_not(found, "batch") == "does not select it: it wants pool=batch, and the node has pool=edge"
    assert why_not(found, "everywhere") == "does not select it: it wants pool notin (edge), and the node has pool=edge"
    assert why_not(found, "gpu-nodes") == "does not select it: it wants gpu=yes, and the node has no gpu"


def test_a_trial_names_its_nodes_and_whether_it_is_over() -> None:
    trial = {"nodeNames": ["web-1"], "duration": "1h"}
    now, over = (
        a_policy(name, created=at, trial=trial)
        for name, at in (("now", NOW.isoformat()), ("over", "2026-01-01T00:00:00Z"))
    )
    found = node("edge-1", valid=(now, over))
    assert why_not(found, "now") == "does not select it: its trial is on web-1 only"
    assert why_not(found, "over") == "its trial is over"


def test_a_policy_that_outranks_nobody_on_an_opted_out_node_says_the_label() -> None:
    assert why_not(node("web-5"), "watch") == (
        "selects it, but the node's label terrace.dev/tiering=disabled wins over every policy"
    )


def test_nodes_of_a_policy_that_became_unreadable_keep_it() -> None:
    broken = replace(an_invalid_policy("batch"), uid="uid-batch")
    kept = tuple(one for one in FLEET.policies.valid if one.name != "batch")
    found = node("batch-1", valid=kept, invalid=(broken,))
    assert [one.policy for one in found.candidates if one.follows] == ["batch"]
    assert why_not(found, "batch") == "cannot be read: spec.quota.size: must be at least 1Mi"
    assert why_not(found, "watch") == "selects it, but policy batch cannot be read, so its nodes keep what they have"


def test_settings_that_were_refused_are_not_shown_as_those_in_force() -> None:
    seen = FLEET.seen["batch-1"]
    assert seen.status is not None
    told = node("batch-1").node.told
    accepted = (a_condition("Accepted", "False", "SettingsRejected"), *seen.status.conditions)
    refused = replace(seen, status=replace(seen.status, active_revision="before", conditions=accepted))
    for fleet, asked, runs in (
        (FLEET, "SETTINGS THAT ARE NOT THE DEFAULT\n", "WHAT BECAME OF THEM HERE\n"),
        (
            replace(FLEET, seen={"batch-1": refused}),
            f"DEFAULT, OF REVISION {told}, WHICH IS NOT IN FORCE\n",
            "IN FORCE IS REVISION before\n",
        ),
    ):
        text = printed(show_node(node("batch-1", fleet)))
        assert asked in text
        assert runs in text


def test_a_problem_is_said_once() -> None:
    found = node("web-3")
    assert found.node.reason == "ForeignKdamonds"
    assert found.blocking == ()


def test_pods_are_grouped_by_what_is_done_with_them() -> None:
    groups = [(group.tiered, group.why, group.pods) for group in node("batch-1").pods]
    assert groups == [(True, "Tier by rule rest", 2), (False, "Exclude by rule databases", 1)]


def test_settings_that_are_not_the_default_are_listed() -> None:
    assert node("batch-1").settings[:3] == ("mode: Enforce", "quota.size: 400Mi", "workloads: databases, rest")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"node": ""}, "it is not scheduled to a node yet"),
        ({"finished": True}, "its containers have ended, so it has no memory"),
        ({"node": "gone"}, "its node gone is gone"),
        ({"node": "web-6"}, "nothing is known of node web-6: no agent has reported from this node"),
        ({"node": "web-5"}, "no policy is in force on node web-5"),
        ({"node": "web-4"}, "node web-4 has a single tier of memory: there is nothing to move"),
        ({"node": "web-2"}, "no engine can run on node web-2"),
        ({"cgroup_uid": "new"}, "its node's agent has not reported it yet"),
    ],
)
def test_a_pod_of_which_nothing_is_decided_says_why(changes: dict[str, Any], says: str) -> None:
    found = pod(**changes)
    assert (found.tiered, found.moves) == (None, False)
    assert found.why[0].startswith(says)


def test_a_tiered_pod_says_the_rule_and_where_its_memory_is() -> None:
    found = pod()
    assert (found.tiered, found.moves, found.why) == (True, True, ("Tier by rule rest",))
    assert found.placement is not None
    assert found.placement.fast_share == "75.0%"


@pytest.mark.parametrize("limits", [{}, {"fastMemory": {"max": "2Gi"}}])
def test_a_pod_whose_limits_its_node_cannot_keep_says_so(limits: dict[str, Any]) -> None:
    policy = copy.deepcopy(BATCH)
    policy["spec"]["workloads"][1] |= limits
    fleet = a_fleet(objects(policies=(policy,)))
    status = fleet.seen["batch-1"].status
    assert status is not None
    assert status.effective is not None
    note = "workloads[].fastMemory: 1 pods are tiered without limits"
    effective = replace(status.effective, notes=(*status.effective.notes, note))
    seen = replace(fleet.seen["batch-1"], status=replace(status, effective=effective))
    found = pod(replace(fleet, seen={"batch-1": seen}))
    assert found.moves
    assert found.why == ("Tier by rule rest", *((note,) if limits else ()))


def test_the_label_wins_and_is_named_even_before_the_agent_has_seen_the_pod() -> None:
    found = pod(cgroup_uid="new", labels={"terrace.dev/tiering": "disabled"})
    assert found.tiered is False
    assert "terrace.dev/tiering=disabled" in found.why[0]


def test_a_pod_without_rules_says_that_there_are_none() -> None:
    fleet = a_fleet(objects(policies=(EVERYWHERE,)))
    status = fleet.seen["batch-1"].status
    assert status is not None
    pods = tuple(replace(one, rule="", why="") for one in status.pods)
    seen = replace(fleet.seen["batch-1"], status=replace(status, pods=pods))
    found = pod(replace(fleet, seen={"batch-1": seen}))
    assert found.why == ("the policy has no rules for workloads: every pod is tiered",)


STORY = {machine.name: machine for machine in MACHINES}


@pytest.mark.parametrize(
    ("policy", "changes", "says"),
    [
        (WATCH, {}, "nothing moves in mode Observe"),
        (EVERYWHERE, {"tripped": STORY["batch-3"].tripped}, "a guardrail of the policy is hit (MemoryPressure): "),
        (EVERYWHERE, {"failure": STORY["web-1"].failure}, "the policy is not in force on node batch-1: "),
    ],
)
def test_a_tiered_pod_that_does_not_move_says_what_holds_it_up(policy: Any, changes: Any, says: str) -> None:
    machine = replace(STORY["batch-1"], **changes)
    found = pod(a_fleet(objects(policies=(policy,), machines=(machine,))))
    assert (found.tiered, found.moves) == (True, False)
    assert found.why[-1].startswith(says)


def test_a_static_pod_is_found_by_the_uid_that_kubelet_gives_its_cgroup() -> None:
    metadata = {"namespace": "kube-system", "name": "etcd-a", "uid": "mirror"}
    annotated = metadata | {"annotations": {"kubernetes.io/config.hash": "static"}}
    assert [read_pod({"metadata": found}).cgroup_uid for found in (metadata, annotated)] == ["mirror", "static"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"allNodes": True}, "all nodes"),
        ({"nodeSelector": {"matchLabels": {"a": "1", "b": "2"}}}, "nodes with a=1,b=2"),
        (
            {
                "nodeSelector": {
                    "matchExpressions": [
                        {"key": "a", "operator": "In", "values": ["1", "2"]},
                        {"key": "b", "operator": "Exists"},
                        {"key": "c", "operator": "DoesNotExist"},
                    ]
                }
            },
            "nodes with a in (1,2),b,!c",
        ),
        (
            {"allNodes": True, "trial": {"nodeNames": ["a", "b"], "duration": "24h"}},
            "a trial on a, b for 24h, of all nodes",
        ),
    ],
)
def test_a_selection_reads_as_kubectl_takes_it(spec: dict[str, Any], says: str) -> None:
    assert selection(a_policy("x", **spec).spec) == says
