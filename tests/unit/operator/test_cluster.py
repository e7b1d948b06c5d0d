"""What goes to the API server and what is made of its answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from cases.fake_api_server import FakeApiServer
from cases.fleets import a_node, a_policy, statuses
from cases.policies import GOOD
from cases.policies import policy as policy_manifest
from terrace_operator.cluster.access import Cluster
from terrace_operator.cluster.connection import Connection, connect
from terrace_operator.cluster.objects import (
    POLICIES_PATH,
    TIERINGS_PATH,
    read_policies,
    read_tiering,
    tiering_manifest,
)
from terrace_operator.cluster.requests import Requests
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.errors import (
    ApiConflict,
    ApiForbidden,
    ApiGarbled,
    ApiRefused,
    ApiUnreachable,
    NotConfigured,
)
from terrace_operator.node_writes import NodeWrite
from terrace_operator.statuses import StatusWrite

SPEC = compile_spec(a_policy("batch", mode="Enforce"))
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
        async with server.serving() as url:
            connection = Connection(Configuration(host=url))
            try:
                await test(server, Requests(connection))
            finally:
                await connection.close()

    asyncio.run(main())


def cluster(requests: Requests) -> Cluster:
    return Cluster(requests, lambda: None, lambda: None)


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


def test_a_write_that_was_meant_for_another_object_is_a_conflict() -> None:
    async def test(server: FakeApiServer, requests: Requests) -> None:
        with pytest.raises(ApiConflict):
            await cluster(requests).write_tiering(write(uid="an-earlier-one"))
        assert server.kind(TIERINGS_PATH).objects == {}

    with_server(test)


def test_a_spec_that_is_not_stored_as_written_is_an_error() -> None:
    """Another version's CRD may drop fields; without this the operator would write for ever."""

    async def test(server: FakeApiServer, requests: Requests) -> None:
        async def dropping(path: str, manifest: Any) -> Any:
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


def test_a_status_that_cannot_be_read_is_no_report() -> None:
    broken = {**STATUS, "engine": "teleportation"}
    assert read_tiering({"metadata": METADATA, "spec": {"action": "Restore"}, "status": broken}).report is None


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
