"""Policies that people wrote, read strictly."""

import pytest
import yaml

from cases.policies import BAD, GOOD, BadPolicy, policy
from terrace_api.codec import decode_policy_file
from terrace_api.errors import InvalidObject
from terrace_api.policy import Mode

HEAD = "apiVersion: terrace.dev/v1alpha1\nkind: TieringPolicy\nmetadata: {name: case}\nspec: {"


@pytest.mark.parametrize("manifest", GOOD.values(), ids=GOOD.keys())
def test_a_good_policy_is_read(manifest: dict[str, object]) -> None:
    assert decode_policy_file(yaml.safe_dump(manifest)).name == "case"


@pytest.mark.parametrize("manifest", GOOD.values(), ids=GOOD.keys())
def test_all_of_a_policy_can_be_hashed(manifest: dict[str, object]) -> None:
    hash(decode_policy_file(yaml.safe_dump(manifest)))


def test_the_order_of_labels_makes_no_other_policy() -> None:
    one, other = (
        decode_policy_file(f"{HEAD}nodeSelector: {{matchLabels: {{{labels}}}}}}}")
        for labels in ("a: x, b: y", "b: y, a: x")
    )
    assert one == other


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.about)
def test_a_bad_policy_is_refused_with_its_field_and_the_cure(case: BadPolicy) -> None:
    with pytest.raises(InvalidObject) as refused:
        decode_policy_file(yaml.safe_dump(case.manifest()))
    assert any(problem.field == case.field and case.says in problem.message for problem in refused.value.problems), (
        refused.value
    )


def test_every_mistake_is_named_at_once() -> None:
    manifest = policy(allNodes=True, speed=1, mode="On", applyInterval="soon")
    with pytest.raises(InvalidObject) as refused:
        decode_policy_file(yaml.safe_dump(manifest))
    assert {problem.field for problem in refused.value.problems} == {"spec.speed", "spec.mode", "spec.applyInterval"}


def test_a_policy_that_says_nothing_dangerous_only_observes() -> None:
    spec = decode_policy_file(yaml.safe_dump(policy(allNodes=True))).spec
    assert spec.mode is Mode.OBSERVE
    assert spec.watermarks is None
    assert spec.tiers is None


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("kind: TieringPolicy\nkind: TieringPolicy\n", "(file)", "written twice"),
        ("a: [", "(file)", "not YAML"),
        ("", "(file)", "holds 0 objects"),
        ("a: 1\n---\nb: 1\n", "(file)", "holds 2 objects"),
        ("- 1\n", "(file)", "must hold one"),
        ("apiVersion: v1\nkind: Pod\n", "apiVersion", "must be terrace.dev/v1alpha1"),
    ],
)
def test_a_file_that_is_not_one_policy_is_refused(text: str, field: str, says: str) -> None:
    with pytest.raises(InvalidObject) as refused:
        decode_policy_file(text)
    [problem] = refused.value.problems
    assert problem.field == field
    assert says in problem.message
