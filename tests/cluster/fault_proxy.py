"""A proxy in front of the API server that cuts, refuses, delays and loses what passes through it, as a test wants."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from testbed.cluster import Cluster

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "content-encoding"}
_GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, as far as a fault cares."""

    method: str
    path: str
    watch: bool
    client: str


Matches = Callable[[Request], bool]


def writes(request: Request) -> bool:
    """Whether it writes one of our objects."""
    return request.method == "PATCH"


def reads(request: Request) -> bool:
    """Whether it lists or watches, or reads an object."""
    return request.method == "GET" and "/leases/" not in request.path


@dataclass(kw_only=True)
class _Refusal:
    matches: Matches
    status: int
    left: int
    retry_after: str


@dataclass(kw_only=True)
class FaultProxy:
    """The proxy; attributes may be changed at any time.

    Attributes:
        url: where it listens, in plain HTTP.
        delay_s: how long every request is held back.
        lose: requests that are passed on and whose answer is lost with the connection.
        refused: how many requests were refused.
        lost: how many answers were lost.
    """

    url: str = ""
    delay_s: float = 0.0
    lose: Matches = lambda _: False
    refused: int = 0
    lost: int = 0
    _refusals: list[_Refusal] = field(default_factory=list)
    _watches: dict[web.StreamResponse, Request] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None

    def refuse(self, matches: Matches, status: int, count: int, retry_after: str = "") -> None:
        """Refuses the next so many requests that match."""
        self._refusals.append(_Refusal(matches=matches, status=status, left=count, retry_after=retry_after))

    def watched(self, matches: Matches) -> bool:
        """Whether a watch that matches is open: a client that lost one waits before it asks for the next."""
        return any(matches(request) for request in tuple(self._watches.values()))

    def cut(self) -> None:
        """Breaks off every watch in the middle of a line."""
        self._in_loop(self._cut)

    def gone(self) -> None:
        """Tells every watch that its resource version is too old."""
        self._in_loop(self._gone)

    def _in_loop(self, work: Callable[[], Any]) -> None:
        async def run() -> None:
            await work()

        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    async def _cut(self) -> None:
        for response in tuple(self._watches):
            with suppress(ConnectionError):
                await response.write(b'{"type": "MODIFIED", "object": {"metadata"')
            _abort(response)

    async def _gone(self) -> None:
        for response in tuple(self._watches):
            with suppress(ConnectionError):
                await response.write(json.dumps(_GONE).encode() + b"\n")

    async def _serve(self, cluster: Cluster, started: threading.Event, ended: asyncio.Event) -> None:
        connector = aiohttp.TCPConnector(ssl=cluster.authority_only(), limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:

            async def pass_on(request: web.Request) -> web.StreamResponse:
                return await self._pass_on(request, session, cluster.server)

            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/{path:.*}", pass_on)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
            started.set()
            await ended.wait()
            await runner.cleanup()

    async def _pass_on(self, request: web.Request, session: aiohttp.ClientSession, server: str) -> web.StreamResponse:
        seen = Request(
            method=request.method,
            path=request.path,
            watch=request.query.get("watch") == "true",
            client=request.headers.get("User-Agent", ""),
        )
        await asyncio.sleep(self.delay_s)
        if (refusal := self._refusal(seen)) is not None:
            return refusal
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        body = await request.read()
        try:
            async with session.request(
                request.method, server + request.path_qs, headers=headers, data=body or None
            ) as answer:
                return await self._answer(request, seen, answer)
        except aiohttp.ClientError:
            return web.Response(status=502, text="the API server is away")

    async def _answer(self, request: web.Request, seen: Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        response = web.StreamResponse(status=answer.status, headers=kept)
        if self.lose(seen):
            await answer.read()
            self.lost += 1
            if request.transport is not None:
                request.transport.abort()
            return response
        await response.prepare(request)
        if seen.watch:
            self._watches[response] = seen
        try:
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
        except ConnectionError:
            pass
        finally:
            self._watches.pop(response, None)
        return response

    def _refusal(self, seen: Request) -> web.Response | None:
        for refusal in self._refusals:
            if refusal.left > 0 and refusal.matches(seen):
                refusal.left -= 1
                self.refused += 1
                body = {
                    "kind": "Status",
                    "code": refusal.status,
                    "reason": "Injected",
                    "message": "as the test wants it",
                }
                headers = {"Retry-After": refusal.retry_after} if refusal.retry_after else None
                return web.json_response(body, status=refusal.status, headers=headers)
        return None


def _abort(response: web.StreamResponse) -> None:
    if response._req is not None and response._req.transport is not None:
        response._req.transport.abort()


@contextmanager
def proxying(cluster: Cluster) -> Iterator[FaultProxy]:
    """Serves a proxy in front of the cluster's API server inside the block."""
    proxy, started = FaultProxy(), threading.Event()
    ended: list[asyncio.Event] = []

    async def main() -> None:
        proxy._loop = asyncio.get_running_loop()
        ended.append(asyncio.Event())
        await proxy._serve(cluster, started, ended[0])

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="proxy", daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield proxy
    finally:
        assert proxy._loop is not None
        proxy._loop.call_soon_threadsafe(ended[0].set)
        thread.join(10)
