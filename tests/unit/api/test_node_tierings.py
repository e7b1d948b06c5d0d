"""NodeTierings, written sparsely and read tolerantly."""

from dataclasses import fields
from typing import Any

import pytest
import yaml

from cases.policies import GOOD
from terrace_api.codec import decode_node_tiering, decode_policy_file, encode_node_tiering_spec
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import Action, EngineName, NodeTieringSpec, PolicyRef
from terrace_api.policy import Settings

DAMON = {"name": "damon", "available": True, "reason": "Available", "message": "it can run"}


def settings_of(manifest: dict[str, object]) -> Settings:
    spec = decode_policy_file(yaml.safe_dump(manifest)).spec
    return Settings(**{field.name: getattr(spec, field.name) for field in fields(Settings)})


def spec_of(manifest: dict[str, object]) -> NodeTieringSpec:
    policy = PolicyRef(name="case", uid="1")
    return NodeTieringSpec(action=Action.MANAGE, policy=policy, revision="r", settings=settings_of(manifest))


def read(spec: dict[str, Any], **more: Any) -> Any:
    return decode_node_tiering({"metadata": {"name": "node-1"}, "spec": spec} | more)


@pytest.mark.parametrize("manifest", GOOD.values(), ids=GOOD.keys())
def test_settings_come_back_as_they_were_written(manifest: dict[str, object]) -> None:
    spec = spec_of(manifest)
    node, unknown = read(encode_node_tiering_spec(spec))
    assert node.spec == spec
    assert unknown == ()


def test_settings_that_are_the_default_are_left_out() -> None:
    assert encode_node_tiering_spec(spec_of(GOOD["the smallest"]))["settings"] == {"mode": "Observe"}


def test_unknown_fields_are_reported_not_refused() -> None:
    spec = encode_node_tiering_spec(spec_of(GOOD["everything set"]))
    spec["settings"]["quota"]["later"] = 1
    spec["newer"] = True
    _, unknown = read(spec)
    assert unknown == ("spec.settings.quota.later", "spec.newer")


def test_a_known_field_of_a_wrong_kind_is_refused() -> None:
    spec = encode_node_tiering_spec(spec_of(GOOD["everything set"]))
    spec["settings"]["promotion"]["minAccesses"] = "many"
    with pytest.raises(InvalidObject) as refused:
        read(spec)
    assert "min_accesses" in str(refused.value) or "minAccesses" in str(refused.value)


def test_restore_has_no_settings() -> None:
    node, _ = read({"action": "Restore"})
    assert node.spec == NodeTieringSpec(action=Action.RESTORE)


@pytest.mark.parametrize("generation", [{}, {"observedGeneration": "third"}])
def test_a_status_that_does_not_say_what_it_answers_counts_as_none(generation: dict[str, Any]) -> None:
    node, _ = read({"action": "Restore"}, status={"promotedBytes": 5, **generation})
    assert node.status is None


@pytest.mark.parametrize(
    ("written", "blank"),
    [
        ({"engine": "antigravity"}, {"engine": EngineName.NONE}),
        ({"mode": "Later"}, {"mode": None}),
        ({"promotedBytes": "many"}, {"promoted_bytes": 0}),
        ({"effective": {"quotaControl": "Later"}}, {"effective": None}),
        ({"engines": [{**DAMON, "name": "antigravity"}, DAMON]}, {"engines": ()}),
    ],
    ids=str,
)
def test_a_status_is_not_lost_because_one_field_cannot_be_read(written: dict[str, Any], blank: dict[str, Any]) -> None:
    whole = {"observedGeneration": 3, "kernel": "7.2", "engine": "damon", "mode": "Enforce", "engines": [DAMON]}
    node, _ = read({"action": "Restore"}, status=whole | written)
    assert node.status is not None
    assert (node.status.observed_generation, node.status.kernel) == (3, "7.2")
    assert {name: getattr(node.status, name) for name in blank} == blank


@pytest.mark.parametrize("lost", ["plan", "kernel", "engine", "promotedBytes", "unknownFields", "conditions"])
def test_a_status_that_lacks_a_field_is_read_without_it(lost: str) -> None:
    whole = {"observedGeneration": 3, "kernel": "7.2", "engine": "damon", "promotedBytes": 5, "plan": ["promote"]}
    node, _ = read({"action": "Restore"}, status={name: value for name, value in whole.items() if name != lost})
    assert node.status is not None
    assert node.status.observed_generation == 3
    assert node.status.kernel == ("" if lost == "kernel" else "7.2")
    assert node.status.promoted_bytes == (0 if lost == "promotedBytes" else 5)


@pytest.mark.parametrize(
    ("settings", "field", "cure"),
    [
        ({"promotion": {"minAge": "5x"}}, "spec.settings.promotion.minAge", "as in 5ms"),
        ({"demotion": {"fastFreeTarget": "half"}}, "spec.settings.demotion.fastFreeTarget", "as in 99.6%"),
        ({"quota": {"size": "-1"}}, "spec.settings.quota.size", "as in 200Mi"),
        ({"mode": "Maybe"}, "spec.settings.mode", "'Maybe' is not one of Observe, Enforce"),
        ({"promotion": {"minAccesses": "many"}}, "spec.settings.promotion.minAccesses", "not a whole number"),
        ({"youngFilter": "perhaps"}, "spec.settings.youngFilter", "not true or false"),
        ({"watermarks": {"high": "20%", "mid": "15%"}}, "spec.settings.watermarks.low", "is missing"),
        (
            {"workloads": [{"name": "a", "action": "Tier", "match": {"podSelector": {"matchLabels": {"app": 3}}}}]},
            "spec.settings.workloads[0].match.podSelector.matchLabels",
            "not a map of labels",
        ),
    ],
)
def test_what_cannot_be_read_is_named_as_it_is_written_with_the_cure(
    settings: dict[str, object], field: str, cure: str
) -> None:
    with pytest.raises(InvalidObject) as caught:
        read({"action": "Manage", "settings": {"mode": "Enforce"} | settings})
    (problem,) = caught.value.problems
    assert problem.field == field
    assert cure in problem.message
