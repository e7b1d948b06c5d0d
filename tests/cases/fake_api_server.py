"""An API server in memory that lists in pages, watches, applies, and can be made to fail in every known way.

It knows nothing of schemas. Cluster tests hold the operator to the real one.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from kubernetes.aio.client import Configuration

from terrace_operator.cluster.connection import Connection

Json = Any


@dataclass(kw_only=True)
class Kind:
    """The objects of one kind by name, and all that happened to them, each with its resource version."""

    objects: dict[str, Json] = field(default_factory=dict)
    events: list[tuple[int, Json]] = field(default_factory=list)


class FakeApiServer:
    """Serves whatever kinds were put into it.

    Attributes:
        requests: `GET /path` lines in the order they came; a watch is written as `WATCH`.
        accepts: the `Accept` headers of lists and watches.
        refuse: status with which the next so many requests are refused.
        retry_after: what a refusal says in the header of that name; nothing if empty.
        delay_s: how long an answer takes.
        page: how many objects a page of a list has at most.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.accepts: list[str] = []
        self.refuse: list[int] = []
        self.retry_after = ""
        self.delay_s = 0.0
        self.page = 500
        self.url = ""
        self._kinds: dict[str, Kind] = {}
        self._version = 100
        self._oldest = 0
        self._news = asyncio.Condition()
        self._watches: set[web.StreamResponse] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serves inside the block; gives the URL."""
        app = web.Application(client_max_size=2**22)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        try:
            yield self.url
        finally:
            await self.cut()
            await runner.cleanup()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """Serves inside the block, and yields a connection."""
        async with self.serving() as url:
            connection = Connection(Configuration(host=url))
            try:
                yield connection
            finally:
                await connection.close()

    def kind(self, path: str) -> Kind:
        """Returns the kind whose list is at `path`."""
        return self._kinds.setdefault(path, Kind())

    async def put(self, path: str, name: str, **rest: Json) -> Json:
        """Creates or changes an object as somebody else does."""
        known = self.kind(path).objects.get(name)
        manifest = copy.deepcopy(known) if known else _new(name)
        manifest["metadata"] |= rest.pop("metadata", {})
        manifest |= rest
        await self._store(path, manifest, "MODIFIED" if known else "ADDED")
        return manifest

    async def remove(self, path: str, name: str) -> None:
        """Deletes an object."""
        await self._store(path, self.kind(path).objects.pop(name), "DELETED")

    async def cut(self) -> None:
        """Breaks off every watch in the middle."""
        for response in tuple(self._watches):
            if response._req is not None and response._req.transport is not None:
                response._req.transport.abort()
        async with self._news:
            self._news.notify_all()

    async def send(self, line: bytes) -> None:
        """Sends something of one's own in every watch."""
        for response in tuple(self._watches):
            with suppress(ConnectionError):  # the client may hang up when it has had enough
                await response.write(line)

    async def bookmark(self) -> None:
        """Tells every watch how far it is."""
        self._version += 1
        metadata = {"resourceVersion": str(self._version)}
        await self.send(json.dumps({"type": "BOOKMARK", "object": {"metadata": metadata}}).encode() + b"\n")

    def forget(self) -> None:
        """Compacts: no watch can start from what has been so far."""
        self._version += 1
        self._oldest = self._version

    def watching(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    async def _store(self, path: str, manifest: Json, type_: str) -> None:
        self._version += 1
        manifest["metadata"]["resourceVersion"] = str(self._version)
        if type_ != "DELETED":
            self.kind(path).objects[manifest["metadata"]["name"]] = manifest
        self.kind(path).events.append((self._version, {"type": type_, "object": copy.deepcopy(manifest)}))
        async with self._news:
            self._news.notify_all()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        watch = request.query.get("watch") == "true"
        self.requests.append(f"{'WATCH' if watch else request.method} {request.path}")
        if request.method == "GET":
            self.accepts.append(request.headers["Accept"])
        await asyncio.sleep(self.delay_s)
        if self.refuse:
            headers = {"Retry-After": self.retry_after} if self.retry_after else {}
            return _status(self.refuse.pop(0), "Refused", "as the test wants it", headers)
        match request.method:
            case "PATCH":
                return await self._apply(request)
            case "POST" | "PUT":
                return await self._put(request)
        return await self._watch(request) if watch else self._get(request)

    def _get(self, request: web.Request) -> web.Response:
        """An object; else a list, which only a path of an object below a namespace is not."""
        kind, _, name = request.path.rpartition("/")
        if "/namespaces/" not in kind:
            return self._list(request)
        found = self.kind(kind).objects.get(name)
        return web.json_response(found) if found else _status(404, "NotFound", f"{name} is not there")

    async def _put(self, request: web.Request) -> web.Response:
        """Creates, or replaces what has not changed since it was read."""
        manifest = json.loads(await request.text())
        create = request.method == "POST"
        path = request.path if create else request.path.rpartition("/")[0]
        known = self.kind(path).objects.get(manifest["metadata"]["name"])
        version = manifest["metadata"].get("resourceVersion")
        if version != (known["metadata"]["resourceVersion"] if known else None):
            return _status(409, "AlreadyExists" if create else "Conflict", "the object has been modified")
        await self._store(path, manifest, "ADDED" if create else "MODIFIED")
        return web.json_response(manifest)

    def _list(self, request: web.Request) -> web.Response:
        objects = list(self.kind(request.path).objects.values())
        start = int(request.query.get("continue", "0"))
        most = min(self.page, int(request.query.get("limit", len(objects) or 1)))
        rest = str(start + most) if start + most < len(objects) else ""
        metadata = {"resourceVersion": str(self._version)} | ({"continue": rest} if rest else {})
        return web.json_response({"metadata": metadata, "items": objects[start : start + most]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        if seen < self._oldest:
            return _status(410, "Expired", "too old resource version")
        response = web.StreamResponse()
        await response.prepare(request)
        self._watches.add(response)
        try:
            while request.transport is not None and not request.transport.is_closing():
                for version, event in self.kind(request.path).events:
                    if version > seen:
                        await response.write(json.dumps(event).encode() + b"\n")
                        seen = version
                async with self._news:
                    await self._news.wait()
        except ConnectionError:
            pass
        finally:
            self._watches.discard(response)
        return response

    async def _apply(self, request: web.Request) -> web.Response:
        path, manifest = request.path, json.loads(await request.text())
        subresource = path.endswith("/status")
        path, _, name = path.removesuffix("/status").rpartition("/")
        known = self.kind(path).objects.get(name)
        uid = manifest["metadata"].get("uid")
        if (uid and (known is None or known["metadata"]["uid"] != uid)) or (subresource and known is None):
            return _status(409 if uid else 404, "Conflict", f"uid mismatch: {uid}")
        now = copy.deepcopy(known) if known else _new(name)
        if subresource:
            now["status"] = manifest["status"]
        else:
            now |= {"spec": manifest["spec"]}
            given = manifest["metadata"]
            now["metadata"] |= {"ownerReferences": given.get("ownerReferences", [])}
            now["metadata"] |= {"annotations": given.get("annotations", {})}
        if known and known.get("spec") != now.get("spec"):
            now["metadata"]["generation"] += 1
        if now != known:
            await self._store(path, now, "MODIFIED" if known else "ADDED")
        return web.json_response(now)


def _new(name: str) -> Json:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "generation": 1}}


def _status(code: int, reason: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return web.json_response(body, status=code, headers=headers)
