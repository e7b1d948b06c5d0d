"""The chart's values and their schema say the same: helm refuses an installation otherwise."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

CHART = Path(__file__).parents[2] / "deploy/helm/terrace"


def problems(values: dict[str, Any]) -> list[str]:
    schema = json.loads((CHART / "values.schema.json").read_text())
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(values)]


def test_the_chart_installs_with_its_own_values() -> None:
    assert problems(yaml.safe_load((CHART / "values.yaml").read_text())) == []


@pytest.mark.parametrize("wrong", [{"agent": {"hostPorc": True}}, {"agent": {"port": 0}}, {"crds": {"install": "yes"}}])
def test_a_value_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    assert problems(wrong)


@pytest.mark.parametrize(
    "removed",
    [
        *("crds", "crds.install", "operator", "operator.image", "operator.port", "operator.replicas"),
        *("agent", "agent.image", "agent.image.repository", "agent.resources", "cleanup", "flowControl"),
        *("networkPolicy", "networkPolicy.apiServer.ports", "podMonitor", "resourceQuota", "openshift.scc"),
    ],
)
def test_a_value_that_the_templates_need_is_missed_by_name(removed: str) -> None:
    """Helm takes `--set agent.image=null` for the removal of a value."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    *path, name = removed.split(".")
    part = values
    for step in path:
        part = part[step]
    del part[name]
    assert problems(values) == [f"{name!r} is a required property"]


@pytest.mark.parametrize("program", ["agent", "operator"])
def test_both_programs_are_told_to_listen_on_both_families(program: str) -> None:
    template = (CHART / f"templates/{program}.yaml").read_text()
    assert re.findall(r"--listen=(\S+?):{{", template) == ["[::]"]
