"""The commands of each page, in their order, on a real API server with the real helm, kubectl, operator and plugin."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cluster.operating import CRDS, LIMIT_S, NAMESPACE, World, a_node, a_policy
from documents.commands import PAGES, Command, commands
from documents.run import is_run, missing, run
from documents.standins import standing_in
from testbed.cluster import Cluster

pytestmark = pytest.mark.cluster
NODE = "batch-1"
RUN = {page.name: [one for one in commands(page.name, page.read_text()) if is_run(one)] for page in PAGES}
INSTALL = Command(page="(before)", text=f"helm install terrace deploy/helm/terrace -n {NAMESPACE} --create-namespace")
OTHERS = {
    "podMonitor.enabled=true": ("PodMonitor", "podmonitors", "monitoring.coreos.com"),
    "openshift.scc=true": ("SecurityContextConstraints", "securitycontextconstraints", "security.openshift.io"),
}
"""Kinds of others that a page takes for granted where it sets this value."""


@pytest.fixture
def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One node, and nothing installed; afterwards whatever the page left is removed."""
    found = World(cluster=cluster, directory=tmp_path_factory.mktemp("page"))
    found.apply(a_node(NODE))
    yield found
    for daemon in found.running:
        daemon.stop()
    kubectl = cluster.kubectl
    cluster.helm("uninstall", "terrace", "-n", NAMESPACE, "--no-hooks", "--ignore-not-found", check=False)
    others = (f"{plural}.{group}" for _, plural, group in OTHERS.values())
    kubectl("delete", "crd", *others, "--ignore-not-found", "--wait=false")
    kubectl("delete", "crd", *CRDS, "--ignore-not-found")
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    kubectl("delete", "clusterrolebinding", "tiering-editors", "--ignore-not-found")
    kubectl("delete", "node", NODE)


def a_kind(kind: str, plural: str, group: str) -> dict[str, object]:
    """Returns a CRD that takes everything."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    scope = "Namespaced" if kind == "PodMonitor" else "Cluster"
    version = "v1"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": names,
            "scope": scope,
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.mark.parametrize("page", [name for name, found in RUN.items() if found])
def test_the_commands_of_a_page_do_what_it_says(world: World, page: str) -> None:
    taken_for_granted = [a_kind(*kind) for value, kind in OTHERS.items() if any(value in one.text for one in RUN[page])]
    if taken_for_granted:
        world.apply(*taken_for_granted)
    with ExitStack() as stack:
        if not any(one.text.startswith("helm install ") for one in RUN[page]):
            begin(world, stack, INSTALL)
        if not any(one.text.startswith(("helm install ", "kubectl apply ")) for one in RUN[page]):
            world.edit(a_policy("everywhere", mode="Enforce"))
            world.until(lambda: world.condition("everywhere", "Ready").get("status") == "True", "a policy", LIMIT_S)
        for command in RUN[page]:
            said = begin(world, stack, command)
            assert missing(command, said) == [], f"{page} shows another output of {command.text}:\n{said}"


def begin(world: World, stack: ExitStack, command: Command) -> str:
    """Runs a command; once there is an account for it, the operator runs, as its pods would."""
    said = run(world.cluster, command)
    if command.text.startswith("helm install "):
        world.cluster.kubectl("wait", "--for=condition=Established", *(f"crd/{crd}" for crd in CRDS))
        world.start_operator()
        world.until(lambda: world.spec(NODE) != {}, "a NodeTiering", LIMIT_S)
        stack.enter_context(standing_in(world))
    return said
