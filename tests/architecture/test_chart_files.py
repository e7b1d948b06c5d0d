"""The chart's files: every value is explained, every right has a reason, the catalogue entry is true."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from terrace_api import __version__
from terrace_api.codec import decode_policy_file

CHART = Path(__file__).parents[2] / "deploy/helm/terrace"
META = yaml.safe_load((CHART / "Chart.yaml").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
WITH_RIGHTS = [
    path
    for path in sorted((CHART / "templates").rglob("*.yaml"))
    if re.search(r"kind: (Cluster)?Role\n", path.read_text())
]
FREE = {"resources", "nodeSelector", "affinity", "seLinuxOptions", "seccompProfile", "labels"}
"""Values of Kubernetes' own types: people may set what the defaults do not have."""


def paths(values: dict[str, Any], at: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{at}{name}"
        if isinstance(value, dict) and name not in FREE:
            yield from paths(value, f"{at}{name}.")


def schema_paths(schema: dict[str, Any], at: str = "") -> Iterator[str]:
    for name, child in schema.get("properties", {}).items():
        yield f"{at}{name}"
        if name not in FREE:
            yield from schema_paths(resolved(child), f"{at}{name}.")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/definitions/")
    found: dict[str, Any] = SCHEMA["definitions"][name] if name else schema
    return found


def test_values_and_schema_have_the_same_settings() -> None:
    """Helm itself passes `global` to every chart."""
    assert sorted(paths(VALUES)) == sorted(set(schema_paths(SCHEMA)) - {"global"})


def test_every_value_is_explained() -> None:
    """By a comment above it; `enabled` by the one above its group."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    first, second = ["", *lines], ["", "", *lines]
    unexplained = [
        line.strip()
        for line, above, higher in zip(lines, first, second, strict=False)
        if re.match(r"\s*\w+: \S", line)
        and not above.lstrip().startswith("#")
        and not (line == "  enabled: false" and higher.startswith("#"))
    ]
    assert [line for line in unexplained if not line.startswith(("requests: {", "limits: {"))] == []


@pytest.mark.parametrize("template", WITH_RIGHTS, ids=lambda path: path.name)
def test_every_right_has_its_reason(template: Path) -> None:
    lines = [line.strip() for line in template.read_text().splitlines()]
    above = {rule: reason for reason, rule in pairwise(lines) if rule.startswith("- apiGroups: [")}
    assert above
    assert [rule for rule, reason in above.items() if not reason.startswith("# ")] == []


def test_the_chart_is_of_the_version_of_the_code() -> None:
    assert (META["version"], META["appVersion"]) == (__version__, __version__)


def test_the_catalogue_lists_the_crds_as_they_are() -> None:
    listed = yaml.safe_load(META["annotations"]["artifacthub.io/crds"])
    crds = [yaml.safe_load(path.read_text()) for path in (CHART / "files/crds").glob("*.yaml")]
    assert {(one["kind"], one["name"], one["version"]) for one in listed} == {
        (one["spec"]["names"]["kind"], one["metadata"]["name"], one["spec"]["versions"][0]["name"]) for one in crds
    }


def test_the_catalogues_examples_are_policies() -> None:
    for example in yaml.safe_load(META["annotations"]["artifacthub.io/crdsExamples"]):
        decode_policy_file(yaml.safe_dump(example))


def test_the_catalogue_lists_the_images_that_are_used() -> None:
    listed = {one["image"] for one in yaml.safe_load(META["annotations"]["artifacthub.io/images"])}
    repositories = [VALUES[program]["image"]["repository"] for program in ("operator", "agent")]
    assert listed == {f"{repository}:{META['appVersion']}" for repository in repositories}


def test_the_catalogues_annotations_are_text() -> None:
    """Artifact Hub and helm read annotations as strings."""
    assert all(isinstance(value, str) for value in META["annotations"].values())
