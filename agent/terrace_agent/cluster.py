"""The API server, as far as this node's agent goes: one watched object, its status, the names of this node's pods.

Before: `transport`. After: `inbox` (the object); `loop` publishes through it.

What is not there changes nothing: a 404 or a deleted object leaves the last configuration in force.
"""

import random
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus

from terrace_agent.errors import ApiUnavailable
from terrace_agent.heartbeat import SHORTEST_S, period_s
from terrace_agent.inbox import Inbox
from terrace_agent.report import PodName
from terrace_agent.steplog import StepLog
from terrace_agent.transport import Server
from terrace_api import API_VERSION, GROUP, VERSION
from terrace_api.codec import encode_status
from terrace_api.defaults import Json
from terrace_api.node_tiering import NodeTieringStatus

_FIELD_MANAGER = "terrace-agent"
_OBJECTS = f"/apis/{GROUP}/{VERSION}/nodetierings"
_PODS = "/api/v1/pods"
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_STATIC_POD_UID = "kubernetes.io/config.hash"
"""Kubelet names the cgroup of a static pod after this annotation of its mirror pod, not after the mirror pod's uid."""

_SILENCE_S = 70
"""Bookmarks come about once a minute: a watch that is silent for longer is dead, whatever TCP says."""
_WATCH_S = 600
_REWATCH_S = 3.0
_BACKOFF_S = (1.0, 30.0)
_LIST_AGAIN_S = 60.0
"""A mirror pod comes after its static pod, and the API server's cache may lag behind the kubelet."""


class Cluster:
    """Watches this node's object and writes its status."""

    def __init__(self, server: Server, *, node: str, inbox: Inbox, log: StepLog) -> None:
        self._server = server
        self._node = node
        self._inbox = inbox
        self._log = log
        self._names: dict[str, PodName] = {}
        self._named_for: frozenset[str] = frozenset()
        self._list_failed = False
        self._list_again_at = 0.0
        self._period_s = SHORTEST_S

    def start(self) -> None:
        """Starts to watch, in a thread that ends with the process."""
        threading.Thread(target=self._watch_for_ever, name="watch", daemon=True).start()

    def publish(self, status: NodeTieringStatus) -> None:
        """See `Publisher.publish`: a server-side apply that takes every field of the status."""
        body = {
            "apiVersion": API_VERSION,
            "kind": "NodeTiering",
            "metadata": {"name": self._node},
            "status": encode_status(status),
        }
        query = [("fieldManager", _FIELD_MANAGER), ("force", "true"), ("fieldValidation", "Strict")]
        self._server.apply(f"{_OBJECTS}/{self._node}/status", query, body)

    def pod_names(self, uids: frozenset[str]) -> Mapping[str, PodName]:
        """See `Publisher.pod_names`: one list when the set of pods changed, and now and then while one has no name."""
        now = time.monotonic()
        unnamed = uids - self._names.keys()
        if uids == self._named_for and not (unnamed and now >= self._list_again_at):
            return self._names
        if self._list_failed and now < self._list_again_at:
            return self._names
        self._list_again_at = now + _LIST_AGAIN_S
        try:
            self._names, self._named_for, self._list_failed = self._list_pods(), uids, False
        except ApiUnavailable as error:
            self._list_failed = True
            self._log.note("pods not listed", problem=str(error))
        return self._names

    def heartbeat_period_s(self) -> int:
        """See `Publisher.heartbeat_period_s`: by the number of nodes when they were last counted."""
        return self._period_s

    def _list_pods(self) -> dict[str, PodName]:
        # resourceVersion 0: from the API server's cache; a pod that runs here has been there for a while.
        query = [("fieldSelector", f"spec.nodeName={self._node}"), ("resourceVersion", "0")]
        pods = self._server.get(_PODS, query, accept=_NAMES_ONLY)["items"]
        return {
            (metadata.get("annotations") or {}).get(_STATIC_POD_UID, metadata["uid"]): PodName(
                namespace=metadata["namespace"], name=metadata["name"]
            )
            for metadata in (pod["metadata"] for pod in pods)
        }

    def _watch_for_ever(self) -> None:
        delay, version = _BACKOFF_S[0], ""
        while not self._inbox.closed:
            try:
                version = self._watch(version or self._list())
                # An API server that is stopped ends the watches of a whole fleet at once.
                threading.Event().wait(random.uniform(0, _REWATCH_S))
                self._count_nodes()
                delay = _BACKOFF_S[0]
            except Exception as error:
                # A defect must not leave the agent deaf: whatever it was, list again.
                if not isinstance(error, ApiUnavailable) or error.status == HTTPStatus.GONE:
                    version = ""
                self._log.note("watch interrupted", problem=f"{type(error).__name__}: {error}")
                threading.Event().wait(random.uniform(0, delay))
                delay = min(delay * 2, _BACKOFF_S[1])

    def _list(self) -> str:
        found = self._server.get(_OBJECTS, self._selector())
        for manifest in found["items"]:
            self._inbox.put(_slim(manifest))
        version: str = found["metadata"]["resourceVersion"]
        self._log.note("listed", objects=len(found["items"]))
        self._count_nodes()
        return version

    def _count_nodes(self) -> None:
        """Asks for one object of all, without its content, and for how many remain."""
        try:
            found = self._server.get(_OBJECTS, [("limit", "1")], accept=_NAMES_ONLY)
        except ApiUnavailable as error:
            self._log.note("nodes not counted", problem=str(error))
        else:
            self._period_s = period_s(len(found["items"]) + found["metadata"].get("remainingItemCount", 0))

    def _watch(self, version: str) -> str:
        """Follows the object until the server ends the watch; returns the version to go on from."""
        query = [
            *self._selector(),
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(_WATCH_S + random.randrange(_WATCH_S))),
        ]
        for event in self._server.stream(_OBJECTS, query, silence_s=_SILENCE_S):
            if event["type"] == "ERROR":
                raise ApiUnavailable(
                    request=f"watch {_OBJECTS}",
                    status=event["object"].get("code", 0),
                    message=event["object"].get("message", ""),
                )
            version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] in {"ADDED", "MODIFIED"}:
                self._inbox.put(_slim(event["object"]))
        return version

    def _selector(self) -> list[tuple[str, str]]:
        return [("fieldSelector", f"metadata.name={self._node}")]


def _slim(manifest: dict[str, Json]) -> dict[str, Json]:
    kept = ("name", "uid", "generation", "resourceVersion", "ownerReferences")
    metadata = {key: value for key, value in manifest["metadata"].items() if key in kept}
    return {"metadata": metadata} | {key: manifest[key] for key in ("spec", "status") if key in manifest}
