"""Bringing all nodes back: nobody writes against it, and whoever does not answer is named."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from cases.fake_api_server import FakeApiServer
from cases.fleets import READY, a_condition, a_node, a_policy, a_report, a_tiering
from terrace_api.codec import encode_condition
from terrace_operator import cleanup as cleanup_module
from terrace_operator import writer as writer_module
from terrace_operator.cleanup import HELD_S, CleanUp, CleanUpOptions
from terrace_operator.cluster.connection import Connection
from terrace_operator.cluster.lease import LeaseName
from terrace_operator.cluster.objects import NODES_PATH, TIERINGS_PATH
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.fleet import Agent, Tiering
from terrace_operator.restoration import Restoration, farewell, restoration

SPEC = compile_spec(a_policy("batch"))
LEASE = LeaseName("terrace-system", "terrace-operator")
LEASES = "/apis/coordination.k8s.io/v1/namespaces/terrace-system/leases"
RESTORED = a_condition("Ready", "True", "Restored")


def managed(name: str) -> Tiering:
    return a_tiering(a_node(name), SPEC, a_report(READY, revision=SPEC.revision))


def restored(name: str) -> Tiering:
    return a_tiering(a_node(name), RESTORE, a_report(RESTORED, generation=2), generation=2)


def test_a_node_is_restored_when_its_agent_says_so_of_this_spec() -> None:
    assert restoration([restored("a")], {}) == Restoration(restored=1, waiting=())
    (waiting,) = restoration([replace(restored("a"), generation=3)], {}).waiting
    assert (waiting.name, waiting.why) == ("a", "its agent has not answered; nothing was in force")


def test_a_node_that_was_never_touched_is_not_waited_for() -> None:
    assert restoration([a_tiering(a_node("a"), SPEC)], {}) == Restoration(restored=0, waiting=())


@pytest.mark.parametrize(
    ("tiering", "why"),
    [
        (managed("a"), f"could not be told yet; revision {SPEC.revision} was in force"),
        (
            replace(managed("a"), spec=RESTORE, generation=2, alive=a_condition("AgentAlive", "False", "AgentSilent")),
            f"its agent has not answered; revision {SPEC.revision} was in force (AgentSilent)",
        ),
        (
            replace(
                restored("a"), report=a_report(a_condition("Ready", "False", "StoreRefused", "EBUSY"), generation=2)
            ),
            "StoreRefused: EBUSY",
        ),
    ],
)
def test_a_node_that_is_not_restored_says_why(tiering: Tiering, why: str) -> None:
    assert [one.why for one in restoration([tiering], {}).waiting] == [why]


def test_it_is_over_when_only_the_silent_are_left() -> None:
    found = restoration([restored("a"), managed("b")], {})
    assert (found.over, found.line()) == (False, "restored 1 of 2 nodes, waiting for 1")
    told = replace(managed("b"), spec=RESTORE, generation=2)
    found = restoration([restored("a"), told], {"b": Agent.SILENT})
    assert (found.over, found.line()) == (True, "restored 1 of 2 nodes, 1 silent")


def test_it_is_not_over_before_the_silent_were_told_too() -> None:
    assert not restoration([managed("b")], {"b": Agent.SILENT}).over


def test_at_the_end_people_get_the_nodes_and_the_command_to_run_there() -> None:
    found = restoration([restored("a"), managed("b")], {"b": Agent.SILENT})
    text = farewell(found, ["batch"], held_s=60, lease="ns/lease", agent_image="registry/agent:1")
    assert "  b: could not be told yet" in text
    assert "  terrace-agent stop\n" in text
    assert "kubectl debug node/NAME -it --profile=sysadmin --image=registry/agent:1 -- " in text
    assert "These policies remain: batch." in text
    assert text.endswith("To let it go on after 15 s:\n  kubectl delete lease -n ns lease")


def test_when_all_answered_and_no_policy_remains_there_is_nothing_else_to_say() -> None:
    text = farewell(restoration([restored("a")], {}), [], held_s=60, lease="ns/lease", agent_image="")
    assert text == "restored 1 of 1 nodes."


def test_thousands_of_silent_nodes_are_counted_and_some_named() -> None:
    found = restoration([managed(f"n{number:04}") for number in range(2000)], {})
    text = farewell(found, [], held_s=60, lease="ns/lease", agent_image="")
    assert "  n0049:" in text
    assert "  n0050:" not in text
    assert "  and 1950 more" in text


class Site:
    """A fake API server with nodes that follow a policy, and a clean-up to run there."""

    def __init__(self, server: FakeApiServer, connection: Connection) -> None:
        self.server = server
        self.said: list[str] = []
        self._connection = connection

    async def node(self, name: str) -> None:
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": f"uid-{name}"}
        spec = {
            "action": "Manage",
            "policy": {"name": "p", "uid": "u"},
            "revision": "r",
            "settings": {"mode": "Enforce"},
        }
        await self.server.put(NODES_PATH, name)
        await self.server.put(
            TIERINGS_PATH, name, metadata={"ownerReferences": [owner]}, spec=spec, status=status(1, "r", "Converged")
        )

    async def answer(self, name: str) -> None:
        """Speaks as the agent of a node that is told to restore."""
        while self.tiering(name)["spec"]["action"] != "Restore":
            await asyncio.sleep(0.01)
        generation = self.tiering(name)["metadata"]["generation"]
        await self.server.put(TIERINGS_PATH, name, status=status(generation, "", "Restored"))

    async def held(self, holder: str, duration_s: int) -> None:
        spec = {"holderIdentity": holder, "leaseDurationSeconds": duration_s}
        await self.server.put(LEASES, LEASE.name, spec=spec)

    def tiering(self, name: str) -> Any:
        return self.server.kind(TIERINGS_PATH).objects[name]

    def lease(self) -> Any:
        return self.server.kind(LEASES).objects[LEASE.name]["spec"]

    async def clean_up(self, limit_s: float = 20.0) -> Restoration:
        options = CleanUpOptions(lease=LEASE, limit_s=limit_s, writes_per_second=1000)
        return await CleanUp(self._connection, options, self.said.append).run()


def status(generation: int, revision: str, reason: str) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "reason": reason, "message": "m", "observedGeneration": generation}
    return {
        "observedGeneration": generation,
        "activeRevision": revision,
        **dict.fromkeys(("kernel", "fastUsed", "promoted", "demoted"), ""),
        **{key: [] for key in ("numaNodes", "engines", "kdamonds", "plan", "pods", "unknownFields")},
        "engine": "damon",
        "promotedBytes": 0,
        "demotedBytes": 0,
        "conditions": [ready | {"lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }


def on_site(test: Callable[[Site], Awaitable[None]]) -> None:
    async def main() -> None:
        server = FakeApiServer()
        async with server.connected() as connection:
            await test(Site(server, connection))

    asyncio.run(main())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup_module, "_LOOK_EVERY_S", 0.05)


def test_every_node_is_told_and_waited_for() -> None:
    async def test(site: Site) -> None:
        for name in ("a", "b"):
            await site.node(name)
        answers = asyncio.gather(site.answer("a"), site.answer("b"))
        found = await site.clean_up()
        await answers
        assert found == Restoration(restored=2, waiting=())
        assert site.said[-1] == "restored 2 of 2 nodes."
        assert site.tiering("a")["spec"] == {"action": "Restore"}

    on_site(test)


def test_it_ends_at_its_limit_and_names_who_did_not_answer() -> None:
    async def test(site: Site) -> None:
        await site.node("a")
        await site.node("b")
        answer = asyncio.create_task(site.answer("a"))
        found = await site.clean_up(limit_s=1.0)
        await answer
        assert [one.name for one in found.waiting] == ["b"]
        assert "  b: its agent has not answered; revision r was in force" in site.said[-1]

    on_site(test)


def test_silent_nodes_are_all_told_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "BATCH", 1)

    async def test(site: Site) -> None:
        for name in ("a", "b"):
            await site.node(name)
            silent = encode_condition(a_condition("AgentAlive", "False", "AgentSilent"))
            spoken = status(1, "r", "Converged")
            await site.server.put(TIERINGS_PATH, name, status=spoken | {"conditions": [*spoken["conditions"], silent]})
        found = await site.clean_up()
        assert [one.name for one in found.waiting] == ["a", "b"]
        assert [site.tiering(name)["spec"]["action"] for name in ("a", "b")] == ["Restore", "Restore"]

    on_site(test)


def test_nothing_is_written_before_the_former_leader_has_stopped() -> None:
    async def test(site: Site) -> None:
        await site.node("a")
        await site.held("operator-0", 2)
        task = asyncio.create_task(site.clean_up(limit_s=5.0))
        await asyncio.sleep(1.0)
        assert site.lease()["holderIdentity"] != "operator-0"
        assert site.tiering("a")["spec"]["action"] == "Manage"
        await site.answer("a")
        await task
        assert site.said[0] == "waiting until whoever held the Lease has certainly stopped writing"

    on_site(test)


def test_waiting_for_the_former_leader_is_part_of_the_limit() -> None:
    """Whoever waits for it, as `helm uninstall` does, has one limit and not one for each of its parts."""

    async def test(site: Site) -> None:
        await site.node("a")
        await site.held("operator-0", 2)
        began_s = time.monotonic()
        found = await site.clean_up(limit_s=3.0)
        took_s = time.monotonic() - began_s
        assert [one.name for one in found.waiting] == ["a"]
        assert 3.0 <= took_s < 4.5

    on_site(test)


def test_a_clean_up_that_may_never_write_ends_at_its_limit_and_says_why() -> None:
    async def test(site: Site) -> None:
        await site.node("a")
        await site.held("operator-0", 60)
        with pytest.raises(TimeoutError, match="no node was told within 1 s: whoever held the Lease may still write"):
            await site.clean_up(limit_s=1.0)
        assert site.tiering("a")["spec"]["action"] == "Manage"

    on_site(test)


def test_afterwards_the_lease_stays_held_for_a_while() -> None:
    async def test(site: Site) -> None:
        await site.clean_up()
        assert site.lease()["holderIdentity"]
        assert site.lease()["leaseDurationSeconds"] == HELD_S

    on_site(test)


def test_an_interrupted_clean_up_gives_the_lease_back() -> None:
    async def test(site: Site) -> None:
        await site.node("a")
        task = asyncio.create_task(site.clean_up())
        while site.tiering("a")["spec"]["action"] != "Restore":
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert "holderIdentity" not in site.lease()

    on_site(test)
