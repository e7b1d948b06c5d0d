"""The whole state as the API server has it, and the operator's writes.

Before: `requests`, `reflector`, `objects`. After: `reconcile` works on it.
"""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from terrace_operator.cluster.objects import (
    EVENTS_PATH,
    NODES_PATH,
    POLICIES_PATH,
    TIERINGS_PATH,
    event_manifest,
    read_node,
    read_policies,
    read_tiering,
    status_manifest,
    tiering_manifest,
)
from terrace_operator.cluster.reflector import Reflector, Source
from terrace_operator.cluster.requests import Requests
from terrace_operator.errors import ApiGarbled
from terrace_operator.fleet import Agents, Node, Policies, Tiering
from terrace_operator.node_writes import NodeWrite
from terrace_operator.series import EventWrite
from terrace_operator.statuses import StatusWrite

NODES = Source(kind="Node", path=NODES_PATH, read=read_node, as_="PartialObjectMetadata")
TIERINGS = Source(kind="NodeTiering", path=TIERINGS_PATH, read=read_tiering)


class Cluster:
    """Nodes and NodeTierings kept by list and watch; policies listed on demand."""

    def __init__(self, requests: Requests, on_change: Callable[[], None], on_return: Callable[[], None]) -> None:
        """Makes one that has listed nothing yet; see `Reflector` for the two callbacks."""
        self._requests = requests
        self.node_reflector: Reflector[Node] = Reflector(NODES, requests, on_change, on_return)
        self.tiering_reflector: Reflector[Tiering] = Reflector(TIERINGS, requests, on_change, on_return)

    @property
    def complete(self) -> bool:
        """Whether nodes and NodeTierings have been listed."""
        return self.node_reflector.synced.is_set() and self.tiering_reflector.synced.is_set()

    @property
    def nodes_version(self) -> int:
        """Changes when `nodes` does."""
        return self.node_reflector.changes

    @property
    def nodes(self) -> Mapping[str, Node]:
        """All nodes by name; changes in place."""
        return self.node_reflector.items

    @property
    def tierings(self) -> Mapping[str, Tiering]:
        """All NodeTierings by name; changes in place."""
        return self.tiering_reflector.items

    @property
    def agents(self) -> Agents:
        """What is known of agents: of none that it is not alive."""
        return {}

    async def list_policies(self) -> Policies:
        """Returns all policies as they are now; they are few."""
        found = await self._requests.get(POLICIES_PATH)
        try:
            return read_policies(found["items"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiGarbled(f"list of TieringPolicy without {error}") from error

    async def write_tiering(self, write: NodeWrite) -> None:
        """Makes or changes a NodeTiering; the answer is at once part of `tierings`."""
        seen = self.tierings.get(write.name)
        manifest = await self._requests.apply(f"{TIERINGS_PATH}/{quote(write.name)}", tiering_manifest(write))
        try:
            stored = read_tiering(manifest)
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiGarbled(f"NodeTiering without {error}") from error
        self.tiering_reflector.put(write.name, seen, stored)
        if stored.spec != write.spec:
            raise ApiGarbled("the spec was not stored as it was written; is the CRD of another version of Terrace?")

    async def write_status(self, write: StatusWrite) -> None:
        """Writes a policy's status."""
        await self._requests.apply(f"{POLICIES_PATH}/{quote(write.name)}/status", status_manifest(write))

    async def write_event(self, write: EventWrite) -> None:
        """Writes an event, or how often it came."""
        await self._requests.apply(f"{EVENTS_PATH}/{quote(write.name)}", event_manifest(write))
