"""The objects that the chart installs, as facts. Pure.

Before: `inspection` fetches them. After: `doctor`.
"""

import re
from collections.abc import Iterable, Iterator

from terrace_api import VERSION
from terrace_api.defaults import Json
from terrace_api.schema import Schema, object_schema
from terrace_kubectl.doctor.facts import AgentPod, Crd, Lease, Workload

_COMPONENT = "app.kubernetes.io/component"
_VERSION = "app.kubernetes.io/version"
_LEASE = "TERRACE_LEASE"
"""Tells the operator in its container which Lease."""


def server_version(answer: Json) -> tuple[int, int] | None:
    """Returns the version of the API server; a minor version may carry a vendor's plus sign."""
    digits = re.match(r"\d+", str(answer.get("minor", "")))
    major = str(answer.get("major", ""))
    return (int(major), int(digits[0])) if digits and major.isdecimal() else None


def crd(plural: str, manifest: Json) -> Crd:
    """Returns a CRD of ours, held against the one that this version of Terrace has."""
    versions = manifest["spec"]["versions"]
    schemas = (one["schema"]["openAPIV3Schema"] for one in versions if one["name"] == VERSION and one["served"])
    there = set(_paths(next(schemas, {}), ""))
    here = set(_paths(object_schema(plural), ""))
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    return Crd(
        name=manifest["metadata"]["name"],
        established=any(one["type"] == "Established" and one["status"] == "True" for one in conditions),
        missing=tuple(sorted(here - there)),
        newer=tuple(sorted(there - here)),
    )


def enforced(policies: Iterable[Json], bindings: Iterable[Json]) -> tuple[str, ...]:
    """Returns the names of the admission policies that a binding makes deny."""
    bound = {one["spec"]["policyName"] for one in bindings if "Deny" in (one["spec"].get("validationActions") or ())}
    return tuple(name for one in policies if (name := one["metadata"]["name"]) in bound)


def deployments(manifests: Iterable[Json]) -> tuple[Workload, ...]:
    """Returns the operators of a list of Deployments."""
    return tuple(
        _workload(one, wanted=one["spec"].get("replicas", 1), ready=(one.get("status") or {}).get("readyReplicas", 0))
        for one in manifests
        if _component(one) == "operator"
    )


def lease_names(manifests: Iterable[Json]) -> tuple[tuple[str, str], ...]:
    """Returns namespace and name of the Lease that the operators of each Deployment hold."""
    return tuple(
        (namespace, name)
        for manifest in manifests
        if _component(manifest) == "operator"
        for namespace, _, name in (_environment(manifest).get(_LEASE, "").partition("/"),)
        if name
    )


def lease(namespace: str, name: str, first: Json | None, last: Json | None) -> Lease:
    """Returns what two looks at a Lease say; None for one that is not there."""
    return Lease(
        namespace=namespace,
        name=name,
        holder=str(((last or {}).get("spec") or {}).get("holderIdentity") or ""),
        renewed=first is not None and last is not None and _version(first) != _version(last),
    )


def daemon_sets(manifests: Iterable[Json]) -> tuple[Workload, ...]:
    """Returns the agents of a list of DaemonSets."""
    return tuple(
        _workload(one, wanted=status.get("desiredNumberScheduled", 0), ready=status.get("numberReady", 0))
        for one in manifests
        if _component(one) == "agent"
        for status in (one.get("status") or {},)
    )


def agent_pod(manifest: Json) -> AgentPod:
    """Returns an agent's pod, with what keeps it from running."""
    return AgentPod(
        node=(manifest.get("spec") or {}).get("nodeName", ""),
        namespace=manifest["metadata"]["namespace"],
        name=manifest["metadata"]["name"],
        trouble=_trouble(manifest.get("status") or {}),
    )


def _trouble(status: Json) -> str:
    for container in status.get("containerStatuses") or ():
        for state in container.get("state", {}).values():
            if state.get("reason"):
                return str(state["reason"])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ())
    return "" if ready else str(status.get("reason") or status.get("phase") or "not ready")


def _workload(manifest: Json, *, wanted: int, ready: int) -> Workload:
    metadata, containers = manifest["metadata"], manifest["spec"]["template"]["spec"]["containers"]
    return Workload(
        namespace=metadata["namespace"],
        name=metadata["name"],
        wanted=wanted,
        ready=ready,
        images=tuple(container["image"] for container in containers),
        version=(metadata.get("labels") or {}).get(_VERSION, ""),
    )


def _environment(manifest: Json) -> dict[str, str]:
    containers = manifest["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value", "") for found in containers for one in found.get("env") or ()}


def _version(manifest: Json) -> str:
    return str(manifest["metadata"]["resourceVersion"])


def _component(manifest: Json) -> str:
    labels = manifest["spec"]["template"]["metadata"].get("labels") or {}
    return str(labels.get(_COMPONENT, ""))


def _paths(schema: Schema, path: str) -> Iterator[str]:
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}".lstrip(".")
        yield from _paths(child, f"{path}.{name}")
    if "items" in schema:
        yield from _paths(schema["items"], f"{path}[]")
