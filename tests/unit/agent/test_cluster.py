"""The agent's side of the API server, over real HTTP and with the real client."""

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client import Configuration

from terrace_agent import cluster as cluster_module
from terrace_agent.cluster import Cluster
from terrace_agent.errors import ApiUnavailable
from terrace_agent.heartbeat import SHORTEST_S, period_s
from terrace_agent.inbox import Inbox
from terrace_agent.report import PodName
from terrace_agent.steplog import StepLog
from terrace_agent.transport import Server
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
        server = Server(Configuration(host=url))
        self.cluster = Cluster(server, node="n1", inbox=self.inbox, log=StepLog(self.log))

    def generation(self) -> int | None:
        received = self.inbox.latest()
        return received["metadata"]["generation"] if received else None


@pytest.fixture
def side(monkeypatch: pytest.MonkeyPatch) -> Iterator[Side]:
    monkeypatch.setattr(cluster_module, "_REWATCH_S", 0.01)
    api = FakeApi()
    with serving(api) as url:
        side = Side(url, api)
        yield side
        side.inbox.close()


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
    whole = [query for _, _, query in side.api.requests if "limit" not in query]
    assert all(query["fieldSelector"] == "metadata.name=n1" for query in whole)


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
    wait(lambda: bool(side.api.requests))
    side.api.items = [at("9", 1)]
    side.api.refuse = 0
    wait(lambda: side.generation() == 1)
    assert "refused by the test" in side.log.getvalue()


def test_a_status_is_applied_with_its_own_field_manager_and_strictly(side: Side) -> None:
    side.cluster.publish(status(observed()))
    assert side.api.asked(f"{OBJECTS}/n1/status", fieldManager="terrace-agent", force="true", fieldValidation="Strict")
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
    assert gone.cluster.pod_names(frozenset({"u1"})) == {}


def pod(uid: str, name: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "name": name, "namespace": "shop", "annotations": annotations or {}}}


def test_pods_are_listed_only_when_their_set_changed(side: Side) -> None:
    side.api.pods = [pod("u1", "web-0")]
    assert side.cluster.pod_names(frozenset({"u1"})) == {"u1": PodName(namespace="shop", name="web-0")}
    side.cluster.pod_names(frozenset({"u1"}))
    assert len(side.api.requests) == 1
    assert side.api.asked("/api/v1/pods", fieldSelector="spec.nodeName=n1")
    side.cluster.pod_names(frozenset({"u1", "u2"}))
    assert len(side.api.requests) == 2


def test_a_static_pod_is_named_by_its_hash(side: Side) -> None:
    side.api.pods = [pod("u9", "etcd-n1", {"kubernetes.io/config.hash": "0123456789abcdef0123456789abcdef"})]
    assert list(side.cluster.pod_names(frozenset({"x"}))) == ["0123456789abcdef0123456789abcdef"]


def test_pods_without_annotations_are_named_too(side: Side) -> None:
    side.api.pods = [{"metadata": {"uid": "u1", "name": "a", "namespace": "b"}}]
    assert side.cluster.pod_names(frozenset({"u1"})) == {"u1": PodName(namespace="b", name="a")}


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
