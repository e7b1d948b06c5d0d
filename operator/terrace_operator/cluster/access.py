"""The whole state as the API server has it, and the operator's writes.

Before: `requests`, `reflector`, `objects`. After: `reconcile` works on it.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from terrace_operator.cluster.objects import (
    NODES_PATH,
    POLICIES_PATH,
    TIERINGS_PATH,
    read_node,
    read_policies,
    read_tiering,
    status_manifest,
    tiering_manifest,
)
from terrace_operator.cluster.reflector import Reflector, Source
from terrace_operator.cluster.requests import Requests
from terrace_operator.errors import ApiGarbled, NotLeading
from terrace_operator.fleet import Node, Policies, Tiering
from terrace_operator.node_writes import NodeWrite
from terrace_operator.statuses import StatusWrite

Json = Any

NODES = Source(kind="Node", path=NODES_PATH, read=read_node, as_="PartialObjectMetadata")
TIERINGS = Source(kind="NodeTiering", path=TIERINGS_PATH, read=read_tiering)


class Cluster:
    """Nodes and NodeTierings kept by list and watch; policies listed on demand."""

    def __init__(
        self,
        requests: Requests,
        left_s: Callable[[], float],
        on_change: Callable[[], None],
        on_return: Callable[[], None],
    ) -> None:
        """Makes one that has listed nothing yet.

        Args:
            requests: to the API server.
            left_s: how long a write may take that starts now, see `Elector.left_s`.
            on_change: see `Reflector`.
            on_return: see `Reflector`.
        """
        self._requests = requests
        self._left_s = left_s
        self.node_reflector: Reflector[Node] = Reflector(NODES, requests, on_change, on_return)
        self.tiering_reflector: Reflector[Tiering] = Reflector(TIERINGS, requests, on_change, on_return)

    @property
    def leading(self) -> bool:
        """Whether this process may write."""
        return self._left_s() > 0

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
        manifest = await self._apply(f"{TIERINGS_PATH}/{quote(write.name)}", tiering_manifest(write))
        try:
            stored = read_tiering(manifest)
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiGarbled(f"NodeTiering without {error}") from error
        self.tiering_reflector.put(write.name, seen, stored)
        if stored.spec != write.spec:
            raise ApiGarbled("the spec was not stored as it was written; is the CRD of another version of Terrace?")

    async def write_status(self, write: StatusWrite) -> None:
        """Writes a policy's status."""
        await self._apply(f"{POLICIES_PATH}/{quote(write.name)}/status", status_manifest(write))

    def refresh(self) -> None:
        """Begins with new lists: whatever was written before this call will be known when `complete` is true again."""
        self.node_reflector.refresh()
        self.tiering_reflector.refresh()

    async def _apply(self, path: str, manifest: Json) -> Json:
        """The only door to the operator's writes: nothing goes out that another operator could overtake."""
        left_s = self._left_s()
        if left_s <= 0:
            raise NotLeading
        return await self._requests.apply(path, manifest, within_s=left_s)
