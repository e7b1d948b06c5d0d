"""The three kinds that the operator reads and writes: where they are, and their JSON as slim values and back.

Before: `requests`. After: `reflector` keeps nodes and NodeTierings; policies are few and listed whole.
"""

import json
import socket
import sys
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from terrace_api import API_VERSION, GROUP, OUTRANKED_ANNOTATION, VERSION
from terrace_api.codec import (
    decode_alive,
    decode_node_tiering,
    decode_policy_ref,
    decode_status,
    encode_condition,
    encode_node_tiering_spec,
    encode_policy_status,
)
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import ConditionType, NodeTieringSpec
from terrace_operator.fleet import Node, Report, Tiering
from terrace_operator.liveness import AliveWrite
from terrace_operator.node_writes import NodeWrite
from terrace_operator.series import EventWrite
from terrace_operator.statuses import StatusWrite

Json = Any

NODES_PATH = "/api/v1/nodes"
KINDS_PATH = f"/apis/{GROUP}/{VERSION}"
TIERINGS_PATH = f"/apis/{GROUP}/{VERSION}/nodetierings"
EVENTS_PATH = "/apis/events.k8s.io/v1/namespaces/default/events"
"""Events about cluster-scoped objects live in this namespace: pkg/apis/core/validation/events.go of Kubernetes."""
POLICIES_PATH = f"/apis/{GROUP}/{VERSION}/tieringpolicies"

_NOTE_BYTES = 1024
_INSTANCE = socket.gethostname()
_NOT_KEPT: Json = {
    **{"numaNodes": [], "engines": [], "kdamonds": [], "plan": [], "pods": [], "unknownFields": []},
    **{"effective": None, "levels": None},
}
"""Parts of a status that are large and that no policy's status needs."""


def read_node(manifest: Json) -> Node:
    """Returns a node; its metadata is all that is asked for and all that is read."""
    metadata = manifest["metadata"]
    labels = {sys.intern(key): sys.intern(value) for key, value in (metadata.get("labels") or {}).items()}
    return Node(name=metadata["name"], uid=metadata["uid"], labels=labels)


def read_tiering(manifest: Json) -> Tiering:
    """Returns a NodeTiering; what cannot be read of it is None."""
    metadata = manifest["metadata"]
    owners = metadata.get("ownerReferences") or ()
    report = _read_report(manifest.get("status"))
    known = report.condition(ConditionType.AGENT_ALIVE) if report else None
    spec = _read_spec(json.dumps(manifest.get("spec")))
    return Tiering(
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        node_uid=next((owner["uid"] for owner in owners if owner["kind"] == "Node"), None),
        spec=spec,
        unread=decode_policy_ref(manifest.get("spec") or {}) if spec is None else None,
        report=report,
        deleting="deletionTimestamp" in metadata,
        outranked=sys.intern((metadata.get("annotations") or {}).get(OUTRANKED_ANNOTATION, "")),
        alive=known or decode_alive(manifest.get("status") or {}),
    )


def can_wait(before: Tiering, after: Tiering) -> bool:
    """Returns whether only counts and times changed: agents write those all the time, and nobody waits for them."""
    first, then = before.report, after.report
    if first is None or then is None:
        return before == after
    same = replace(
        then, heartbeat=first.heartbeat, promoted_bytes=first.promoted_bytes, demoted_bytes=first.demoted_bytes
    )
    return before == replace(after, report=same)


def tiering_manifest(write: NodeWrite) -> Json:
    """Returns what is applied as a NodeTiering: all that the operator owns of it."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": write.name, "uid": write.node_uid}
    uid = {"uid": write.uid} if write.uid else {}
    outranked = {"annotations": {OUTRANKED_ANNOTATION: write.outranked}} if write.outranked else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "NodeTiering",
        "metadata": {"name": write.name, "ownerReferences": [owner], **uid, **outranked},
        "spec": _spec_manifest(write.spec),
    }


def status_manifest(write: StatusWrite) -> Json:
    """Returns what is applied as a TieringPolicy's status."""
    return {
        "apiVersion": API_VERSION,
        "kind": "TieringPolicy",
        "metadata": {"name": write.name, "uid": write.uid},
        "status": encode_policy_status(write.after),
    }


def event_manifest(write: EventWrite) -> Json:
    """Returns what is applied as an Event; of a series only the count may change."""
    event, about = write.event, write.event.regarding
    series = {"count": write.count, "lastObservedTime": _micro(write.last)}
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": write.name, "namespace": "default"},
        "eventTime": _micro(write.first),
        "type": event.type.value,
        "reason": event.reason,
        "note": _cut(event.note),
        "action": "Reconcile",
        "reportingController": f"{GROUP}/operator",
        "reportingInstance": _INSTANCE,
        "regarding": {"apiVersion": about.api_version, "kind": about.kind, "name": about.name, "uid": about.uid},
    } | ({"series": series} if write.count > 1 else {})


def _micro(at: datetime) -> str:
    """Returns a `metav1.MicroTime`."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _cut(note: str) -> str:
    """Returns as much of a note as an Event may hold, which is counted in bytes."""
    return note.encode()[:_NOTE_BYTES].decode(errors="ignore")


def alive_manifest(write: AliveWrite) -> Json:
    """Returns what is applied as a NodeTiering's status: the one condition that is the operator's."""
    return {
        "apiVersion": API_VERSION,
        "kind": "NodeTiering",
        "metadata": {"name": write.name, "uid": write.uid},
        "status": {"conditions": [encode_condition(write.condition)]},
    }


@lru_cache(maxsize=256)
def _read_spec(text: str) -> NodeTieringSpec | None:
    """Returns a spec from its JSON, decoded once: thousands of nodes follow few policies, and share one value."""
    try:
        node, _ = decode_node_tiering({"metadata": {"name": ""}, "spec": json.loads(text)})
    except InvalidObject:
        return None
    return node.spec


@lru_cache(maxsize=256)
def _spec_manifest(spec: NodeTieringSpec) -> Json:
    """Returns a spec as JSON, encoded once for all nodes that get it."""
    return encode_node_tiering_spec(spec)


def _read_report(status: Json) -> Report | None:
    found = decode_status({**status, **_NOT_KEPT}) if status else None
    if found is None:
        return None
    return Report(
        observed_generation=found.observed_generation,
        active_revision=sys.intern(found.active_revision),
        engine=found.engine,
        promoted_bytes=found.promoted_bytes,
        demoted_bytes=found.demoted_bytes,
        conditions=found.conditions,
        tiers=len({one.get("tier") for one in status.get("numaNodes") or ()} - {None, ""}),
        heartbeat=found.last_heartbeat_time,
        heartbeat_period_s=found.heartbeat_period_seconds,
    )
