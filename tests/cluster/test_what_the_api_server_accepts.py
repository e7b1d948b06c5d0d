"""The CRDs on a real API server: what it accepts and refuses, and that the codec says the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cases.policies import BAD, GOOD, BadPolicy, policy
from cluster.operating import CHART
from terrace_api import API_VERSION
from testbed.cluster import Cluster

SAMPLES = sorted((CHART.parents[1] / "samples").glob("*.yaml"))
pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module", autouse=True)
def crds(cluster: Cluster) -> Iterator[None]:
    manifests = cluster.helm("template", "terrace", CHART, "--show-only", "templates/crds.yaml").stdout
    cluster.kubectl("apply", "-f", "-", stdin=manifests)
    cluster.kubectl(
        "wait", "--for=condition=Established", "crd/tieringpolicies.terrace.dev", "crd/nodetierings.terrace.dev"
    )
    yield
    cluster.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=manifests)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.about)
def test_a_bad_policy_is_refused_with_its_field(cluster: Cluster, case: BadPolicy) -> None:
    answer = cluster.kubectl("create", "-f", "-", stdin=yaml.safe_dump(case.manifest()), check=False)
    assert answer.returncode != 0
    assert case.field in answer.stderr
    assert case.says in answer.stderr
    assert not cluster.kubectl("get", "tieringpolicy", "case", "--ignore-not-found", "-o", "name").stdout


@pytest.mark.parametrize("about", GOOD)
def test_a_good_policy_is_accepted(cluster: Cluster, about: str) -> None:
    cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(GOOD[about]))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_accepted(cluster: Cluster, sample: Path) -> None:
    cluster.kubectl("create", "--dry-run=server", "-f", sample)


def test_defaults_of_present_parts_are_shown(cluster: Cluster) -> None:
    manifest = policy(allNodes=True, quota={"size": "100Mi"})
    stored = cluster.kubectl(
        "create", "--dry-run=server", "-o", "yaml", "-f", "-", stdin=yaml.safe_dump(manifest)
    ).stdout
    spec = yaml.safe_load(stored)["spec"]
    assert spec["mode"] == "Observe"
    assert spec["quota"] == {"size": "100Mi", "time": "50ms", "interval": "1s"}
    assert "watermarks" not in spec


def test_short_names_and_the_category_work(cluster: Cluster) -> None:
    cluster.kubectl("create", "-f", "-", stdin=yaml.safe_dump(policy("named", allNodes=True)))
    assert "tieringpolicy.terrace.dev/named" in cluster.kubectl("get", "tp", "-o", "name").stdout
    assert "tieringpolicy.terrace.dev/named" in cluster.kubectl("get", "terrace", "-o", "name").stdout
    assert "MODE" in cluster.kubectl("get", "tp").stdout
    cluster.kubectl("delete", "tp", "named")


def test_every_field_is_explained(cluster: Cluster) -> None:
    text = cluster.kubectl("explain", "tieringpolicy.spec", "--recursive=false").stdout
    for field in ("mode", "allNodes", "nodeSelector", "promotion", "demotion", "quota", "watermarks"):
        assert field in text


def test_an_apply_with_an_unknown_field_is_refused_without_validation_too(cluster: Cluster) -> None:
    """Operator and agent rely on it: they write by apply only, and leave the validation out."""
    spec = {"action": "Restore", "later": True}
    manifest = {"apiVersion": API_VERSION, "kind": "NodeTiering", "metadata": {"name": "odd"}, "spec": spec}
    words = ("apply", "--server-side", "--validate=ignore", "-f", "-")
    answer = cluster.kubectl(*words, stdin=yaml.safe_dump(manifest), check=False)
    assert answer.returncode != 0
    assert ".spec.later: field not declared in schema" in answer.stderr
    assert cluster.get(f"/apis/{API_VERSION}/nodetierings/odd") is None
