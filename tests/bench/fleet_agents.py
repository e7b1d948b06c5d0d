"""The agents of a whole fleet in one thread: they share one watch, and answer each spec as an agent does."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from http import HTTPStatus
from ssl import SSLContext
from typing import Any

import aiohttp

from terrace_api import API_VERSION
from terrace_api.codec import encode_status
from terrace_api.conditions import Condition, ConditionStatus
from terrace_api.node_tiering import (
    Effective,
    EngineCapability,
    EngineName,
    Kdamond,
    MemoryKind,
    NodeTieringStatus,
    NumaNode,
)
from terrace_api.policy import Mode

OBJECTS = "/apis/terrace.dev/v1alpha1/nodetierings"
PARALLEL = 24
_GIB = 2**30
_APPLY = {
    "Content-Type": "application/apply-patch+yaml",
    "Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
}
_QUERY = {"fieldManager": "terrace-agent", "force": "true", "fieldValidation": "Ignore"}
Json = Any


class FleetAgents:
    """All agents.

    Attributes:
        told: how many nodes have seen a revision in their spec; empty for `Restore`.
        answered: how many have answered it.
        told_s: monotonic time when the last of them saw it; so is `answered_s`.
        writes: how many statuses were written.
    """

    def __init__(self, server: str, tls: SSLContext) -> None:
        self.told: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.told_s: dict[str, float] = {}
        self.answered_s: dict[str, float] = {}
        self.writes = 0
        self._server = server
        self._tls = tls
        self._version = "0"
        self._seen: dict[str, int] = {}
        self._queue: asyncio.Queue[tuple[str, int, str]] = asyncio.Queue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="agents", daemon=True)
        self._error: BaseException | None = None

    def start(self) -> None:
        """Starts to watch."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._run(), self._loop)

    def stop(self) -> None:
        """Ends; what is under way is cut."""
        for task in asyncio.all_tasks(self._loop):
            self._loop.call_soon_threadsafe(task.cancel)
        time.sleep(0.2)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def check(self) -> None:
        """Raises what ended the agents, if anything did."""
        if self._error is not None:
            raise self._error

    async def _run(self) -> None:
        try:
            connector = aiohttp.TCPConnector(ssl=self._tls, limit=PARALLEL + 4)
            timeout = aiohttp.ClientTimeout(total=None, sock_read=120)
            async with aiohttp.ClientSession(self._server, connector=connector, timeout=timeout) as session:
                await asyncio.gather(self._watch(session), *(self._answer(session) for _ in range(PARALLEL)))
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._error = error

    async def _watch(self, session: aiohttp.ClientSession) -> None:
        while True:
            query = {"watch": "true", "resourceVersion": self._version, "allowWatchBookmarks": "true"}
            async with session.get(OBJECTS, params=query, read_bufsize=2**20) as response:
                if response.status == HTTPStatus.TOO_MANY_REQUESTS:  # its cache of a new kind is not filled yet
                    await asyncio.sleep(1)
                    continue
                response.raise_for_status()
                async for line in response.content:
                    self._see(json.loads(line))

    def _see(self, event: Json) -> None:
        if event["type"] == "ERROR":
            raise RuntimeError(event["object"])
        self._version = event["object"]["metadata"]["resourceVersion"]
        if event["type"] not in {"ADDED", "MODIFIED"}:
            return
        metadata, spec = event["object"]["metadata"], event["object"]["spec"]
        if self._seen.get(metadata["name"]) == metadata["generation"]:
            return
        self._seen[metadata["name"]] = metadata["generation"]
        revision = spec.get("revision", "")
        self.told[revision] += 1
        self.told_s[revision] = time.monotonic()
        self._queue.put_nowait((metadata["name"], metadata["generation"], revision))

    async def _answer(self, session: aiohttp.ClientSession) -> None:
        while True:
            name, generation, revision = await self._queue.get()
            body = {
                "apiVersion": API_VERSION,
                "kind": "NodeTiering",
                "metadata": {"name": name},
                "status": a_status(generation, revision),
            }
            url = f"{OBJECTS}/{name}/status"
            async with session.patch(url, params=_QUERY, data=json.dumps(body), headers=_APPLY) as response:
                response.raise_for_status()
                await response.read()
            self.writes += 1
            self.answered[revision] += 1
            self.answered_s[revision] = time.monotonic()


def a_status(generation: int, revision: str) -> Json:
    """Returns a status as an agent on a machine with two NUMA nodes writes it."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    ready = ("Enforcing", "promote 1>0 and demote 0>1 by damon") if revision else ("Restored", "as it was found")
    reasons = (("Accepted", "Valid"), ("EngineAvailable", "Available"), ("Applied", ready[0]), ("Ready", ready[0]))
    return encode_status(
        NodeTieringStatus(
            observed_generation=generation,
            last_heartbeat_time=now,
            heartbeat_period_seconds=900,
            kernel="7.2.0-1-amd64",
            engine=EngineName.DAMON,
            mode=Mode.ENFORCE if revision else None,
            active_revision=revision,
            active_since=now if revision else None,
            fast_used="99.2%",
            promoted_bytes=3 * _GIB,
            promoted="3Gi",
            demoted_bytes=2 * _GIB,
            demoted="2Gi",
            numa_nodes=tuple(
                NumaNode(
                    nid=nid,
                    tier=tier,
                    kind=MemoryKind.DRAM if tier == "fast" else MemoryKind.CXL,
                    why=f"memory_tier{number} holds it",
                    total_bytes=64 * _GIB,
                    free_bytes=_GIB,
                    cpus=32 * (1 - nid),
                    memory_tier=number,
                )
                for nid, tier, number in ((0, "fast", 4), (1, "slow", 22))
            ),
            engines=(
                EngineCapability(name=EngineName.DAMON, available=True, reason="Available", message="It can run here."),
            ),
            kdamonds=tuple(
                Kdamond(
                    index=nid,
                    pid=4000 + nid,
                    source_nid=nid,
                    target_nid=1 - nid,
                    direction=("demotion", "promotion")[nid],
                    tried_bytes=4 * _GIB,
                    applied_bytes=3 * _GIB,
                    arrived_bytes=3 * _GIB,
                    quota_exceeds=17,
                )
                for nid in (0, 1)
                if revision
            ),
            effective=Effective(
                fast_used_target="99.6%",
                fast_free_target="0.6%",
                fast_floor_bytes=256 * 2**20,
                quota_bytes_per_second=200 * 2**20,
                apply_interval="200ms",
                sample_interval="5ms",
                aggregation_interval="100ms",
                notes=(),
            )
            if revision
            else None,
            plan=(),
            pods=(),
            unknown_fields=(),
            conditions=tuple(
                Condition(
                    type=type_,
                    status=ConditionStatus.TRUE,
                    reason=reason,
                    message=ready[1],
                    last_transition_time=now,
                    observed_generation=generation,
                )
                for type_, reason in reasons
            ),
        )
    )
