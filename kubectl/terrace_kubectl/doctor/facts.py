"""All that the checks look at, as frozen values. Pure.

What could not be seen is None, with the reason in `unseen`.

Before: `terrace_kubectl.inspection`. After: the checks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from terrace_api.node_tiering import NodeTieringStatus
from terrace_kubectl.fleet import Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Crd:
    """A CustomResourceDefinition of ours on the cluster.

    Attributes:
        established: the API server serves it.
        missing: fields that this version of Terrace has and the cluster's schema does not.
        newer: the other way round.
    """

    name: str
    established: bool
    missing: tuple[str, ...]
    newer: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The Deployment of the operator, or the DaemonSet of the agent.

    Attributes:
        wanted: pods that there should be.
        ready: pods that are ready.
        images: of its containers.
    """

    namespace: str
    name: str
    wanted: int
    ready: int
    images: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The Lease whose holder is the operator that writes.

    Attributes:
        holder: empty for nobody.
        renewed: its holder was seen to renew it; no clock is compared with another.
    """

    namespace: str
    name: str
    holder: str
    renewed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPod:
    """The agent's pod on one node; `trouble` says why it is not ready, empty if it is."""

    node: str
    namespace: str
    name: str
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One look at a cluster.

    Attributes:
        server_version: such as (1, 34); None if it cannot be read.
        crds: by name; None for one that is not there.
        admission: names of ValidatingAdmissionPolicies of ours that a binding enforces.
        operators: Deployments of the operator; more than one is one too many.
        leases: that operators hold, one for each Deployment.
        agents: DaemonSets of the agent.
        agent_pods: by node.
        fleet: nodes, NodeTierings and policies.
        unseen: what may not be looked at, and why.
        version: of this plugin.
    """

    server_version: tuple[int, int] | None
    crds: Mapping[str, Crd | None] | None
    admission: tuple[str, ...] | None
    operators: tuple[Workload, ...] | None
    leases: tuple[Lease, ...] | None
    agents: tuple[Workload, ...] | None
    agent_pods: Mapping[str, AgentPod] | None
    fleet: Fleet | None
    unseen: Mapping[str, str]
    version: str

    @property
    def statuses(self) -> tuple[tuple[str, NodeTieringStatus], ...]:
        """What agents reported, by the names of the nodes that are there, in their order."""
        fleet = self.fleet
        seen = [(node.name, fleet.seen.get(node.name)) for node in fleet.nodes] if fleet else []
        return tuple((name, one.status) for name, one in seen if one and one.status)
