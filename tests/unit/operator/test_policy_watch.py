"""What a look at the policies says, whatever kopf says of them."""

import asyncio
from collections.abc import Awaitable, Callable

from cases.fake_api_server import FakeApiServer
from cases.policies import policy
from terrace_operator.cluster.access import Cluster
from terrace_operator.cluster.connection import Credentials
from terrace_operator.cluster.objects import POLICIES_PATH
from terrace_operator.cluster.requests import Requests
from terrace_operator.fleet import Editions
from terrace_operator.policy_watch import PolicyWatch
from terrace_operator.wake import Wake


class Watched:
    """An API server, somebody who looks at its policies, and how often they said that something changed.

    Whoever they say it to lists the policies, as the loop does.
    """

    def __init__(self, server: FakeApiServer, requests: Requests) -> None:
        self.server = server
        self.times = 0
        self._known: Editions | None = None
        self._cluster = Cluster(requests, Wake(), left_s=lambda: 0.0, on_return=lambda: None)
        self._watch = PolicyWatch(self._cluster, lambda: self._known, self._changed, self._no_credentials)

    async def news(self) -> int:
        """Looks once; returns how often it was said that something changed."""
        self.times = 0
        await self._watch.look_once()
        if self.times:
            await self.list()
        return self.times

    async def list(self) -> None:
        """Lists the policies, as after an event."""
        self._known = (await self._cluster.list_policies()).editions

    async def put(self, name: str, generation: int = 1) -> None:
        """Stores a policy."""
        manifest = policy(name, allNodes=True)
        manifest["metadata"] = {"generation": generation}
        await self.server.put(POLICIES_PATH, name, **manifest)

    def _changed(self) -> None:
        self.times += 1

    @staticmethod
    async def _no_credentials() -> Credentials:
        raise AssertionError


def watched(test: Callable[[Watched], Awaitable[None]]) -> None:
    async def main() -> None:
        server = FakeApiServer()
        async with server.connected() as connection:
            await test(Watched(server, Requests(connection)))

    asyncio.run(main())


def test_the_first_look_is_news_and_the_next_one_is_not() -> None:
    async def test(found: Watched) -> None:
        assert [await found.news(), await found.news()] == [1, 0]

    watched(test)


def test_a_policy_that_is_made_edited_or_deleted_is_news() -> None:
    async def test(found: Watched) -> None:
        await found.news()
        await found.put("batch")
        assert [await found.news(), await found.news()] == [1, 0]
        await found.put("batch", generation=2)
        assert [await found.news(), await found.news()] == [1, 0]
        await found.server.remove(POLICIES_PATH, "batch")
        assert [await found.news(), await found.news()] == [1, 0]

    watched(test)


def test_a_policy_that_came_and_went_between_two_looks_is_news() -> None:
    async def test(found: Watched) -> None:
        await found.news()
        await found.put("batch")
        await found.list()  # kopf said so
        await found.server.remove(POLICIES_PATH, "batch")  # and was without a watch
        assert await found.news() == 1

    watched(test)


def test_a_policy_that_waits_for_a_finalizer_is_news_once() -> None:
    async def test(found: Watched) -> None:
        await found.put("batch")
        await found.news()
        metadata = {"generation": 2, "deletionTimestamp": "2026-01-01T00:00:00Z"}
        await found.server.put(POLICIES_PATH, "batch", metadata=metadata)
        assert [await found.news(), await found.news()] == [1, 0]

    watched(test)


def test_a_status_that_was_written_is_no_news() -> None:
    async def test(found: Watched) -> None:
        await found.put("batch")
        await found.news()
        await found.server.put(POLICIES_PATH, "batch", status={"phase": "Ready"})
        assert await found.news() == 0

    watched(test)


def test_what_changed_while_nobody_could_look_is_news_afterwards() -> None:
    async def test(found: Watched) -> None:
        await found.put("batch")
        await found.news()
        found.server.refuse = [500]
        await found.server.remove(POLICIES_PATH, "batch")
        assert [await found.news(), await found.news()] == [0, 1]

    watched(test)


def test_a_list_that_cannot_be_read_is_no_news() -> None:
    async def test(found: Watched) -> None:
        await found.news()
        found.server.kind(POLICIES_PATH).objects["batch"] = {"metadata": {}}
        assert await found.news() == 0

    watched(test)
