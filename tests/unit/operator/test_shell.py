"""The small parts around the loop: flags, log lines, waking, and what is served over HTTP."""

import argparse
import asyncio
import json
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from cases.small_api_server import kubeconfig
from terrace_operator import logs
from terrace_operator.arguments import _address, _agent_pods, _lease, _whole_number
from terrace_operator.cluster.lease import LeaseName
from terrace_operator.cluster.look import AgentPods
from terrace_operator.listen import Address, listening
from terrace_operator.main import main
from terrace_operator.metrics import Metrics
from terrace_operator.throttle import Throttle
from terrace_operator.wake import Wake
from testbed.ports import free


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "address"), [("0.0.0.0:8080", Address("0.0.0.0", 8080)), ("[::]:9", Address("::", 9))]
)
def test_an_address_is_host_and_port(text: str, address: Address) -> None:
    assert _address(text) == address


@pytest.mark.parametrize("text", ["8080", ":8080", "host:", "host:port", "host:70000", ""])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"as in 127\.0\.0\.1:8080"):
        _address(text)


def test_a_lease_is_namespace_and_name() -> None:
    assert _lease("terrace-system/terrace-operator") == LeaseName("terrace-system", "terrace-operator")


@pytest.mark.parametrize("text", ["", "terrace-operator", "/terrace-operator", "terrace-system/", "a/b/c"])
def test_any_other_lease_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="as in terrace-system/terrace-operator"):
        _lease(text)


def test_agent_pods_are_a_namespace_and_a_selector() -> None:
    text = "terrace-system/app.kubernetes.io/component=agent,a=b"
    assert _agent_pods(text) == AgentPods("terrace-system", "app.kubernetes.io/component=agent,a=b")


@pytest.mark.parametrize("text", ["", "terrace-system", "/a=b", "terrace-system/"])
def test_any_other_agent_pods_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="as in terrace-system/app=terrace-agent"):
        _agent_pods(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "10001"])
def test_a_rate_is_a_whole_number_within_bounds(text: str) -> None:
    assert _whole_number("200") == 200
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 to 10000"):
        _whole_number(text)


def test_turns_are_evenly_spaced_and_held_back_when_asked() -> None:
    async def run() -> list[float]:
        throttle, turns = Throttle(per_second=100), list[float]()
        start = time.monotonic()
        for number in range(6):
            if number == 4:
                throttle.hold(0.2)
            await throttle.turn()
            turns.append(time.monotonic() - start)
        return turns

    turns = asyncio.run(run())
    assert turns[0] < 0.01
    assert turns[3] >= 0.03
    assert turns[4] >= 0.2 + turns[3]


def test_a_turn_that_would_come_too_late_is_left_to_others() -> None:
    async def run() -> tuple[bool, bool, float]:
        throttle, start = Throttle(per_second=10), time.monotonic()
        in_time = await throttle.turn(before_s=start + 0.05)
        too_late = await throttle.turn(before_s=start + 0.05)
        await throttle.turn()
        return in_time, too_late, time.monotonic() - start

    in_time, too_late, next_s = asyncio.run(run())
    assert (in_time, too_late) == (True, False)
    assert 0.1 <= next_s < 0.2


def test_an_idle_throttle_saves_no_turns_up() -> None:
    async def run() -> float:
        throttle = Throttle(per_second=20)
        await throttle.turn()
        await asyncio.sleep(0.2)
        start = time.monotonic()
        for _ in range(3):
            await throttle.turn()
        return time.monotonic() - start

    assert asyncio.run(run()) >= 0.1


def test_something_due_sooner_is_noticed_while_waiting() -> None:
    async def run() -> float:
        wake, start = Wake(settle_s=0.0, rest_share=0), time.monotonic()
        wake.at(start + 60)
        asyncio.get_running_loop().call_later(0.02, lambda: wake.at(start + 0.05))
        await asyncio.wait_for(wake.wait(), 5)
        return time.monotonic() - start

    assert 0.05 <= asyncio.run(run()) < 1


def test_without_an_api_server_it_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], restored_logging: None
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/kubeconfig")
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "/nowhere/kubeconfig")
    assert main([]) == 2
    assert "terrace-operator: cannot find an API server" in capsys.readouterr().err


def test_a_check_without_an_answer_says_what_is_not_well_and_exits_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], restored_logging: None
) -> None:
    config = str(kubeconfig(tmp_path / "config", f"http://127.0.0.1:{free(1)[0]}"))
    monkeypatch.setenv("KUBECONFIG", config)
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", config)
    assert main(["check", "--limit", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("FAIL  TieringPolicies cannot be listed: ")
    assert lines[-1] == "FAIL  Nodes and NodeTierings could not be listed"


def test_a_log_line_is_an_event_and_its_facts(capsys: pytest.CaptureFixture[str], restored_logging: None) -> None:
    logs.configure(level="INFO", as_json=False)
    logging.getLogger("terrace_operator.x").info("spec written", extra=logs.fields(node="a", reason="no policy", at=""))
    line = capsys.readouterr().err.strip()
    assert line.endswith('INFO    x: spec written node=a reason="no policy" at=""')


def test_a_log_line_as_json_is_one_object(capsys: pytest.CaptureFixture[str], restored_logging: None) -> None:
    logs.configure(level="INFO", as_json=True)
    logging.getLogger("terrace_operator.x").warning("watch lost", extra=logs.fields(kind="Node"))
    found = json.loads(capsys.readouterr().err)
    assert (found["event"], found["level"], found["kind"]) == ("watch lost", "warning", "Node")


def test_many_changes_make_one_pass_and_none_is_lost() -> None:
    async def run() -> int:
        wake, passes = Wake(settle_s=0.01, rest_share=0), 0
        for _ in range(100):
            wake.now()
        await wake.wait()
        passes += 1
        wake.now()
        await asyncio.wait_for(wake.wait(), 1)
        passes += 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wake.wait(), 0.05)
        return passes

    assert asyncio.run(run()) == 2


def test_the_earliest_due_time_wakes_without_a_change() -> None:
    async def run() -> float:
        wake, start = Wake(), time.monotonic()
        wake.at(start + 60)
        wake.at(start + 0.05)
        await asyncio.wait_for(wake.wait(), 5)
        return time.monotonic() - start

    assert 0.05 <= asyncio.run(run()) < 1


def test_a_long_pass_is_followed_by_a_rest() -> None:
    async def run() -> float:
        wake, start = Wake(settle_s=0.0, rest_share=4.0), time.monotonic()
        wake.rest_after(0.05)
        wake.now()
        await wake.wait()
        return time.monotonic() - start

    assert asyncio.run(run()) >= 0.2


def test_health_and_metrics_are_served() -> None:
    async def run() -> None:
        (port,) = free(1)
        metrics = Metrics()
        metrics.watch_age("Node", lambda: 1.5)
        trouble = ["not yet listed: Node"]
        address = Address("127.0.0.1", port)
        async with (
            listening(address, alive=lambda: "", ready=lambda: trouble[0], registry=metrics.registry),
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        ):
            assert await answer(session, "/healthz") == (200, "ok\n")
            assert await answer(session, "/readyz") == (503, "not yet listed: Node\n")
            trouble[0] = ""
            assert await answer(session, "/readyz") == (200, "ok\n")
            status, text = await answer(session, "/metrics")
            assert status == 200
            assert 'terrace_operator_watch_age_seconds{kind="Node"} 1.5' in text
            assert "terrace_operator_build_info" in text

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "reached_at"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]"), ("::", "127.0.0.1")]
)
def test_every_family_of_addresses_is_served(host: str, reached_at: str) -> None:
    assert asyncio.run(health(host, reached_at)) == (200, "ok\n")


def test_where_ipv6_is_off_everyone_is_reached_by_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    assert asyncio.run(health("::", "127.0.0.1")) == (200, "ok\n")


async def health(host: str, reached_at: str) -> tuple[int, str]:
    (port,) = free(1)
    registry = Metrics().registry
    async with (
        listening(Address(host, port), alive=lambda: "", ready=lambda: "", registry=registry),
        aiohttp.ClientSession(f"http://{reached_at}:{port}") as session,
    ):
        return await answer(session, "/healthz")


async def answer(session: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with session.get(path) as response:
        return response.status, await response.text()
