"""The agent's side of the API server, over real HTTP and with the real client."""

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client import Configuration

from terrace_agent import reflect
from terrace_agent.cluster import Cluster
from terrace_agent.errors import ApiUnavailable
from terrace_agent.heartbeat import SHORTEST_S, period_s
from terrace_agent.inbox import Inbox
from terrace_agent.steplog import StepLog
from terrace_agent.transport import Server
from terrace_agent.workloads.roster import Roster
from unit.agent.fake_api import END, FakeApi, serving
from unit.agent.orders import manage
from unit.agent.test_report import observed, status

OBJECTS = "/apis/terrace.dev/v1alpha1/nodetierings"


class Side:
    """The agent's side and the server's."""

    def __init__(self, url: str, api: FakeApi) -> None:
        self.api = api
        self.inbox = Inbox()
        self.log = io.StringIO()
        log = StepLog(self.log)
        self.roster = Roster(None, log)
        self.cluster = Cluster(Server(Configuration(host=url)), node="n1", inbox=self.inbox, pods=self.roster, log=log)

    def generation(self) -> int | None:
        received = self.inbox.latest()
        return received["metadata"]["generation"] if received else None


@pytest.fixture
def side(monkeypatch: pytest.MonkeyPatch) -> Iterator[Side]:
    monkeypatch.setattr(reflect, "_REWATCH_S", 0.01)
    api = FakeApi()
    with serving(api) as url:
        side = Side(url, api)
        yield side
        side.cluster.close()


def wait(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def at(version: str, generation: int) -> dict[str, Any]:
    manifest = manage(generation=generation)
    manifest["metadata"] |= {"resourceVersion": version, "managedFields": [{"manager": "terrace-operator"}]}
    return manifest


def test_only_this_nodes_object_is_listed_and_watched(side: Side) -> None:
    side.api.items = [at("9", 1)]
    side.cluster.start()
    wait(lambda: side.generation() == 1)
    wait(lambda: side.api.asked(OBJECTS, watch="true"))
    assert side.api.asked(OBJECTS, watch="true", fieldSelector="metadata.name=n1", allowWatchBookmarks="true")
    own = [query for _, path, query in side.api.requests if path == OBJECTS and "limit" not in query]
    assert all(query["fieldSelector"] == "metadata.name=n1" for query in own)


def test_an_edit_arrives_without_managed_fields(side: Side) -> None:
    side.cluster.start()
    side.api.events.put({"type": "MODIFIED", "object": at("11", 2)})
    wait(lambda: side.generation() == 2)
    received = side.inbox.latest()
    assert received
    assert "managedFields" not in received["metadata"]


def test_a_deleted_object_changes_nothing(side: Side) -> None:
    side.cluster.start()
    side.api.events.put({"type": "ADDED", "object": at("11", 2)})
    side.api.events.put({"type": "DELETED", "object": at("12", 2)})
    side.api.events.put(END)
    wait(lambda: side.api.asked(OBJECTS, watch="true", resourceVersion="12"))
    assert side.generation() == 2


def test_a_watch_that_ends_goes_on_from_the_last_bookmark(side: Side) -> None:
    side.cluster.start()
    side.api.events.put({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "77"}}})
    side.api.events.put(END)
    wait(lambda: side.api.asked(OBJECTS, watch="true", resourceVersion="77"))


def test_an_expired_version_is_listed_anew(side: Side) -> None:
    side.cluster.start()
    wait(lambda: side.api.asked(OBJECTS, watch="true", resourceVersion="10"))
    side.api.items = [at("12", 3)]
    side.api.events.put({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
    wait(lambda: side.generation() == 3)


def test_a_server_that_refuses_is_asked_again(side: Side) -> None:
    side.api.refuse = 503
    side.cluster.start()
    wait(lambda: "refused by the test" in side.log.getvalue())
    side.api.items = [at("9", 1)]
    side.api.refuse = 0
    wait(lambda: side.generation() == 1)


def test_a_status_is_applied_with_its_own_field_manager_and_strictly(side: Side) -> None:
    side.cluster.publish(status(observed()))
    assert side.api.asked(f"{OBJECTS}/n1/status", fieldManager="terrace-agent", force="true", fieldValidation="Ignore")
    content_type, body = side.api.bodies[0]
    assert content_type == "application/apply-patch+yaml"
    assert body["metadata"] == {"name": "n1"}
    assert body["status"]["engine"] == "damon"
    assert "spec" not in body


def test_a_refused_status_says_why(side: Side) -> None:
    side.api.refuse = 403
    with pytest.raises(ApiUnavailable) as caught:
        side.cluster.publish(status(observed()))
    assert caught.value.status == 403
    assert "refused by the test" in str(caught.value)


def test_a_server_that_is_away_is_no_crash(side: Side) -> None:
    gone = Side("http://127.0.0.1:9", side.api)
    with pytest.raises(ApiUnavailable):
        gone.cluster.publish(status(observed()))


PODS = "/api/v1/pods"


def pod(uid: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "name": name, "namespace": "shop", "resourceVersion": "20"} | metadata}


def names(side: Side) -> set[str]:
    return {pod.name for pod in side.roster.known().pods.values()}


def test_only_this_nodes_pods_are_listed_and_watched(side: Side) -> None:
    side.api.pods = [pod("u1", "web-0")]
    side.cluster.start()
    wait(lambda: names(side) == {"web-0"})
    wait(lambda: side.api.asked(PODS, watch="true"))
    asked = [query for _, path, query in side.api.requests if path == PODS]
    assert all(query["fieldSelector"] == "spec.nodeName=n1" for query in asked)


def test_pods_that_come_and_go_are_known_at_once(side: Side) -> None:
    side.api.pods = [pod("u1", "web-0")]
    side.cluster.start()
    side.api.pod_events.put({"type": "ADDED", "object": pod("u2", "web-1")})
    wait(lambda: names(side) == {"web-0", "web-1"})
    side.api.pod_events.put({"type": "DELETED", "object": pod("u1", "web-0")})
    wait(lambda: names(side) == {"web-1"})


def test_pods_that_were_gone_before_a_new_list_are_forgotten(side: Side) -> None:
    side.api.pods = [pod("u1", "web-0")]
    side.cluster.start()
    wait(lambda: names(side) == {"web-0"})
    side.api.pods = [pod("u2", "web-1")]
    side.api.pod_events.put({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
    wait(lambda: names(side) == {"web-1"})


def test_the_heartbeat_slows_down_with_the_size_of_the_fleet(side: Side) -> None:
    assert side.cluster.heartbeat_period_s() == SHORTEST_S
    side.api.others = 4999
    side.cluster.start()
    wait(lambda: side.cluster.heartbeat_period_s() == period_s(5000))
    side.api.others = 9999
    side.api.events.put(END)
    wait(lambda: side.cluster.heartbeat_period_s() == period_s(10_000))


def test_a_fleet_that_cannot_be_counted_keeps_no_object_from_arriving(side: Side) -> None:
    side.api.items, side.api.others = [at("9", 1)], None
    side.cluster.start()
    wait(lambda: side.generation() == 1)
    side.api.events.put({"type": "MODIFIED", "object": at("11", 2)})
    wait(lambda: side.generation() == 2)
    assert side.cluster.heartbeat_period_s() == SHORTEST_S


def test_a_fleet_without_any_object_yet_keeps_none_from_arriving_later(side: Side) -> None:
    side.api.empty = True
    side.cluster.start()
    side.api.events.put({"type": "ADDED", "object": at("11", 2)})
    wait(lambda: side.generation() == 2)
