"""The API server, as far as this node's agent goes: its own object, the status of that, and this node's pods.

Before: `transport`, `reflect`. After: `inbox` (the object), `workloads.roster` (the pods); `loop` publishes through it.

What is not there changes nothing: a 404 or a deleted object leaves the last configuration in force.
"""

from collections.abc import Iterable

from terrace_agent.errors import ApiUnavailable
from terrace_agent.heartbeat import SHORTEST_S, period_s
from terrace_agent.inbox import Inbox
from terrace_agent.reflect import Reflector, Sink
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


class Cluster:
    """Watches this node's object and pods, and writes the object's status."""

    def __init__(self, server: Server, *, node: str, inbox: Inbox, pods: Sink, log: StepLog) -> None:
        self._server = server
        self._node = node
        self._log = log
        self._period_s = SHORTEST_S
        own = _OwnObject(inbox)
        self._reflectors = (
            Reflector(
                server,
                _OBJECTS,
                field_selector=f"metadata.name={node}",
                sink=own,
                log=log,
                before_watch=self._count_nodes,
            ),
            Reflector(server, _PODS, field_selector=f"spec.nodeName={node}", sink=pods, log=log, from_cache=True),
        )

    def start(self) -> None:
        """Starts to watch, in threads that end with the process."""
        for reflector in self._reflectors:
            reflector.start()

    def close(self) -> None:
        """Ends the watches, each at its next event or pause."""
        for reflector in self._reflectors:
            reflector.close()

    def heartbeat_period_s(self) -> int:
        """See `Publisher.heartbeat_period_s`: by the number of nodes when they were last counted."""
        return self._period_s

    def publish(self, status: NodeTieringStatus) -> None:
        """See `Publisher.publish`: a server-side apply that takes every field of the status.

        An apply with a field that the schema does not have is refused in any case; validation would parse it twice.
        """
        body = {
            "apiVersion": API_VERSION,
            "kind": "NodeTiering",
            "metadata": {"name": self._node},
            "status": encode_status(status),
        }
        query = [("fieldManager", _FIELD_MANAGER), ("force", "true"), ("fieldValidation", "Ignore")]
        self._server.apply(f"{_OBJECTS}/{self._node}/status", query, body)

    def _count_nodes(self) -> None:
        """Asks for one object of all, without its content, and for how many remain."""
        try:
            found = self._server.get(_OBJECTS, [("limit", "1")], accept=_NAMES_ONLY)
        except ApiUnavailable as error:
            self._log.note("nodes not counted", problem=str(error))
        else:
            self._period_s = period_s(len(found["items"] or ()) + found["metadata"].get("remainingItemCount", 0))


class _OwnObject:
    """The `Sink` that hands this node's object to the loop; absence changes nothing."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def replace(self, manifests: Iterable[Json]) -> None:
        for manifest in manifests:
            self.put(manifest)

    def put(self, manifest: Json) -> None:
        kept = ("name", "uid", "generation", "resourceVersion", "ownerReferences")
        metadata = {key: value for key, value in manifest["metadata"].items() if key in kept}
        self._inbox.put({"metadata": metadata} | {key: manifest[key] for key in ("spec", "status") if key in manifest})

    def remove(self, manifest: Json) -> None:
        pass

    def heard(self) -> None:
        pass
