"""The whole state as the API server has it, and the operator's writes.

Before: `requests`, `reflector`, `objects`. After: `reconcile` works on it.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from terrace_operator.cluster.look import AgentPods, read_look
from terrace_operator.cluster.objects import (
    EVENTS_PATH,
    KINDS_PATH,
    NODES_PATH,
    POLICIES_PATH,
    TIERINGS_PATH,
    alive_manifest,
    can_wait,
    event_manifest,
    read_node,
    read_tiering,
    status_manifest,
    tiering_manifest,
)
from terrace_operator.cluster.reflector import Before, Reflector, Source
from terrace_operator.cluster.requests import JSON, Requests
from terrace_operator.errors import ApiGarbled, NotLeading
from terrace_operator.fleet import Agents, Editions, Node, Policies, Tiering
from terrace_operator.liveness import AliveWrite, Look
from terrace_operator.node_writes import NodeWrite
from terrace_operator.policies import read_policies
from terrace_operator.roll_call import RollCall
from terrace_operator.series import EventWrite
from terrace_operator.statuses import StatusWrite
from terrace_operator.wake import Wake

Json = Any

_WITHOUT_HURRY_S = 10.0

NODES = Source(kind="Node", path=NODES_PATH, read=read_node, as_="PartialObjectMetadata")
TIERINGS = Source(kind="NodeTiering", path=TIERINGS_PATH, read=read_tiering, can_wait=can_wait)


class Cluster:
    """Nodes and NodeTierings kept by list and watch; policies listed on demand."""

    def __init__(
        self,
        requests: Requests,
        wake: Wake,
        *,
        left_s: Callable[[], float],
        on_return: Callable[[], None],
        agent_pods: AgentPods | None = None,
    ) -> None:
        """Makes one that has listed nothing yet.

        Args:
            requests: to the API server.
            wake: woken by changes; later by those that nobody waits for.
            left_s: how long a write may take that starts now, see `Elector.left_s`.
            on_return: called when the API server answers again after it did not.
            agent_pods: the agents' pods; without them a node without an agent is a node whose agent is silent.
        """
        self._requests = requests
        self._left_s = left_s
        self._agent_pods = agent_pods
        self.roll_call = RollCall(self._look, wake)

        def changed(urgent: bool) -> None:
            if urgent:
                wake.now()
            else:
                wake.at(time.monotonic() + _WITHOUT_HURRY_S)

        def returned(away_s: float) -> None:
            self.roll_call.leave_out(away_s)
            on_return()

        self.node_reflector: Reflector[Node] = Reflector(NODES, requests, changed, lambda _: on_return())
        self.tiering_reflector: Reflector[Tiering] = Reflector(TIERINGS, requests, changed, returned)

    @property
    def leading(self) -> bool:
        """Whether this process may write."""
        return self._left_s() > 0

    @property
    def complete(self) -> bool:
        """Whether nodes and NodeTierings are known as they are: listed, and the API server has not gone away since."""
        return self.node_reflector.current and self.tiering_reflector.current

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
        """Whose agents are not alive."""
        return self.roll_call.agents(self.tierings)

    def alive_writes(self, agents: Agents, now: str) -> tuple[AliveWrite, ...]:
        """Returns the conditions AgentAlive that do not say what `agents` does."""
        return self.roll_call.writes(agents, self.tierings, now)

    async def list_policies(self) -> Policies:
        """Returns all policies as they are now; they are few."""
        found = await self._requests.get(POLICIES_PATH)
        try:
            return read_policies(found["items"] or [])
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiGarbled(f"list of TieringPolicy without {error}") from error

    async def policy_editions(self) -> Editions:
        """Returns which policies nobody has deleted, from the API server's cache, which may lag a moment."""
        accept = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        found = await self._requests.get(POLICIES_PATH, accept=accept, query={"resourceVersion": "0"})
        try:
            every = [one["metadata"] for one in found["items"] or ()]
            return frozenset((one["uid"], one["generation"]) for one in every if "deletionTimestamp" not in one)
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiGarbled(f"list of TieringPolicy without {error}") from error

    async def policies_are_found(self) -> bool:
        """Returns whether discovery names the policies' kind: a moment after its start an API server does not."""
        found = await self._requests.get(KINDS_PATH)
        try:
            return any(kind["name"] == "tieringpolicies" for kind in found["resources"])
        except (KeyError, TypeError) as error:
            raise ApiGarbled(f"discovery without {error}") from error

    async def write_tiering(self, write: NodeWrite) -> None:
        """Makes or changes a NodeTiering; the answer is at once part of `tierings`."""
        before = self.tiering_reflector.before(write.name)
        manifest = await self._apply(f"{TIERINGS_PATH}/{quote(write.name)}", tiering_manifest(write))
        stored = self._put(write.name, before, manifest)
        if stored.spec != write.spec:
            raise ApiGarbled("the spec was not stored as it was written; is the CRD of another version of Terrace?")

    async def write_status(self, write: StatusWrite) -> None:
        """Writes a policy's status."""
        await self._apply(f"{POLICIES_PATH}/{quote(write.name)}/status", status_manifest(write))

    async def write_event(self, write: EventWrite) -> None:
        """Writes an event, or how often it came."""
        await self._apply(f"{EVENTS_PATH}/{quote(write.name)}", event_manifest(write))

    async def write_alive(self, write: AliveWrite) -> None:
        """Writes the condition AgentAlive; the answer is at once part of `tierings`."""
        before = self.tiering_reflector.before(write.name)
        path = f"{TIERINGS_PATH}/{quote(write.name)}/status"
        self._put(write.name, before, await self._apply(path, alive_manifest(write)))

    def refresh(self) -> None:
        """Begins with new lists: whatever was written before this call will be known when `complete` is true again."""
        self.node_reflector.refresh()
        self.tiering_reflector.refresh()

    async def _look(self, name: str) -> Look:
        node = await self._requests.get(f"{NODES_PATH}/{quote(name)}")
        if self._agent_pods is None:
            return read_look(node, None)
        return read_look(node, await self._requests.get(self._agent_pods.path(), query=self._agent_pods.query(name)))

    def _put(self, name: str, before: Before[Tiering], manifest: Json) -> Tiering:
        try:
            stored = read_tiering(manifest)
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiGarbled(f"NodeTiering without {error}") from error
        self.tiering_reflector.put(name, before, stored)
        return stored

    async def _apply(self, path: str, manifest: Json) -> Json:
        """The only door to the operator's writes: nothing goes out that another operator could overtake."""
        left_s = self._left_s()
        if left_s <= 0:
            raise NotLeading
        return await self._requests.apply(path, manifest, within_s=left_s)
