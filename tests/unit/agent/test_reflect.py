"""A list and a watch that go on whatever breaks, over real HTTP and with the real client."""

import io
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from kubernetes.client import Configuration

from terrace_agent.reflect import Reflector
from terrace_agent.steplog import StepLog
from terrace_agent.transport import Server
from unit.agent.fake_api import BREAK, END, FakeApi, serving

PATH = "/things"


class Kept:
    """A sink that keeps the generations that it was given."""

    def __init__(self) -> None:
        self.lists = 0
        self.generations: list[int] = []

    def replace(self, manifests: Iterable[Any]) -> None:
        self.lists += 1
        self.generations += [manifest["metadata"]["generation"] for manifest in manifests]

    def put(self, manifest: Any) -> None:
        self.generations.append(manifest["metadata"]["generation"])

    def remove(self, manifest: Any) -> None:
        pass

    def heard(self) -> None:
        pass


class Side:
    """A reflector, the server that it asks, and the longest pause that it was ready to make after each watch."""

    def __init__(self, url: str, api: FakeApi) -> None:
        self.api = api
        self.kept = Kept()
        self.pauses: list[float] = []
        server = Server(Configuration(host=url))
        log = StepLog(io.StringIO())
        self.reflector = Reflector(server, PATH, field_selector="a=b", sink=self.kept, log=log, from_cache=True)

    def draw(self, least: float, most: float) -> float:
        self.pauses.append(most)
        return least

    def watches(self) -> list[dict[str, str]]:
        return [query for _, path, query in self.api.requests if path == PATH and "watch" in query]

    def lists(self) -> list[dict[str, str]]:
        return [query for _, path, query in self.api.requests if path == PATH and "watch" not in query]


@pytest.fixture
def side(monkeypatch: pytest.MonkeyPatch) -> Iterator[Side]:
    """Chance is kind: every pause is as short as it can be."""
    api = FakeApi()
    with serving(api) as url:
        side = Side(url, api)
        monkeypatch.setattr(random, "uniform", side.draw)
        side.reflector.start()
        yield side
        side.reflector.close()


def wait(condition: Callable[[], bool], *, limit_s: float = 10) -> None:
    limit = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def modified(version: str, generation: int) -> dict[str, Any]:
    return {"type": "MODIFIED", "object": {"metadata": {"resourceVersion": version, "generation": generation}}}


GONE = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}


def test_a_server_that_ends_a_watch_at_once_is_given_a_pause_before_the_next(side: Side) -> None:
    for _ in range(3):
        side.api.events.put(END)
    wait(lambda: len(side.watches()) == 4)
    assert len(side.pauses) == 3
    assert min(side.pauses) >= 1


def test_a_watch_that_breaks_goes_on_after_the_last_event_and_lists_nothing_older(side: Side) -> None:
    side.api.events.put(modified("11", 2))
    side.api.events.put(modified("12", 3))
    side.api.events.put(BREAK)
    wait(lambda: len(side.watches()) == 2)
    assert [query["resourceVersion"] for query in side.watches()] == ["10", "12"]
    assert (side.kept.lists, side.kept.generations) == (1, [2, 3])


def test_a_watch_that_breaks_after_an_event_was_healthy_and_is_followed_soon(side: Side) -> None:
    for count in range(5):
        side.api.events.put(modified(f"1{count}", count))
        side.api.events.put(BREAK)
    wait(lambda: len(side.watches()) == 6)
    assert side.pauses == [1.0] * 5


def test_the_pause_grows_while_nothing_is_heard_but_not_for_ever(side: Side) -> None:
    side.api.refuse = 503
    side.api.events.put(BREAK)
    wait(lambda: len(side.pauses) >= 8)
    assert side.pauses[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@pytest.mark.parametrize("status", [400, 403, 410])
def test_a_watch_that_is_refused_is_listed_anew(side: Side, status: int) -> None:
    wait(lambda: len(side.watches()) == 1)
    side.api.refuse_watches = status
    side.api.events.put(END)
    wait(lambda: side.kept.lists >= 2)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_for_the_same_version_before_it_has_to_list(side: Side, status: int) -> None:
    wait(lambda: len(side.watches()) == 1)
    side.api.refuse_watches = status
    side.api.events.put(END)
    wait(lambda: side.kept.lists >= 2)
    refused = side.watches()[1:4]
    assert [query["resourceVersion"] for query in refused] == ["10"] * 3
    asked = [query for _, path, query in side.api.requests if path == PATH]
    assert asked.index(side.lists()[1]) > asked.index(refused[2])


def test_only_the_first_list_may_be_a_moment_old(side: Side) -> None:
    side.api.events.put(modified("500", 2))
    side.api.events.put(GONE)
    wait(lambda: side.kept.lists == 2)
    assert [query.get("resourceVersion") for query in side.lists()] == ["0", None]


def test_an_api_server_that_is_away_for_hours_is_asked_for_ever(side: Side) -> None:
    side.api.refuse = 503
    side.api.events.put(BREAK)
    wait(lambda: len(side.pauses) >= 1100, limit_s=60)
    assert max(side.pauses) == 30.0
