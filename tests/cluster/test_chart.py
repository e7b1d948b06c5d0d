"""The chart on a real API server: every part is accepted, roles give what they say, CRDs upgrade and stay."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chart.rendering import CHART, EVERYTHING, render
from cluster.operating import CRDS, NAMESPACE, a_policy, installed
from testbed import waiting
from testbed.cluster import Cluster

pytestmark = pytest.mark.cluster
FOREIGN = ("PodMonitor", "SecurityContextConstraints")
"""Kinds of others, which this API server does not have."""


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE)


@pytest.mark.parametrize("settings", [(), EVERYTHING], ids=["default", "everything"])
def test_every_object_is_accepted_without_a_warning(
    cluster: Cluster, namespace: str, settings: tuple[str, ...]
) -> None:
    found = [one for one in render(*settings).manifests if one["kind"] not in FOREIGN]
    cluster.kubectl("-n", namespace, "create", "serviceaccount", "terrace-test")  # a Pod is refused without its account
    flags = ("--server-side", "--dry-run=server", "--validate=strict")
    done = cluster.kubectl("apply", *flags, "-f", "-", stdin=yaml.safe_dump_all(found))
    assert len(done.stdout.splitlines()) == len(found)
    assert "Warning" not in done.stderr


def test_all_but_the_agent_run_in_a_restricted_namespace(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    for component, pod in render().pods().items():
        account = pod["spec"]["serviceAccountName"]
        cluster.kubectl("-n", namespace, "create", "serviceaccount", account, check=False)
        manifest = {**pod, "apiVersion": "v1", "kind": "Pod", "metadata": {"name": component, "namespace": namespace}}
        done = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(manifest), check=False)
        assert (done.returncode == 0) == (component != "agent"), done.stderr
        if component == "agent":
            assert 'violates PodSecurity "restricted' in done.stderr


@pytest.mark.parametrize("role", ["view", "edit", "admin", "terrace-viewer", "terrace-editor"])
def test_a_role_that_is_bound_cluster_wide_reads_both_kinds_and_only_editors_write_policies(
    cluster: Cluster, role: str
) -> None:
    with installed(cluster, "crds", "user-roles"):
        cluster.kubectl("create", "clusterrolebinding", "somebody", f"--clusterrole={role}", "--user=somebody")
        try:
            # The controller manager aggregates within a moment.
            waiting.until(lambda: can(cluster, "list", "nodetierings"), f"rights of {role}", limit_s=20)
            assert can(cluster, "list", "tieringpolicies")
            for verb in ("create", "update", "patch", "delete"):
                assert can(cluster, verb, "tieringpolicies") == (role == "terrace-editor")
                assert not can(cluster, verb, "nodetierings")
            assert not can(cluster, "patch", "tieringpolicies", "--subresource=status")
        finally:
            cluster.kubectl("delete", "clusterrolebinding", "somebody")


def can(cluster: Cluster, verb: str, plural: str, *flags: str) -> bool:
    asked = ("auth", "can-i", verb, f"{plural}.terrace.dev", "--as=somebody", *flags)
    return cluster.kubectl(*asked, check=False).stdout.strip() == "yes"


def test_an_upgrade_brings_the_crds_along_and_an_uninstall_keeps_them(cluster: Cluster, tmp_path: Path) -> None:
    release = ("terrace", "--namespace", NAMESPACE)
    cluster.helm("install", *release[:1], older_chart(tmp_path), *release[1:], "--create-namespace")
    try:
        assert "youngFilter" not in fields(cluster)
        cluster.helm("upgrade", *release[:1], CHART, *release[1:])
        assert "youngFilter" in fields(cluster)
        cluster.apply("/apis/terrace.dev/v1alpha1/tieringpolicies/kept", a_policy("kept"))
        cluster.helm("uninstall", *release, "--no-hooks")
        assert cluster.get("/apis/terrace.dev/v1alpha1/tieringpolicies/kept") is not None
        cluster.helm("install", *release[:1], CHART, *release[1:], "--set", "crds.keep=false")
        assert cluster.get("/apis/terrace.dev/v1alpha1/tieringpolicies/kept") is not None
        cluster.helm("uninstall", *release, "--no-hooks")
        cluster.kubectl("wait", "--for=delete", *(f"crd/{crd}" for crd in CRDS), "--timeout=30s")
    finally:
        cluster.helm("uninstall", *release, "--no-hooks", "--ignore-not-found", check=False)
        cluster.kubectl("delete", "crd", *CRDS, "--ignore-not-found")
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


def older_chart(directory: Path) -> Path:
    """A chart whose policies do not know one field yet."""
    older = Path(shutil.copytree(CHART, directory / "terrace"))
    path = older / "files/crds/tieringpolicies.yaml"
    crd = yaml.safe_load(path.read_text())
    del crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["youngFilter"]
    path.write_text(yaml.safe_dump(crd))
    return older


def fields(cluster: Cluster) -> list[str]:
    crd = json.loads(cluster.kubectl("get", "crd", "tieringpolicies.terrace.dev", "-o", "json").stdout)
    return list(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])
