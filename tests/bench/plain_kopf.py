"""The plain-kopf way, to compare with: the whole fleet in `kopf.index`. A program that listens on the port given.

`/readyz` answers once all objects are in the index: kopf starts no other handler before.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import kopf
from aiohttp import web

PORT = int(sys.argv[1])
STATE: dict[str, Any] = {"ready": False}


@kopf.index("terrace.dev", "v1alpha1", "nodetierings")
async def tierings(name: str, spec: kopf.Spec, status: kopf.Status, **_: Any) -> dict[str, Any]:
    return {name: (dict(spec), dict(status))}


@kopf.on.event("terrace.dev", "v1alpha1", "nodetierings")
async def seen(**_: Any) -> None:
    STATE["ready"] = True


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True


async def main() -> None:
    async def readyz(_: web.Request) -> web.Response:
        return web.Response(status=200 if STATE["ready"] else 503)

    app = web.Application()
    app.router.add_get("/readyz", readyz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PORT).start()
    await kopf.operator(clusterwide=True)


asyncio.run(main())
