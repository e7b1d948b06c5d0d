"""What the agents' own watches cost: one on one object each, over a connection of its own, as real agents have."""

from __future__ import annotations

import asyncio
import json
import resource
import threading
import time
from ssl import SSLContext

import aiohttp

from bench.fleet_agents import OBJECTS

OPENING = 48
_FILES_BESIDE = 200


def may_open(watches: int) -> bool:
    """Whether this process, and the API server that it started, may have so many connections: by `ulimit -Hn`."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most == resource.RLIM_INFINITY or watches + _FILES_BESIDE <= most


class SingleWatches:
    """A watch a node, in one thread.

    Attributes:
        told: revision that each node's watch saw last, by the node's name.
        told_s: monotonic time when the last of them saw something new.
    """

    def __init__(self, server: str, tls: SSLContext, names: list[str]) -> None:
        self.told: dict[str, str] = {}
        self.told_s = 0.0
        self._server = server
        self._tls = tls
        self._names = names
        self._opening = asyncio.Semaphore(OPENING)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="watches", daemon=True)
        self._error: BaseException | None = None

    def start(self) -> None:
        """Starts to open them; `may_open` says whether they can be."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(self._names) + _FILES_BESIDE, most))
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._run(), self._loop)

    def stop(self) -> None:
        """Ends; what is under way is cut."""
        for task in asyncio.all_tasks(self._loop):
            self._loop.call_soon_threadsafe(task.cancel)
        time.sleep(0.5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def all_say(self, revision: str) -> bool:
        """Whether every watch has seen this revision.

        Raises:
            BaseException: what ended a watch.
        """
        if self._error is not None:
            raise self._error
        return len(self.told) == len(self._names) and set(self.told.values()) == {revision}

    async def _run(self) -> None:
        try:
            connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
            timeout = aiohttp.ClientTimeout(total=None)
            async with aiohttp.ClientSession(self._server, connector=connector, timeout=timeout) as session:
                await asyncio.gather(*(self._watch(session, name) for name in self._names))
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._error = error

    async def _watch(self, session: aiohttp.ClientSession, name: str) -> None:
        query = {"watch": "true", "fieldSelector": f"metadata.name={name}", "timeoutSeconds": "3600"}
        await self._opening.acquire()
        opening = True
        async with session.get(OBJECTS, params=query, read_bufsize=2**16) as response:
            response.raise_for_status()
            async for line in response.content:
                self.told[name] = json.loads(line)["object"]["spec"].get("revision", "")
                self.told_s = time.monotonic()
                if opening:
                    self._opening.release()
                    opening = False
        raise ConnectionError(f"the watch on {name} ended")
