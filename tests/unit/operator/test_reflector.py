"""However a watch is lost, the copy ends up as the API server has it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from kubernetes.aio.client import Configuration

from cases.fake_api_server import FakeApiServer
from terrace_operator.cluster import reflector as reflector_module
from terrace_operator.cluster import requests as requests_module
from terrace_operator.cluster.access import NODES
from terrace_operator.cluster.connection import Connection
from terrace_operator.cluster.objects import NODES_PATH
from terrace_operator.cluster.reflector import Reflector
from terrace_operator.cluster.requests import Requests
from terrace_operator.fleet import Node

GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector_module, "_LEAST_DELAY_S", 0.001)
    monkeypatch.setattr(reflector_module, "_MOST_DELAY_S", 0.01)


@asynccontextmanager
async def connected(server: FakeApiServer) -> AsyncIterator[Requests]:
    async with server.connected() as connection:
        yield Requests(connection)


class Watched:
    """A fake server with one node, and a reflector that runs against it."""

    def __init__(self, server: FakeApiServer, reflector: Reflector[Node], told: list[str]) -> None:
        self.server = server
        self.reflector = reflector
        self.told = told

    async def names(self, *expected: str) -> None:
        """Waits until the copy has exactly these nodes."""
        await until(lambda: sorted(self.reflector.items) == sorted(expected))

    async def add(self, name: str, **labels: str) -> None:
        await self.server.put(NODES_PATH, name, metadata={"labels": labels})

    def count(self, verb: str) -> int:
        return self.server.requests.count(f"{verb} {NODES_PATH}")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def watched(test: Callable[[Watched], Awaitable[None]]) -> None:
    async def main() -> None:
        server, told = FakeApiServer(), list[str]()
        await server.put(NODES_PATH, "a")
        async with connected(server) as requests:
            reflector = Reflector(NODES, requests, lambda _: told.append("change"), lambda _: told.append("return"))
            task = asyncio.create_task(reflector.run())
            try:
                await until(lambda: server.watching() == 1)
                await test(Watched(server, reflector, told))
                assert not task.done()
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    asyncio.run(main())


def test_nodes_are_asked_for_without_spec_and_status() -> None:
    async def test(seen: Watched) -> None:
        assert seen.server.accepts == [
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        ]

    watched(test)


def test_events_change_the_copy() -> None:
    async def test(seen: Watched) -> None:
        await seen.add("b", zone="x")
        await seen.names("a", "b")
        assert seen.reflector.items["b"] == Node(name="b", uid="uid-b", labels={"zone": "x"})
        await seen.add("b", zone="y")
        await until(lambda: seen.reflector.items["b"].labels == {"zone": "y"})
        await seen.server.remove(NODES_PATH, "a")
        await seen.names("b")

    watched(test)


def test_what_does_not_change_a_value_tells_nobody() -> None:
    """A node's heartbeat changes its resource version and nothing else."""

    async def test(seen: Watched) -> None:
        told = len(seen.told)
        await seen.add("a")
        await seen.add("b")
        await seen.names("a", "b")
        assert len(seen.told) == told + 1

    watched(test)


def test_a_long_list_is_read_in_pages_and_appears_at_once() -> None:
    async def main() -> None:
        server, sizes = FakeApiServer(), list[int]()
        server.page = 7
        for number in range(30):
            await server.put(NODES_PATH, f"n{number}")
        async with connected(server) as requests:
            reflector = Reflector(NODES, requests, lambda _: sizes.append(len(reflector.items)))
            task = asyncio.create_task(reflector.run())
            await asyncio.wait_for(reflector.synced.wait(), 5)
            task.cancel()
        assert sizes == [30]
        assert server.requests.count(f"GET {NODES_PATH}") == 5

    asyncio.run(main())


def test_a_watch_that_was_cut_goes_on_where_it_stopped() -> None:
    async def test(seen: Watched) -> None:
        await seen.server.cut()
        await seen.add("b")
        await seen.server.remove(NODES_PATH, "a")
        await seen.names("b")
        assert (seen.count("GET"), seen.count("WATCH")) == (1, 2), "nothing was listed again"
        assert "return" in seen.told

    watched(test)


def test_a_resource_version_that_is_too_old_means_listing_again() -> None:
    async def test(seen: Watched) -> None:
        await seen.server.cut()
        await seen.server.remove(NODES_PATH, "a")
        await seen.add("b")
        seen.server.forget()
        await seen.names("b")

    watched(test)


def test_gone_in_the_middle_of_a_watch_means_listing_again() -> None:
    async def test(seen: Watched) -> None:
        await seen.server.send(json.dumps(GONE).encode() + b"\n")
        await until(lambda: seen.count("GET") == 2)
        await seen.add("b")
        await seen.names("a", "b")

    watched(test)


def test_a_server_that_calls_everything_gone_is_not_asked_without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(seen: Watched) -> None:
        monkeypatch.setattr(reflector_module, "_LEAST_DELAY_S", 0.5)
        monkeypatch.setattr(reflector_module, "_MOST_DELAY_S", 0.5)
        seen.server.refuse = [410] * 10_000
        before = len(seen.server.requests)
        await seen.server.cut()
        await asyncio.sleep(1.5)
        assert len(seen.server.requests) - before < 10

    watched(test)


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[]\n",
        b"{}\n",
        b'{"type": "MODIFIED", "object": {}}\n',
        b'{"type": "MODIFIED", "object": null}\n',
        b'{"type": "ADDED", "object": {"metadata": {"resourceVersion": "7"}}}\n',
        b'{"type": "MODIFIED", "object": {"metadata": {"name": "a"',
        b"x" * (2**23),
    ],
    ids=lambda line: line[:40].decode(),
)
def test_garbage_in_a_watch_means_listing_again(line: bytes) -> None:
    async def test(seen: Watched) -> None:
        await seen.server.send(line)
        await seen.server.cut()
        await seen.add("b")
        await seen.names("a", "b")

    watched(test)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_refusal_is_tried_again(status: int) -> None:
    async def test(seen: Watched) -> None:
        seen.server.refuse = [status] * 2
        await seen.server.cut()
        await seen.add("b")
        await seen.names("a", "b")

    watched(test)


def test_the_copy_is_not_called_current_while_the_api_server_is_away() -> None:
    async def test(seen: Watched) -> None:
        assert seen.reflector.current
        seen.server.refuse = [503] * 1000
        await seen.server.cut()
        await until(lambda: not seen.reflector.current)
        seen.server.refuse.clear()
        await until(lambda: seen.reflector.current)

    watched(test)


def test_the_copy_is_not_called_current_while_a_list_replaces_one_that_is_too_old() -> None:
    """It may be as old as the resource version."""

    async def test(seen: Watched) -> None:
        told, seen.server.delay_s = len(seen.told), 0.2
        await seen.server.send(json.dumps(GONE).encode() + b"\n")
        await until(lambda: seen.count("GET") == 2)
        assert not seen.reflector.current
        await until(lambda: seen.reflector.current)
        assert seen.told[told:] == ["return"], "or nobody would look although nothing changed"

    watched(test)


def test_a_list_without_a_version_is_asked_for_again() -> None:
    class Garbled(Requests):
        def __init__(self) -> None:
            self.asked = 0

        async def get(self, *_: object, **__: object) -> object:
            self.asked += 1
            return {"items": []}

    async def test() -> None:
        requests = Garbled()
        task = asyncio.create_task(Reflector(NODES, requests, lambda _: None).run())
        await until(lambda: requests.asked > 1)
        assert not task.done()
        task.cancel()

    asyncio.run(test())


def test_many_refusals_in_a_row_mean_listing_again() -> None:
    async def test(seen: Watched) -> None:
        seen.server.refuse = [400] * 5
        await seen.server.cut()
        await until(lambda: seen.count("GET") >= 2 and not seen.server.refuse)
        await seen.add("b")
        await seen.names("a", "b")

    watched(test)


def test_a_bookmark_moves_the_point_to_go_on_from() -> None:
    async def test(seen: Watched) -> None:
        seen.server.forget()
        await seen.server.bookmark()
        await asyncio.sleep(0.05)
        await seen.server.cut()
        await seen.add("b")
        await seen.names("a", "b")
        assert seen.count("GET") == 1

    watched(test)


def test_a_watch_that_falls_silent_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    monkeypatch.setattr(requests_module, "_WATCH", aiohttp.ClientTimeout(total=None, sock_read=0.1))

    async def test(seen: Watched) -> None:
        await until(lambda: seen.count("WATCH") >= 3)
        assert seen.count("GET") == 1

    watched(test)


def test_the_answer_to_a_write_is_part_of_the_copy_unless_something_newer_is() -> None:
    async def test(seen: Watched) -> None:
        old, before = seen.reflector.items["a"], seen.reflector.before("a")
        mine = Node(name="a", uid="uid-a", labels={"mine": "yes"})
        seen.reflector.put("a", before, mine)
        assert seen.reflector.items["a"] is mine
        seen.reflector.put("a", before, old)
        assert seen.reflector.items["a"] is mine

    watched(test)


def test_an_answer_that_says_the_same_is_no_change() -> None:
    async def test(seen: Watched) -> None:
        changes, told = seen.reflector.changes, list(seen.told)
        seen.reflector.put("a", seen.reflector.before("a"), replace(seen.reflector.items["a"]))
        assert (seen.reflector.changes, seen.told) == (changes, told)
        seen.reflector.put("a", seen.reflector.before("a"), Node(name="a", uid="uid-a", labels={"mine": "yes"}))
        assert seen.reflector.changes == changes + 1

    watched(test)


def test_nobody_hurries_for_an_answer_that_can_wait() -> None:
    hurried = list[bool]()
    source = replace(NODES, can_wait=lambda before, after: before.uid == after.uid)
    reflector = Reflector(source, Requests(Connection(Configuration())), hurried.append)
    for uid, label in (("1", "a"), ("1", "b"), ("2", "b")):
        reflector.put("a", reflector.before("a"), Node(name="a", uid=uid, labels={"is": label}))
    assert hurried == [True, False, True]


def test_what_was_made_while_others_came_is_part_of_the_copy_at_once() -> None:
    async def test(seen: Watched) -> None:
        before = seen.reflector.before("b")
        await seen.add("c")
        await seen.names("a", "c")
        seen.reflector.put("b", before, Node(name="b", uid="uid-b", labels={}))
        assert "b" in seen.reflector.items

    watched(test)


@pytest.mark.parametrize("listed", [False, True], ids=["told by the watch", "told by a new list"])
def test_what_was_made_and_deleted_before_the_answer_came_stays_deleted(listed: bool) -> None:
    async def test(seen: Watched) -> None:
        before = seen.reflector.before("b")
        if listed:
            seen.reflector.refresh()
            await until(seen.reflector.synced.is_set)
        else:
            await seen.add("b")
            await seen.names("a", "b")
            await seen.server.remove(NODES_PATH, "b")
            await seen.names("a")
        seen.reflector.put("b", before, Node(name="b", uid="uid-b", labels={}))
        await seen.names("a")

    watched(test)


def test_a_refresh_reads_a_new_list_and_is_not_complete_before() -> None:
    async def test(seen: Watched) -> None:
        seen.reflector.refresh()
        assert not seen.reflector.synced.is_set()
        await until(seen.reflector.synced.is_set)
        assert seen.count("GET") == 2
        await seen.add("b")
        await seen.names("a", "b")

    watched(test)


def test_a_refresh_in_the_middle_of_a_list_begins_it_anew() -> None:
    async def main() -> None:
        server = FakeApiServer()
        await server.put(NODES_PATH, "a")
        async with connected(server) as requests:
            reflector = Reflector(NODES, requests, lambda _: None)
            task = asyncio.create_task(reflector.run())
            await until(lambda: server.requests.count(f"GET {NODES_PATH}") == 1)
            reflector.refresh()
            await until(reflector.synced.is_set)
            assert server.requests.count(f"GET {NODES_PATH}") == 2
            task.cancel()

    asyncio.run(main())
