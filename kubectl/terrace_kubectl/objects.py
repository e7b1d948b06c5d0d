"""The API server's objects as values. Pure.

Before: `cluster` fetches them. After: `fleet` is made of them.
"""

from terrace_api import OUTRANKED_ANNOTATION
from terrace_api.codec import decode_alive, decode_node_tiering, decode_policy_ref, decode_status
from terrace_api.defaults import Json
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import NodeTieringSpec, NodeTieringStatus
from terrace_kubectl.fleet import Pod, Seen
from terrace_operator.fleet import Node, Report, Tiering

_FINISHED = ("Succeeded", "Failed")
_STATIC_POD_UID = "kubernetes.io/config.hash"
"""Kubelet names the cgroup of a static pod after this annotation of its mirror pod (pkg/kubelet/types/constants.go)."""
_PER_POD: dict[str, Json] = {"pods": [], "plan": []}
"""Parts of a status that only a look at a single node needs."""


def read_node(manifest: Json) -> Node:
    """Returns a node, of its metadata."""
    metadata = manifest["metadata"]
    return Node(name=metadata["name"], uid=metadata["uid"], labels=metadata.get("labels") or {})


def read_seen(manifest: Json, *, whole: bool) -> Seen:
    """Returns a NodeTiering; what cannot be read of it is None. Without `whole`, pods and plan are left out."""
    metadata, written = manifest["metadata"], manifest.get("status") or {}
    status = decode_status(written if whole else written | _PER_POD) if written else None
    owners = metadata.get("ownerReferences") or ()
    spec = _spec(manifest)
    tiering = Tiering(
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        node_uid=next((owner["uid"] for owner in owners if owner["kind"] == "Node"), None),
        spec=spec,
        unread=decode_policy_ref(manifest.get("spec") or {}) if spec is None else None,
        report=_report(status) if status else None,
        deleting="deletionTimestamp" in metadata,
        outranked=(metadata.get("annotations") or {}).get(OUTRANKED_ANNOTATION, ""),
        alive=decode_alive(written),
    )
    # The operator's condition AgentAlive is there also where no agent ever spoke.
    by_agent = written.keys() - {"conditions"}
    return Seen(tiering=tiering, status=status, unreadable=bool(by_agent) and status is None)


def read_pod(manifest: Json) -> Pod:
    """Returns a pod."""
    metadata = manifest["metadata"]
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        cgroup_uid=(metadata.get("annotations") or {}).get(_STATIC_POD_UID, metadata["uid"]),
        labels=metadata.get("labels") or {},
        node=(manifest.get("spec") or {}).get("nodeName", ""),
        finished=(manifest.get("status") or {}).get("phase") in _FINISHED,
    )


def read_namespaces(manifest: Json, pod: str) -> set[str]:
    """Returns the namespaces in which a NodeTiering's status has a pod of that name."""
    pods = (manifest.get("status") or {}).get("pods") or ()
    return {one["namespace"] for one in pods if one.get("name") == pod and one.get("namespace")}


def _spec(manifest: Json) -> NodeTieringSpec | None:
    try:
        node, _ = decode_node_tiering({"metadata": manifest["metadata"], "spec": manifest.get("spec")})
    except InvalidObject:
        return None
    return node.spec


def _report(status: NodeTieringStatus) -> Report:
    return Report(
        observed_generation=status.observed_generation,
        active_revision=status.active_revision,
        engine=status.engine,
        promoted_bytes=status.promoted_bytes,
        demoted_bytes=status.demoted_bytes,
        conditions=status.conditions,
    )
