"""What goes to the API server and what is made of its answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from cases.fake_api_server import FakeApiServer
from cases.fleets import a_condition, a_node, a_policy, statuses
from cases.policies import GOOD
from cases.policies import policy as policy_manifest
from terrace_api.codec import encode_condition
from terrace_api.conditions import ConditionStatus
from terrace_api.node_tiering import EngineName, PolicyRef
from terrace_operator.cluster.access import Cluster
from terrace_operator.cluster.connection import Connection, connect
from terrace_operator.cluster.lease import LeaseName, LeaseObject
from terrace_operator.cluster.objects import (
    POLICIES_PATH,
    TIERINGS_PATH,
    can_wait,
    read_tiering,
    tiering_manifest,
)
from terrace_operator.cluster.requests import Requests
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.election import Lease
from terrace_operator.errors import (
    ApiConflict,
    ApiForbidden,
    ApiGarbled,
    ApiRefused,
    ApiUnreachable,
    NotConfigured,
    NotLeading,
)
from terrace_operator.fleet import Agent, Tiering
from terrace_operator.liveness import MISSED, PERIOD_S, AliveWrite
from terrace_operator.node_writes import NodeWrite
from terrace_operator.policies import read_policies
from terrace_operator.statuses import StatusWrite
from terrace_operator.wake import Wake

LEASE = LeaseName("terrace-system", "terrace-operator")
SPEC = compile_spec(a_policy("batch", mode="Enforce"))
READY_JSON = {
    "type": "Ready",
    "status": "True",
    "reason": "Converged",
    "message": "hot memory is fast",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 4,
}
METADATA = {"name": "a", "uid": "nt-a", "generation": 4, "resourceVersion": "9"}
STATUS = {
    "observedGeneration": 4,
    "kernel": "7.2.0",
    "engine": "damon",
    "activeRevision": "r",
    "fastUsed": "99%",
    "promotedBytes": 5,
    "promoted": "5",
    "demotedBytes": 6,
    "demoted": "6",
    "numaNodes": [],
    "engines": [],
    "kdamonds": [],
    "plan": [],
    "pods": [{"what": "a later version wrote here"}],
    "unknownFields": [],
    "conditions": [],
}


def with_server(test: Callable[[FakeApiServer, Requests], Awaitable[None]]) -> None:
    async def main() -> None:
        server = FakeApiServer()
        async with server.connected() as connection:
            await test(server, Requests(connection))

    asyncio.run(main())


def cluster(requests: Requests, left_s: float = 10.0) -> Cluster:
    return Cluster(requests, Wake(), left_s=lambda: left_s, on_return=lambda: None)


def write(uid: str | None = None) -> NodeWrite:
    return NodeWrite(name="a", node_uid="uid-a", uid=uid, spec=SPEC, reason="the test wants it")


def test_a_node_tiering_is_made_with_its_owner_and_sparse_settings() -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        found = cluster(requests)
        await found.write_tiering(write())
        stored = server.kind(TIERINGS_PATH).objects["a"]
        assert stored["metadata"]["ownerReferences"] == [
            {"apiVersion": "v1", "kind": "Node", "name": "a", "uid": "uid-a"}
        ]
        assert stored["spec"]["settings"] == {"mode": "Enforce"}
        assert found.tierings["a"].spec == SPEC, "the answer is known before the watch tells it"

    with_server(test)


def test_an_answer_that_comes_before_the_watch_tells_wakes_whoever_decides() -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        wake = Wake()
        found = Cluster(requests, wake, left_s=lambda: 10.0, on_return=lambda: None)
        await found.write_tiering(write())  # with no watch that could tell the same once more
        await asyncio.wait_for(wake.wait(), 5)

    with_server(test)


def test_a_write_that_was_meant_for_another_object_is_a_conflict() -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        with pytest.raises(ApiConflict):
            await cluster(requests).write_tiering(write(uid="an-earlier-one"))
        assert server.kind(TIERINGS_PATH).objects == {}

    with_server(test)


def test_without_leading_nothing_is_written() -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        found = cluster(requests, left_s=0.0)
        with pytest.raises(NotLeading):
            await found.write_tiering(write())
        assert (found.leading, server.requests) == (False, [])

    with_server(test)


def test_a_write_is_cut_when_the_term_ends() -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        server.delay_s = 30.0
        with pytest.raises(ApiUnreachable, match="Timeout"):
            await asyncio.wait_for(cluster(requests, left_s=0.1).write_tiering(write()), 5)

    with_server(test)


@pytest.mark.parametrize(
    "answer", [{}, {"metadata": {}}, {"metadata": {"resourceVersion": "1"}, "spec": ["x"]}], ids=str
)
def test_a_lease_that_cannot_be_read_is_garbled(answer: Any) -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        async def garbled(path: str) -> Any:
            return answer

        requests.get = garbled  # type: ignore[method-assign, assignment]
        with pytest.raises(ApiGarbled):
            await LeaseObject(requests=requests, name=LEASE).read()

    with_server(test)


def test_a_lease_is_made_renewed_and_never_overwritten_blindly() -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        lease = LeaseObject(requests=requests, name=LEASE)
        assert await lease.read() == Lease()
        first = await lease.write(Lease(holder="a", duration_s=15, transitions=1, acquired="now", renewed="now"))
        assert await lease.read() == first
        await lease.write(replace(first, renewed="later"))
        with pytest.raises(ApiConflict):
            await lease.write(replace(first, holder="b"))
        with pytest.raises(ApiConflict):
            await lease.write(Lease(holder="b", duration_s=15))

    with_server(test)


def test_a_spec_that_is_not_stored_as_written_is_an_error() -> None:
    """Another version's CRD may drop fields; without this the operator would write for ever."""

    async def test(server: FakeApiServer, requests: Requests) -> None:
        async def dropping(path: str, manifest: Any, *, within_s: float) -> Any:
            return {"metadata": {**METADATA}, "spec": {"action": "Restore"}}

        requests.apply = dropping  # type: ignore[method-assign]
        with pytest.raises(ApiGarbled, match="not stored as it was written"):
            await cluster(requests).write_tiering(write())

    with_server(test)


def test_a_status_is_written_to_the_policy_that_was_read() -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        await server.put(POLICIES_PATH, "batch", **policy_manifest("batch", allNodes=True) | {"metadata": {}})
        found = cluster(requests)
        after = statuses(await found.list_policies(), [a_node("a")])["batch"]
        status = StatusWrite(name="batch", uid="uid-batch", before=None, after=after)
        await found.write_status(status)
        again = await found.list_policies()
        assert again.statuses == {"uid-batch": status.after}

    with_server(test)


@pytest.mark.parametrize(("status", "error"), [(403, ApiForbidden), (409, ApiConflict), (500, ApiRefused)])
def test_a_refusal_says_what_the_api_server_said(status: int, error: type[ApiRefused]) -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        server.refuse = [status]
        with pytest.raises(error, match=f"{status} Refused: as the test wants it"):
            await requests.get(POLICIES_PATH)

    with_server(test)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("86400", 60.0)]
)
def test_an_api_server_that_has_enough_says_for_how_long(header: str, seconds: float) -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        server.refuse, server.retry_after = [429], header
        with pytest.raises(ApiRefused) as refused:
            await requests.get(POLICIES_PATH)
        assert refused.value.retry_after_s == seconds

    with_server(test)


def test_an_api_server_that_is_not_there_is_unreachable() -> None:
    async def main() -> None:
        connection = Connection(Configuration(host="http://127.0.0.1:9"))
        try:
            with pytest.raises(ApiUnreachable, match=f"GET {POLICIES_PATH}"):
                await Requests(connection).get(POLICIES_PATH)
        finally:
            await connection.close()

    asyncio.run(main())


def test_without_any_configuration_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/kubeconfig")
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "/nowhere/kubeconfig")
    with pytest.raises(NotConfigured):
        asyncio.run(connect())


@pytest.mark.parametrize(
    ("server", "proxy"),
    [("https://api.example.org:6443", "http://proxy:3128"), ("https://10.1.2.3:6443", None), ("http://other", None)],
)
def test_the_environments_proxy_is_used_where_it_applies(
    server: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        connection = Connection(Configuration(host=server))
        assert (await connection.credentials()).proxy_url == proxy
        await connection.close()

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "10.1.2.3")
    asyncio.run(main())


def test_a_list_of_policies_without_items_is_garbled() -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        async def empty(path: str) -> Any:
            return {"kind": "Status"}

        requests.get = empty  # type: ignore[method-assign, assignment]
        with pytest.raises(ApiGarbled):
            await cluster(requests).list_policies()

    with_server(test)


def test_a_node_tiering_keeps_only_what_a_policy_needs() -> None:
    tiering = read_tiering({"metadata": METADATA, "spec": {"action": "Restore"}, "status": STATUS})
    assert tiering.spec == RESTORE
    assert tiering.report is not None
    assert (tiering.report.promoted_bytes, tiering.report.active_revision) == (5, "r")


def test_a_node_tiering_says_how_many_tiers_its_node_has() -> None:
    def tiers(*names: str) -> int:
        status = STATUS | {"numaNodes": [{"nid": nid, "tier": name} for nid, name in enumerate(names)]}
        report = read_tiering({"metadata": METADATA, "spec": {"action": "Restore"}, "status": status}).report
        assert report is not None
        return report.tiers

    assert [tiers(), tiers("fast", "fast"), tiers("fast", "slow", "slow", "")] == [0, 1, 2]


def test_whose_spec_it_is_can_be_read_when_nothing_else_of_it_can() -> None:
    newer = {"action": "Manage", "policy": {"name": "p", "uid": "u"}, "settings": {"engine": "Newer"}}
    tiering = read_tiering({"metadata": METADATA, "spec": newer})
    assert (tiering.spec, tiering.unread) == (None, PolicyRef(name="p", uid="u"))
    assert read_tiering({"metadata": METADATA, "spec": newer | {"policy": {"name": "p"}}}).unread is None


def test_a_write_of_somebody_else_that_no_policy_needs_makes_no_other_value() -> None:
    manifest: Any = {"metadata": METADATA, "spec": {"action": "Restore"}, "status": STATUS}
    other = {**manifest, "metadata": METADATA | {"resourceVersion": "99"}, "status": STATUS | {"fastUsed": "40%"}}
    assert read_tiering(other) == read_tiering(manifest)


def test_counts_and_heartbeats_can_wait_and_nothing_else() -> None:
    def tiering(**changes: Any) -> Tiering:
        return read_tiering({"metadata": METADATA, "spec": {"action": "Restore"}, "status": STATUS | changes})

    before = tiering()
    assert can_wait(before, tiering(promotedBytes=9, demotedBytes=9, lastHeartbeatTime="2026-01-01T00:00:00Z"))
    assert not can_wait(before, tiering(activeRevision="s"))
    assert not can_wait(before, tiering(conditions=[READY_JSON]))


def test_no_agent_is_silent_because_the_api_server_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def pass_s(seconds: float) -> None:
        real = time.clock_gettime
        monkeypatch.setattr(time, "monotonic", lambda: real(time.CLOCK_MONOTONIC) + seconds)

    async def until(condition: Callable[[], bool]) -> None:
        for _ in range(1000):  # not until some time: the clock jumps
            if condition():
                return
            await asyncio.sleep(0.005)
        raise AssertionError

    async def test(server: FakeApiServer, requests: Requests) -> None:
        found = cluster(requests)
        await server.put(TIERINGS_PATH, "a", status=STATUS | {"lastHeartbeatTime": "2026-01-01T00:00:00Z"})
        reflector = found.tiering_reflector
        task = asyncio.create_task(reflector.run())
        await until(lambda: server.watching() == 1 and reflector.current)
        assert found.agents == {}
        server.refuse = [503] * 10_000
        await server.cut()
        await until(lambda: not reflector.current)
        pass_s(600)
        server.refuse.clear()
        await until(lambda: reflector.current)
        assert found.agents == {}
        pass_s(600 + MISSED * PERIOD_S)
        assert found.agents == {"a": Agent.SILENT}
        task.cancel()

    with_server(test)


def test_whether_the_agent_lives_is_known_without_any_report() -> None:
    alive = READY_JSON | {"type": "AgentAlive", "status": "False", "reason": "NoAgent"}
    tiering = read_tiering({"metadata": METADATA, "spec": {"action": "Restore"}, "status": {"conditions": [alive]}})
    assert tiering.report is None
    assert tiering.alive is not None
    assert (tiering.alive.status, tiering.alive.reason) == (ConditionStatus.FALSE, "NoAgent")


def test_whether_the_agent_lives_is_known_although_another_condition_cannot_be_read() -> None:
    alive = READY_JSON | {"type": "AgentAlive"}
    status = STATUS | {"conditions": [alive, READY_JSON | {"status": "Perhaps"}]}
    tiering = read_tiering({"metadata": METADATA, "spec": {"action": "Restore"}, "status": status})
    assert tiering.report is not None
    assert tiering.report.conditions == ()
    assert tiering.alive is not None
    assert tiering.alive.type == "AgentAlive"


def test_only_the_one_condition_is_written_into_a_node_tierings_status() -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        found = cluster(requests)
        await found.write_tiering(write())
        condition = a_condition("AgentAlive", "True", "Alive")
        await found.write_alive(AliveWrite(name="a", uid="uid-a", condition=condition))
        assert server.kind(TIERINGS_PATH).objects["a"]["status"] == {"conditions": [encode_condition(condition)]}
        assert found.tierings["a"].alive == condition, "the answer is known before the watch tells it"

    with_server(test)


def test_an_agent_that_runs_an_engine_that_is_not_known_here_has_reported() -> None:
    newer = {**STATUS, "engine": "teleportation", "conditions": [READY_JSON]}
    report = read_tiering({"metadata": METADATA, "spec": {"action": "Restore"}, "status": newer}).report
    assert report is not None
    assert (report.engine, report.observed_generation) == (EngineName.NONE, STATUS["observedGeneration"])
    assert report.conditions


def test_a_spec_that_cannot_be_read_is_none_and_the_rest_is_kept() -> None:
    owner = {"apiVersion": "v1", "kind": "Node", "name": "a", "uid": "uid-a"}
    metadata = METADATA | {"ownerReferences": [owner], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    tiering = read_tiering({"metadata": metadata, "spec": {"action": "Explode"}})
    assert (tiering.spec, tiering.node_uid, tiering.deleting) == (None, "uid-a", True)


@pytest.mark.parametrize("manifest", GOOD.values(), ids=GOOD.keys())
def test_what_any_policy_compiles_to_is_read_back_as_it_was_written(manifest: Any) -> None:
    [policy] = read_policies([{**manifest, "metadata": {"name": "p", "uid": "u", "generation": 1}}]).valid
    wanted = NodeWrite(name="a", node_uid="uid-a", uid=None, spec=compile_spec(policy), reason="the test wants it")
    stored = tiering_manifest(wanted)
    assert read_tiering({**stored, "metadata": stored["metadata"] | METADATA}).spec == wanted.spec


def test_nodes_of_one_policy_share_one_spec_in_memory() -> None:
    policy = {"name": "p", "uid": "u"}
    spec = {"action": "Manage", "policy": policy, "revision": "r", "settings": {"mode": "Observe"}}
    manifest = {"metadata": METADATA, "spec": spec}
    assert read_tiering(manifest).spec is read_tiering(manifest).spec


def stored_policy(name: str, **changes: Any) -> Any:
    manifest = policy_manifest(name, allNodes=True)
    manifest["metadata"] |= {"uid": f"uid-{name}", "generation": 3} | changes
    return manifest


def test_a_policy_that_only_waits_for_a_finalizer_is_gone() -> None:
    deleted = stored_policy("old", deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["somebody/else"])
    assert [policy.name for policy in read_policies([deleted, stored_policy("new")]).all] == ["new"]


def test_a_policy_that_cannot_be_read_keeps_no_other_from_being_read() -> None:
    broken = stored_policy("broken")
    broken["spec"]["quota"] = {"size": "a lot"}
    found = read_policies([broken, stored_policy("fine")])
    assert [policy.name for policy in found.valid] == ["fine"]
    (invalid,) = found.invalid
    assert (invalid.name, invalid.uid, invalid.generation) == ("broken", "uid-broken", 3)
    assert "quota.size" in str(invalid.problems[0])
