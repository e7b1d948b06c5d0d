"""The only way from an operator to the API server, and to a grave: what it writes is seen, and it can be killed for it.

Serves plain HTTP on loopback, from a thread of its own, and passes everything on.
"""

import asyncio
import json
import os
import signal
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from testbed.cluster import Cluster
from testbed.ports import free

Json = Any
_NOT_PASSED_ON = {"host", "content-length", "transfer-encoding", "connection", "content-encoding"}
_OURS = "/apis/terrace.dev/"
READY_LIMIT_S = 60


@dataclass(frozen=True, kw_only=True)
class Written:
    """A write that the API server took: the kind in plural, the name, and all that it was given."""

    kind: str
    name: str
    manifest: Json


@dataclass(kw_only=True)
class Door:
    """Passes requests on.

    Attributes:
        written: every write of Terrace's objects that the API server took.
        on_write: called after each of them, before the operator learns of it.
        doomed: pid of the operator that `kill` ends.
    """

    cluster: Cluster
    port: int
    written: list[Written] = field(default_factory=list)
    on_write: Callable[[Written], None] = lambda _: None
    doomed: int | None = None

    @property
    def url(self) -> str:
        """Where the operator has to go."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Ends the operator as a crash of its machine would: it does nothing any more."""
        if self.doomed is not None:
            os.killpg(self.doomed, signal.SIGKILL)
            self.doomed = None

    async def serve(self, stop: asyncio.Event, ready: threading.Event) -> None:
        """Serves until it is told to stop."""
        tls = ssl.create_default_context(cafile=str(self.cluster.authority.certificate))
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=0), timeout=aiohttp.ClientTimeout(), auto_decompress=False
        ) as client:

            async def answer(request: web.Request) -> web.StreamResponse:
                return await self._pass_on(request, client)

            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/{path:.*}", answer)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            ready.set()
            await stop.wait()
            await runner.cleanup()

    async def _pass_on(self, request: web.Request, client: aiohttp.ClientSession) -> web.StreamResponse:
        body = await request.read()
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _NOT_PASSED_ON}
        url = f"{self.cluster.server}{request.path_qs}"
        async with client.request(request.method, url, headers=headers, data=body or None) as upstream:
            if request.method == "PATCH" and request.path.startswith(_OURS) and upstream.status < 300:
                self._note(request.path, body)
            return await _streamed(request, upstream)

    def _note(self, path: str, body: bytes) -> None:
        kind, name = path.split("/")[4:6]
        written = Written(kind=kind, name=name, manifest=json.loads(body))
        self.written.append(written)
        self.on_write(written)


async def _streamed(request: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = {key: value for key, value in upstream.headers.items() if key.lower() not in _NOT_PASSED_ON}
    if encoding := upstream.headers.get("Content-Encoding"):
        headers["Content-Encoding"] = encoding
    response = web.StreamResponse(status=upstream.status, headers=headers)
    try:
        await response.prepare(request)
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except ConnectionError:  # who asked is gone
        pass
    return response


@contextmanager
def opened(cluster: Cluster) -> Iterator[Door]:
    """A door inside the block."""
    (port,) = free(1)
    door, ready = Door(cluster=cluster, port=port), threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(door.serve(stop, ready),), daemon=True)
    thread.start()
    try:
        assert ready.wait(READY_LIMIT_S), "the door opens"
        yield door
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
