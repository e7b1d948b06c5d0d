import dataclasses
from typing import Any

import pytest

from cases.fleets import a_policy
from cases.policies import GOOD
from terrace_api.codec import decode_node_tiering, decode_policy, encode_node_tiering_spec
from terrace_api.node_tiering import Action, PolicyRef
from terrace_api.policy import Settings, TieringPolicy, TieringPolicySpec
from terrace_operator.compile import RESTORE, compile_spec, revision, settings_of


def revision_of(policy: TieringPolicy) -> str:
    return revision(settings_of(policy.spec))


def test_a_follower_gets_the_policy_and_its_settings() -> None:
    policy = a_policy("batch", mode="Enforce", quota={"size": "300Mi"})
    spec = compile_spec(policy)
    assert spec.action is Action.MANAGE
    assert spec.policy == PolicyRef(name="batch", uid="uid-batch")
    assert encode_node_tiering_spec(spec)["settings"] == {"mode": "Enforce", "quota": {"size": "300Mi"}}


def test_restore_carries_nothing() -> None:
    assert encode_node_tiering_spec(RESTORE) == {"action": "Restore"}


def test_every_field_of_a_policy_is_a_setting_or_says_which_nodes_get_it_and_how() -> None:
    not_compiled = {"priority", "all_nodes", "node_selector", "paused", "rollout", "trial"}
    fields = {field.name for field in dataclasses.fields(TieringPolicySpec)}
    assert fields - not_compiled == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    "same",
    [
        {"priority": 7},
        {"nodeSelector": {"matchLabels": {"zone": "a"}}},
        {"paused": True},
        {"rollout": {"canary": "5%", "onFailure": "Rollback"}},
        {"trial": {"nodeNames": ["a"], "duration": "1h"}},
        {"mode": "Observe"},
        {"youngFilter": True},
        {"quota": {"time": "50ms"}},
        {"promotion": {"enabled": True, "minAccesses": 1, "minAge": "0s", "fastUsedTarget": "99.60%"}},
        {"demotion": {"minAge": "10000ms"}},
    ],
    ids=str,
)
def test_what_changes_nothing_on_a_node_changes_no_revision(same: dict[str, Any]) -> None:
    assert revision_of(a_policy("changed", **same)) == revision_of(a_policy("plain"))


@pytest.mark.parametrize(
    "other",
    [
        {"mode": "Enforce"},
        {"youngFilter": False},
        {"quota": {"time": "49ms"}},
        {"quota": {"size": "200Mi"}},
        {"promotion": {"enabled": False}},
        {"demotion": {"minAge": "11s"}},
        {"tiers": [{"name": "fast", "nids": [0]}, {"name": "slow", "nids": [1]}]},
        {"tiers": [{"name": "fast", "nids": [1]}, {"name": "slow", "nids": [0]}]},
        {"monitoring": {"regions": {"min": 10, "max": 1000}}},
    ],
    ids=str,
)
def test_every_other_setting_changes_the_revision(other: dict[str, Any]) -> None:
    plain = revision_of(a_policy("plain"))
    assert revision_of(a_policy("plain", **other)) != plain


def test_the_revision_of_the_same_settings_stays_from_version_to_version() -> None:
    """If this fails, installing this version rolls through every node of every cluster."""
    assert revision_of(a_policy("plain")) == "d3fbef36cf0e"
    tuned = a_policy("tuned", mode="Enforce", quota={"size": "1Gi", "time": "20ms"}, demotion={"minAge": "1m"})
    assert revision_of(tuned) == "4e8823cbb57a"


@pytest.mark.parametrize("about", GOOD)
def test_settings_survive_the_way_to_the_node(about: str) -> None:
    spec = compile_spec(decode_policy(GOOD[about]))
    manifest = {"metadata": {"name": "node"}, "spec": encode_node_tiering_spec(spec)}
    assert decode_node_tiering(manifest)[0].spec == spec
