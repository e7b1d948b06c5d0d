"""What a policy file would change: the operator's own decisions with the file and without it."""

from dataclasses import replace
from typing import Any

import pytest

from cases.fleets import an_invalid_policy
from cases.plugin_fleet import BATCH, EVERYWHERE, NOW, WATCH, a_fleet, objects, policy_of
from cases.policies import policy
from terrace_api.node_tiering import QuotaControl
from terrace_api.policy_status import Stopped
from terrace_kubectl.diff import DiffView, compare
from terrace_kubectl.fleet import Fleet
from terrace_kubectl.settings import lines
from terrace_operator.compile import settings_of

FLEET = a_fleet()
EVERYBODY = {"matchLabels": {"kubernetes.io/os": "linux"}}


def batch(**changes: Any) -> Any:
    return policy_of({**BATCH, "spec": {**BATCH["spec"], **changes}})


def what(view: DiffView) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(change.before, change.after, change.nodes) for change in view.changes]


def test_the_same_policy_changes_nothing() -> None:
    view = compare(FLEET, batch(), NOW)
    assert (view.changes, view.same, view.exists) == ((), 10, True)


def test_another_spelling_of_the_same_changes_nothing() -> None:
    view = compare(FLEET, batch(quota={"size": "400Mi", "interval": "1000ms"}, promotion={"minAge": "0s"}), NOW)
    assert view.changes == ()


def test_an_edit_names_each_setting_before_and_after() -> None:
    (change,) = compare(FLEET, batch(quota={"size": "1Gi", "time": "10ms"}), NOW).changes
    assert change.nodes == ("batch-1", "batch-2", "batch-3")
    assert [(one.path, one.before, one.after) for one in change.settings] == [
        ("quota.time", "50ms", "10ms"),
        ("quota.size", "400Mi", "1Gi"),
    ]


def test_a_rule_that_moves_to_another_place_is_a_change() -> None:
    rules = list(reversed(BATCH["spec"]["workloads"]))
    (change,) = compare(FLEET, batch(workloads=rules), NOW).changes
    assert [(one.path, one.before, one.after) for one in change.settings] == [
        ("workloads", "databases, rest", "rest, databases")
    ]


def test_where_nodes_had_no_policy_it_names_the_mode_and_what_is_not_the_default() -> None:
    (change,) = compare(a_fleet(objects(policies=())), batch(), NOW).changes
    assert (change.before, change.after) == ("", "batch")
    assert [(one.path, one.before, one.after) for one in change.settings[:3]] == [
        ("mode", "", "Enforce"),
        ("quota.size", "", "400Mi"),
        ("workloads", "", "databases, rest"),
    ]


def test_another_priority_moves_nodes_between_policies() -> None:
    view = compare(FLEET, batch(nodeSelector=EVERYBODY, priority=5), NOW)
    assert what(view) == [
        ("batch", "everywhere", ("batch-1", "batch-2", "batch-3")),
        ("watch", "batch", ("edge-1",)),
    ]


def test_nodes_that_no_policy_selects_any_more_are_restored() -> None:
    fleet = a_fleet(objects(policies=(BATCH,)))
    view = compare(fleet, batch(nodeSelector={"matchLabels": {"pool": "none"}}), NOW)
    assert what(view) == [("batch", "", ("batch-1", "batch-2", "batch-3"))]
    assert (view.selected, view.pace) == (0, "")


def test_a_node_that_would_follow_and_cannot_is_counted_as_idle() -> None:
    view = compare(FLEET, batch(nodeSelector=EVERYBODY), NOW)
    (web,) = [change for change in view.changes if change.before == "everywhere"]
    assert (len(web.nodes), web.idle) == (5, 3)


def test_what_it_selects_and_does_not_get_says_why() -> None:
    view = compare(FLEET, policy_of(policy("late", allNodes=True, priority=10), created="2026-06-01T00:00:00Z"), NOW)
    reasons = {one.why: one.nodes for one in view.untouched}
    assert reasons["the node's label terrace.dev/tiering=disabled wins over every policy"] == ("web-5",)
    assert reasons["policy batch wins over everywhere, late, watch: priority 20 is above 10"] == (
        *("batch-1", "batch-2", "batch-3"),
    )


def test_of_equal_priorities_the_age_on_the_cluster_counts() -> None:
    young = policy_of(policy("rival", allNodes=True, priority=20), created="2026-06-01T00:00:00Z")
    old = replace(young, created="2026-01-01T00:00:00Z")
    takes = [{node for change in compare(FLEET, one, NOW).changes for node in change.nodes} for one in (young, old)]
    assert "batch-1" not in takes[0]
    assert "batch-1" in takes[1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rollout": {"canary": "100%"}}, "all at once"),
        (
            {"rollout": {"canary": 1, "maxUpdating": "50%", "bake": "1h"}},
            "1 first, then 2 at a time, each well for 1h before the next",
        ),
        ({"paused": True}, "spec.paused is true: no node takes a new revision until it is false"),
    ],
)
def test_the_pace_of_the_rollout_is_foretold(changes: dict[str, Any], says: str) -> None:
    assert compare(FLEET, batch(quota={"size": "1Gi"}, **changes), NOW).pace == says


def test_a_rollout_that_stopped_before_is_told() -> None:
    assert warnings(with_status(stopped("revision r failed on 2 of the 3 that were told it"))) == [
        "its last rollout failed: revision r failed on 2 of the 3 that were told it"
    ]


def test_a_trial_that_is_over_selects_nothing_and_says_so() -> None:
    view = compare(FLEET, batch(trial={"nodeNames": ["batch-1"], "duration": "1m"}), NOW)
    assert view.warnings == ("its trial is over already: it would select no node",)
    assert view.selected == 0


def test_nodes_of_an_unreadable_policy_keep_what_they_have() -> None:
    broken = replace(an_invalid_policy("batch"), uid="uid-batch")
    kept = tuple(one for one in FLEET.policies.valid if one.name != "batch")
    fleet = replace(FLEET, policies=replace(FLEET.policies, valid=kept, invalid=(broken,)))
    view = compare(fleet, policy_of(policy("all", allNodes=True, priority=100)), NOW)
    assert not {"batch-1", "batch-2", "batch-3"} & {node for change in view.changes for node in change.nodes}
    assert view.warnings == ("policy batch cannot be read: its nodes keep what they have",)


def test_repairing_an_unreadable_policy_is_compared_with_what_its_nodes_have() -> None:
    broken = replace(an_invalid_policy("batch"), uid="uid-batch")
    kept = tuple(one for one in FLEET.policies.valid if one.name != "batch")
    fleet = replace(FLEET, policies=replace(FLEET.policies, valid=kept, invalid=(broken,)))
    assert compare(fleet, batch(), NOW).changes == ()


def test_every_setting_has_a_line_of_its_own() -> None:
    found = lines(settings_of(batch(tiers=[{"name": "hot", "nids": [0, 2]}, {"name": "cold", "types": ["CXL"]}]).spec))
    assert (found["tiers"], found["tiers[hot].nids"], found["tiers[cold].types"]) == ("hot, cold", "0, 2", "CXL")
    assert found["promotion.enabled"] == "true"
    assert not [path for path in found if path.endswith(".name")]


def with_status(stopped: Stopped) -> Fleet:
    status = replace(FLEET.policies.statuses["uid-batch"], stopped=stopped)
    return replace(FLEET, policies=replace(FLEET.policies, statuses={"uid-batch": status}))


def stopped(message: str) -> Stopped:
    return Stopped(generation=1, revision="r", nodes=(), message=message)


def warnings(fleet: Fleet) -> list[str]:
    return list(compare(fleet, batch(), NOW).warnings)


def of_tiers(fast: list[int], slow: list[int], **changes: Any) -> list[str]:
    tiers = [{"name": "fast", "nids": fast}, {"name": "slow", "nids": slow}]
    return list(compare(FLEET, batch(tiers=tiers, **changes), NOW).warnings)


def test_a_nid_that_nodes_do_not_have_is_foretold_with_their_names() -> None:
    assert of_tiers([0], [1, 7]) == [
        "tier slow names nid 7, which 3 of 3 nodes do not have: batch-1, batch-2, batch-3; they would refuse the policy"
    ]


def test_a_nid_that_one_node_lacks_names_it_and_counts_only_nodes_that_would_follow_and_said_what_they_have() -> None:
    web = {"matchLabels": {"pool": "web"}}
    assert of_tiers([0], [1], nodeSelector=web) == [
        "tier slow names nid 1, which 1 of 4 nodes does not have: web-4; it would refuse the policy"
    ]


LIMITS = [{"name": "all", "action": "Tier", "fastMemory": {"max": "2Gi", "min": "512Mi"}}]


def test_limits_of_pods_are_settings_like_all_others() -> None:
    found = lines(settings_of(batch(workloads=LIMITS).spec))
    assert (found["workloads[all].fastMemory.max"], found["workloads[all].fastMemory.min"]) == ("2Gi", "512Mi")


def test_limits_that_nodes_cannot_keep_are_foretold_with_their_names() -> None:
    fleet = with_control("batch-2", QuotaControl.AGENT_LOOP)
    assert list(compare(fleet, batch(workloads=LIMITS), NOW).warnings) == [
        "workloads[].fastMemory would not be kept on 1 of 3 nodes, where no goals of DAMON stop tiering: batch-2; pods "
        "would be tiered without limits there"
    ]
    assert warnings(fleet) == []


def test_limits_that_every_node_keeps_are_worth_no_word() -> None:
    assert list(compare(FLEET, batch(workloads=LIMITS), NOW).warnings) == []


def with_control(name: str, control: QuotaControl) -> Fleet:
    seen = FLEET.seen[name]
    assert seen.status is not None
    assert seen.status.effective is not None
    effective = replace(seen.status.effective, quota_control=control)
    return replace(FLEET, seen={**FLEET.seen, name: replace(seen, status=replace(seen.status, effective=effective))})


def test_tiers_against_the_kernels_order_are_foretold_with_the_nodes() -> None:
    assert of_tiers([1], [0]) == [
        "tier fast is before tier slow, and nid 1 is slower memory than nid 0 to the kernel (memory_tier22 against "
        "memory_tier4), on 3 nodes: batch-1, batch-2, batch-3; hot pages would move to what the kernel takes for slow"
    ]


def test_tiers_that_nodes_have_in_the_kernels_order_are_worth_no_word() -> None:
    assert of_tiers([0], [1]) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"nodeSelector": {"matchLabels": {"pool": "batch", "gpu": "yes"}}},
            "gpu=yes, which 0 of 10 nodes meet; pool=batch, which 3 of 10 nodes meet",
        ),
        (
            {"nodeSelector": EVERYBODY, "trial": {"nodeNames": ["gone"], "duration": "1h"}},
            "kubernetes.io/os=linux, which 10 of 10 nodes meet; a trial on gone, of which 0 of 1 are there",
        ),
    ],
)
def test_a_policy_that_selects_no_node_says_which_requirement_is_in_the_way(changes: Any, says: str) -> None:
    running = replace(batch(**changes), created=NOW.isoformat())
    assert compare(FLEET, running, NOW).warnings == (f"it selects no node: it wants {says}",)


def test_an_empty_fleet_is_no_mistake() -> None:
    empty = Fleet(nodes=(), seen={}, policies=a_fleet(objects(policies=(EVERYWHERE, WATCH), machines=())).policies)
    assert compare(empty, batch(), NOW).changes == ()
