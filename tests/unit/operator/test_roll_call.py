"""Looking at silent nodes: a few at a time, again after a while, and never in the way."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from cases.fleets import NOW, READY, a_condition, a_node, a_report, a_tiering
from terrace_operator import roll_call as roll_call_module
from terrace_operator.cluster.look import AgentPods, read_look
from terrace_operator.errors import ApiGarbled, ApiNotFound, ApiRefused, ApiUnreachable
from terrace_operator.fleet import Agent, Tiering
from terrace_operator.liveness import Look
from terrace_operator.roll_call import RollCall
from terrace_operator.wake import Wake

NOBODY = Look(node_ready=True, pod=None)


class Nodes:
    """What a look finds."""

    def __init__(self, found: Look | Exception = NOBODY) -> None:
        self.found = found
        self.seen: list[str] = []

    async def look(self, name: str) -> Look:
        self.seen.append(name)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call_module, "_ROUND_S", 0.005)


def silent(*names: str) -> dict[str, Tiering]:
    """Nodes that an earlier operator has called silent."""
    alive = a_condition("AgentAlive", "False", "AgentSilent")
    return {name: a_tiering(a_node(name), alive=alive) for name in names}


def calling(
    nodes: Nodes, tierings: dict[str, Tiering], until: Callable[[RollCall], bool], leading: bool = True
) -> None:
    async def main() -> None:
        call = RollCall(nodes.look, Wake())
        task = asyncio.create_task(call.run(lambda: leading))
        call.agents(tierings)
        async with asyncio.timeout(5):
            while not until(call):
                await asyncio.sleep(0.002)
        task.cancel()

    asyncio.run(main())


def test_a_silent_node_without_an_agents_pod_has_no_agent() -> None:
    tierings = silent("a")
    calling(Nodes(NOBODY), tierings, lambda call: call.agents(tierings) == {"a": Agent.NONE})


def test_what_a_look_found_stays_true_when_the_api_server_was_away_for_a_moment() -> None:
    tierings, nodes = silent("a"), Nodes()

    def found_before_and_after(call: RollCall) -> bool:
        if call.agents(tierings) != {"a": Agent.NONE}:
            return False
        call.leave_out(0.001)
        return call.agents(tierings) == {"a": Agent.NONE}

    calling(nodes, tierings, found_before_and_after)
    assert nodes.seen == ["a"]


def test_who_speaks_is_not_looked_at() -> None:
    nodes = Nodes()
    report = replace(a_report(READY), heartbeat="12:00", heartbeat_period_s=60)
    tierings = {"b": a_tiering(a_node("b"), report=report)} | silent("a")
    calling(nodes, tierings, lambda call: call.agents(tierings) == {"a": Agent.NONE})
    assert nodes.seen == ["a"]


def test_many_silent_nodes_are_looked_at_a_few_at_a_time_and_all_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call_module, "_LOOKS_A_ROUND", 7)
    nodes, tierings, counts = Nodes(), silent(*(f"n{number}" for number in range(30))), set[int]()

    def all_seen(call: RollCall) -> bool:
        counts.add(len(nodes.seen))
        return set(call.agents(tierings).values()) == {Agent.NONE}

    calling(nodes, tierings, all_seen)
    assert sorted(nodes.seen) == sorted(tierings)
    assert {7, 14, 21} & counts


def test_a_silent_node_is_looked_at_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call_module, "_LOOK_AGAIN_S", 0.02)
    nodes, tierings = Nodes(Look(node_ready=False, pod="")), silent("a")

    def found_again(call: RollCall) -> bool:
        if call.agents(tierings) == {"a": Agent.NODE_NOT_READY}:
            nodes.found = NOBODY
        return call.agents(tierings) == {"a": Agent.NONE}

    calling(nodes, tierings, found_again)


@pytest.mark.parametrize(
    "error", [ApiUnreachable("cut"), ApiNotFound(status=404, reason="NotFound", message="no node"), ApiGarbled("?")]
)
def test_a_look_that_fails_leaves_the_node_silent(error: Exception) -> None:
    nodes, tierings = Nodes(error), silent("a")
    calling(nodes, tierings, lambda call: nodes.seen == ["a"] and call.agents(tierings) == {"a": Agent.SILENT})


@pytest.mark.parametrize(
    "error", [ApiUnreachable("cut"), ApiRefused(status=429, reason="TooManyRequests", message=""), ApiGarbled("?")]
)
def test_a_look_that_fails_leaves_true_what_the_last_one_found(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a policy would wait for a node without an agent, and count it as failed."""
    monkeypatch.setattr(roll_call_module, "_LOOK_AGAIN_S", 0.02)
    nodes, tierings = Nodes(NOBODY), silent("a")

    def failed_and_still_known(call: RollCall) -> bool:
        known = call.agents(tierings) == {"a": Agent.NONE}
        failed = nodes.found is error and len(nodes.seen) > 1
        if known:
            nodes.found = error
        return known and failed

    calling(nodes, tierings, failed_and_still_known)


def test_a_look_that_failed_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call_module, "_TRY_AGAIN_S", 0.02)
    nodes, tierings = Nodes(ApiUnreachable("cut")), silent("a")

    def found(call: RollCall) -> bool:
        if nodes.seen:
            nodes.found = NOBODY
        return call.agents(tierings) == {"a": Agent.NONE}

    calling(nodes, tierings, found)
    assert len(nodes.seen) == 2


def test_a_node_that_vanishes_just_before_the_look_ends_nothing() -> None:
    async def main() -> None:
        call = RollCall(Nodes().look, Wake())
        call.agents(silent("a"))

        def leading() -> bool:
            asyncio.get_running_loop().call_soon(call.agents, {})  # before anything that is started after this
            return True

        task = asyncio.create_task(call.run(leading))
        await asyncio.sleep(0.05)
        assert not task.done()
        task.cancel()

    asyncio.run(main())


def test_who_does_not_lead_looks_at_nobody() -> None:
    nodes, rounds = Nodes(), [0]

    def some_rounds(_: RollCall) -> bool:
        rounds[0] += 1
        return rounds[0] > 20

    calling(nodes, silent("a"), some_rounds, leading=False)
    assert nodes.seen == []


def test_who_leads_again_believes_what_was_said_since() -> None:
    """What it saw when it led last is older."""

    async def main() -> None:
        leading = True
        call, tierings = RollCall(Nodes(NOBODY).look, Wake()), silent("a")
        task = asyncio.create_task(call.run(lambda: leading))
        async with asyncio.timeout(5):
            while call.agents(tierings) != {"a": Agent.NONE}:
                await asyncio.sleep(0.002)
            leading = False
            while call.agents(tierings) != {"a": Agent.SILENT}:
                await asyncio.sleep(0.002)
        assert call.writes(call.agents(tierings), tierings, NOW) == ()
        task.cancel()

    asyncio.run(main())


def node(status: str) -> Mapping[str, object]:
    return {
        "status": {"conditions": [{"type": "MemoryPressure", "status": "True"}, {"type": "Ready", "status": status}]}
    }


def pod(status: Mapping[str, object], **metadata: str) -> Mapping[str, object]:
    return {"metadata": {"name": "agent-x", **metadata}, "status": status}


READY_POD = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
WAITING = {"phase": "Running", "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}


@pytest.mark.parametrize(
    ("pods", "found"),
    [
        ([], None),
        ([pod(READY_POD, deletionTimestamp="now")], None),
        ([pod(READY_POD)], "its pod agent-x is ready"),
        ([pod(WAITING)], "its pod agent-x is CrashLoopBackOff"),
        ([pod({"phase": "Pending"})], "its pod agent-x is Pending"),
    ],
)
def test_what_there_is_to_say_about_a_pod(pods: list[Mapping[str, object]], found: str | None) -> None:
    assert read_look(node("True"), {"items": pods}) == Look(node_ready=True, pod=found)


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_node_is_ready_or_not(status: str) -> None:
    assert not read_look(node(status), None).node_ready
    assert not read_look({"status": {}}, None).node_ready


def test_where_pods_are_not_looked_for_none_is_missing() -> None:
    assert read_look(node("True"), None).pod == ""


def test_a_node_that_cannot_be_read_is_garbled() -> None:
    with pytest.raises(ApiGarbled):
        read_look({"kind": "Status"}, None)


def test_pods_are_asked_for_by_node_from_the_cache() -> None:
    pods = AgentPods("terrace-system", "app=agent")
    assert pods.path() == "/api/v1/namespaces/terrace-system/pods"
    assert pods.query("n1") == {
        "labelSelector": "app=agent",
        "fieldSelector": "spec.nodeName=n1",
        "resourceVersion": "0",
    }
