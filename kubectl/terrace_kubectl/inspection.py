"""Looks at all that `doctor` judges. Shell: what may not be seen is noted, and does not end the look.

Before: `cluster`. After: `doctor`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

from terrace_api import GROUP, __version__
from terrace_api.codec import NODES, POLICIES
from terrace_kubectl import installed
from terrace_kubectl.cluster import Cluster
from terrace_kubectl.doctor.facts import AgentPod, Crd, Facts
from terrace_kubectl.errors import Forbidden, NotInstalled, NotThere

_CRDS_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
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
    return Facts(
        server_version=look.at("Kubernetes", lambda: installed.server_version(cluster.server.get("/version"))),
        crds=look.at("CRDs", lambda: {f"{plural}.{GROUP}": _crd(cluster, plural) for plural in (POLICIES, NODES)}),
        admission=look.at("Admission policy", lambda: _admission(cluster)),
        operators=look.at(
            "Operator", lambda: installed.deployments(cluster.labelled("/apis/apps/v1/deployments", _OURS))
        ),
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
