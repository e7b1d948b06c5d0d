"""Whether an installation does its work: what is well, what is not, and that nothing is changed to find out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from cases.fake_api_server import FakeApiServer
from cases.fleets import READY, a_condition, a_node, a_report, a_tiering
from terrace_operator import check as check_module
from terrace_operator.check import Check, CheckOptions
from terrace_operator.checkup import Point, Sight, checkup
from terrace_operator.cluster.connection import Connection
from terrace_operator.cluster.lease import LeaseName
from terrace_operator.cluster.objects import NODES_PATH, POLICIES_PATH, TIERINGS_PATH
from terrace_operator.compile import RESTORE
from terrace_operator.fleet import Tiering

LEASE = LeaseName("terrace-system", "terrace-operator")
LEASES = "/apis/coordination.k8s.io/v1/namespaces/terrace-system/leases"


def speaking(name: str, reason: str = "") -> Tiering:
    """The NodeTiering of a node whose agent has reported, and of which the operator says `reason` since."""
    alive = a_condition("AgentAlive", "False", reason) if reason else a_condition("AgentAlive", "True", "Alive")
    return a_tiering(a_node(name), RESTORE, a_report(READY), alive=alive)


def mute(name: str, reason: str = "") -> Tiering:
    """The NodeTiering of a node that has never been heard of."""
    return a_tiering(a_node(name), RESTORE, alive=a_condition("AgentAlive", "False", reason) if reason else None)


def sight(*tierings: Tiering, **changes: Any) -> Sight:
    """What is seen where all is well but for what is given."""
    well = Sight(
        policies_problem="",
        lease="ns/lease",
        lease_problem="",
        holder="operator-1",
        renewed=True,
        nodes=[tiering.name for tiering in tierings],
        tierings={tiering.name: tiering for tiering in tierings},
    )
    return replace(well, **changes)


def bad(found: Sight) -> list[str]:
    return [point.words for point in checkup(found) if not point.good]


def test_an_installation_that_works() -> None:
    assert [point.line() for point in checkup(sight(speaking("a"), speaking("b")))] == [
        "ok    TieringPolicies are served",
        "ok    operator-1 leads: it renews Lease ns/lease",
        "ok    every node has a NodeTiering: 2 nodes",
        "ok    agents speak on 2 nodes",
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"policies_problem": "404"}, "TieringPolicies cannot be listed: 404"),
        ({"lease_problem": "403"}, "Lease ns/lease cannot be read: 403"),
        ({"holder": "", "renewed": False}, "nobody holds Lease ns/lease: no operator writes"),
        ({"renewed": False}, "operator-1 holds Lease ns/lease and does not renew it: no operator writes"),
        ({"nodes": None}, "Nodes and NodeTierings could not be listed"),
        ({"nodes": ["a", "b", "c"]}, "2 nodes without a NodeTiering: b, c"),
    ],
)
def test_what_is_not_well_is_said(changes: dict[str, Any], says: str) -> None:
    assert bad(sight(speaking("a"), **changes)) == [says]


@pytest.mark.parametrize(
    ("tiering", "says"),
    [
        (mute("b"), ["the agents of 1 node have not spoken yet: b"]),
        (speaking("b", "AgentSilent"), ["the agents of 1 node are silent: b"]),
        (mute("b", "AgentSilent"), ["the agents of 1 node are silent: b"]),
        (speaking("b", "SomethingNew"), ["the agents of 1 node are silent: b"]),
        (mute("b", "NoAgent"), []),
        (speaking("b", "NodeNotReady"), []),
    ],
)
def test_agents_must_speak_unless_the_node_is_not_ready_or_has_none(tiering: Tiering, says: list[str]) -> None:
    assert bad(sight(speaking("a"), tiering)) == says


def test_nodes_that_are_not_judged_are_named() -> None:
    words = [
        point.words for point in checkup(sight(speaking("a"), speaking("b", "NodeNotReady"), mute("c", "NoAgent")))
    ]
    assert words[-2:] == [
        "not judged, since Kubernetes calls them not ready: b",
        "agents speak on 1 node, none runs on 1 node",
    ]


def test_an_installation_without_any_agent_does_not_work() -> None:
    assert bad(sight(mute("a", "NoAgent"))) == ["no agent speaks on any node"]


def test_a_cluster_without_nodes_is_well() -> None:
    assert bad(sight()) == []


class Site:
    """A fake API server with an installation, and a check to run there."""

    def __init__(self, server: FakeApiServer, connection: Connection) -> None:
        self.server = server
        self._connection = connection

    async def node(self, name: str, *, reported: bool = True) -> None:
        await self.server.put(NODES_PATH, name)
        status = {"status": {"observedGeneration": 1, "conditions": []}} if reported else {}
        await self.server.put(TIERINGS_PATH, name, spec={"action": "Restore"}, **status)

    async def lead(self, times: int = 1000) -> None:
        """Renews the Lease as an operator does."""
        for number in range(times):
            spec = {"holderIdentity": "operator-1", "leaseDurationSeconds": 15, "renewTime": f"at {number}"}
            await self.server.put(LEASES, LEASE.name, spec=spec)
            await asyncio.sleep(0.02)

    async def check(self, limit_s: float) -> tuple[Point, ...]:
        return await Check(self._connection, CheckOptions(lease=LEASE, limit_s=limit_s)).run()


def on_site(test: Callable[[Site], Awaitable[None]]) -> None:
    async def main() -> None:
        server = FakeApiServer()
        server.kind(POLICIES_PATH)
        async with server.connected() as connection:
            await test(Site(server, connection))

    asyncio.run(main())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_module, "_LOOK_EVERY_S", 0.05)


def test_it_waits_until_the_last_agent_has_spoken() -> None:
    async def test(site: Site) -> None:
        await site.node("a")
        await site.node("b", reported=False)
        leading = asyncio.create_task(site.lead())
        checking = asyncio.create_task(site.check(limit_s=20.0))
        await asyncio.sleep(0.3)
        assert not checking.done()
        await site.node("b")
        found = await checking
        leading.cancel()
        assert [point for point in found if not point.good] == []

    on_site(test)


def test_a_lease_that_nobody_renews_is_told_at_the_end_of_the_time() -> None:
    async def test(site: Site) -> None:
        await site.node("a")
        await site.lead(times=1)
        found = await site.check(limit_s=0.5)
        assert [point.words for point in found if not point.good] == [
            "operator-1 holds Lease terrace-system/terrace-operator and does not renew it: no operator writes"
        ]

    on_site(test)


def test_a_cluster_without_an_installation_is_no_crash() -> None:
    async def test(site: Site) -> None:
        site.server.refuse = [403] * 1000
        found = await site.check(limit_s=0.3)
        assert not any(point.good for point in found)

    on_site(test)


def test_nothing_is_changed() -> None:
    async def test(site: Site) -> None:
        await site.node("a")
        leading = asyncio.create_task(site.lead())
        await site.check(limit_s=20.0)
        leading.cancel()
        assert {request.split()[0] for request in site.server.requests} <= {"GET", "WATCH"}

    on_site(test)
