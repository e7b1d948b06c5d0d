"""A pod of the API server as the few values that are kept of it. Pure.

Before: `roster` receives manifests. After: `rules`.
"""

from terrace_agent.workloads.values import Pod
from terrace_api.defaults import Json
from terrace_api.workloads import QosClass

_STATIC_POD_UID = "kubernetes.io/config.hash"
"""Kubelet names the cgroup of a static pod after this annotation of its mirror pod, not after the mirror pod's uid."""
_FINISHED = ("Succeeded", "Failed")


def has_ended(manifest: Json) -> bool:
    """Returns whether the pod's containers have all ended for good, as far as the API server was told."""
    return (manifest.get("status") or {}).get("phase") in _FINISHED


def pod_of(manifest: Json) -> Pod:
    """Returns the pod."""
    status = manifest.get("status") or {}
    metadata = manifest["metadata"]
    return Pod(
        uid=_cgroup_uid(manifest),
        namespace=metadata["namespace"],
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        qos_class=_qos_class(status.get("qosClass")),
        priority_class=(manifest.get("spec") or {}).get("priorityClassName") or "",
    )


def _cgroup_uid(manifest: Json) -> str:
    """Returns the uid by which the pod's cgroup is named."""
    metadata = manifest["metadata"]
    uid: str = (metadata.get("annotations") or {}).get(_STATIC_POD_UID, metadata["uid"])
    return uid


def encode_pod(pod: Pod) -> dict[str, Json]:
    """Returns the pod as JSON, for the state on disk."""
    return {
        "uid": pod.uid,
        "namespace": pod.namespace,
        "name": pod.name,
        "labels": dict(pod.labels),
        "qos_class": pod.qos_class.value if pod.qos_class else None,
        "priority_class": pod.priority_class,
    }


def decode_pod(entry: dict[str, Json]) -> Pod:
    """Returns what `encode_pod` was given.

    Raises:
        TypeError, KeyError: another version of Terrace wrote it.
    """
    return Pod(**entry | {"qos_class": _qos_class(entry["qos_class"])})


def _qos_class(text: str | None) -> QosClass | None:
    return next((known for known in QosClass if known == text), None)
