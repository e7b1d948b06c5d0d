"""The operator's own HTTP server: liveness, readiness and metrics."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Check = Callable[[], str]
"""Returns what is wrong, in words; empty if nothing is."""


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int


@asynccontextmanager
async def listening(
    address: Address, *, alive: Check, ready: Check, registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Serves `/healthz` (a restart would help if it fails), `/readyz` and `/metrics` inside the block.

    On the host `::` it serves every address of both families, or of IPv4 where IPv6 is off.

    Raises:
        OSError: the address cannot be listened on.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", _answer(alive))
    app.router.add_get("/readyz", _answer(ready))
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.SockSite(runner, _socket(address)).start()
        yield
    finally:
        await runner.cleanup()


def _socket(address: Address) -> socket.socket:
    both = address.host == "::" and socket.has_dualstack_ipv6()
    host = "0.0.0.0" if address.host == "::" and not both else address.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, address.port), family=family, dualstack_ipv6=both)


def _answer(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(_: web.Request) -> web.Response:
        wrong = check()
        return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

    return handler
