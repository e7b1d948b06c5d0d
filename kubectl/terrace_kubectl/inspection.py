"""Looks at all that `doctor` judges. Shell: what may not be seen is noted, and does not end the look.

Before: `cluster`. After: `doctor`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

from terrace_api import GROUP, __version__
from terrace_api.codec import NODES, POLICIES
from terrace_api.defaults import Json
from terrace_kubectl import installed
from terrace_kubectl.cluster import Cluster
from terrace_kubectl.doctor.facts import AgentPod, Crd, Facts, Lease
from terrace_kubectl.errors import Forbidden, NotInstalled, NotThere
from terrace_operator.election import LEASE_S

_CRDS_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_LEASE_PATH = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}"
_LOOK_EVERY_S = 0.25
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_OURS = "app.kubernetes.io/name=terrace"
_AGENTS = f"{_OURS},app.kubernetes.io/component=agent"
Value = TypeVar("Value")


def inspect(cluster: Cluster) -> Facts:
    """Returns all that can be seen.

    Raises:
        PluginError: the API server does not answer, or does not know who asks.
    """
    look = _Look()
    deployed = look.at("Operator", lambda: cluster.labelled("/apis/apps/v1/deployments", _OURS))
    names = installed.lease_names(deployed or ())
    return Facts(
        server_version=look.at("Kubernetes", lambda: installed.server_version(cluster.server.get("/version"))),
        crds=look.at("CRDs", lambda: {f"{plural}.{GROUP}": _crd(cluster, plural) for plural in (POLICIES, NODES)}),
        admission=look.at("Admission policy", lambda: _admission(cluster)),
        operators=None if deployed is None else installed.deployments(deployed),
        leases=look.at("Leader", lambda: tuple(_lease(cluster, *name) for name in names)),
        agents=look.at("Agents", lambda: installed.daemon_sets(cluster.labelled("/apis/apps/v1/daemonsets", _OURS))),
        agent_pods=look.at("Agents' pods", lambda: _pods(cluster)),
        fleet=look.at("Nodes and policies", cluster.fleet),
        unseen=look.unseen,
        version=__version__,
    )


@dataclass(slots=True)
class _Look:
    """Remembers what was not to be seen."""

    unseen: dict[str, str] = field(default_factory=dict)

    def at(self, topic: str, get: Callable[[], Value]) -> Value | None:
        try:
            return get()
        except NotInstalled:  # the missing CRD says it
            return None
        except Forbidden as error:
            self.unseen[topic] = f"you may not look at it: {error.message.partition(': ')[0]}"
            return None


def _lease(cluster: Cluster, namespace: str, name: str) -> Lease:
    """Looks again and again until the Lease is renewed: how old it is cannot be told without its holder's clock."""
    first, end_s = _lease_object(cluster, namespace, name), time.monotonic() + LEASE_S
    found = installed.lease(namespace, name, first, first)
    while found.holder and not found.renewed and time.monotonic() < end_s:
        time.sleep(_LOOK_EVERY_S)
        found = installed.lease(namespace, name, first, _lease_object(cluster, namespace, name))
    return found


def _lease_object(cluster: Cluster, namespace: str, name: str) -> Json | None:
    try:
        return cluster.server.get(_LEASE_PATH.format(quote(namespace), quote(name)))
    except NotThere:
        return None


def _crd(cluster: Cluster, plural: str) -> Crd | None:
    try:
        return installed.crd(plural, cluster.server.get(f"{_CRDS_PATH}/{quote(f'{plural}.{GROUP}')}"))
    except NotThere:
        return None


def _admission(cluster: Cluster) -> tuple[str, ...]:
    return installed.enforced(
        cluster.labelled(f"{_ADMISSION}/validatingadmissionpolicies", _OURS),
        cluster.labelled(f"{_ADMISSION}/validatingadmissionpolicybindings", _OURS),
    )


def _pods(cluster: Cluster) -> dict[str, AgentPod]:
    found = map(installed.agent_pod, cluster.labelled("/api/v1/pods", _AGENTS))
    return {pod.node: pod for pod in found if pod.node}
