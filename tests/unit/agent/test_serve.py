"""`/metrics` and `/healthz`, asked over HTTP."""

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.error import HTTPError

import pytest
from prometheus_client.parser import text_string_to_metric_families

from terrace_agent.decide import Intent
from terrace_agent.metrics import Metrics
from terrace_agent.serve import Pulse, parse_address, serve
from terrace_agent.topology.discover import discover
from terrace_api.node_tiering import Kdamond, Levels
from unit.agent.test_report import FACTS, observed, status

TOPOLOGY = discover(FACTS, None)


@contextmanager
def serving(pulse: Pulse, metrics: Metrics, host: str = "127.0.0.1", reached_at: str = "127.0.0.1") -> Iterator[str]:
    server = serve((host, 0), render=metrics.render, pulse=pulse)
    try:
        yield f"http://{reached_at}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_healthy_is_a_loop_that_took_a_turn_not_long_ago() -> None:
    now = [100.0]
    pulse = Pulse(stale_after_s=60, clock=lambda: now[0])
    with serving(pulse, Metrics()) as url:
        assert get(f"{url}/healthz") == (503, "no turn yet\n")
        pulse.beat()
        assert get(f"{url}/healthz") == (200, "ok\n")
        now[0] += 61
        assert get(f"{url}/healthz") == (503, "last turn 61 s ago\n")


def test_metrics_carry_totals_tiers_and_conditions() -> None:
    metrics = Metrics()
    metrics.record(status(observed(promoted=7)), TOPOLOGY, 0.2)
    with serving(Pulse(stale_after_s=1), metrics) as url:
        code, text = get(f"{url}/metrics")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert code == 200
    assert samples[("terrace_agent_promoted_bytes_total",)] == 7
    assert samples[("terrace_agent_nid_free_bytes", "1", "slow")] == 128 << 20
    assert samples[("terrace_agent_fast_free_bytes",)] == 256 << 20
    assert samples[("terrace_agent_fast_used_bytes",)] == 768 << 20
    assert samples[("terrace_agent_engine", "damon")] == 1
    assert samples[("terrace_agent_condition", "Ready", "True")] == 1
    assert samples[("terrace_agent_condition", "False", "Ready")] == 0
    assert samples[("terrace_agent_cycle_seconds_count",)] == 1


def test_what_was_tried_and_applied_and_what_arrived_are_counters_of_each_direction() -> None:
    kdamond = Kdamond(
        index=1,
        pid=7,
        source_nid=1,
        target_nid=0,
        direction="promotion",
        tried_bytes=30,
        applied_bytes=20,
        arrived_bytes=10,
        quota_exceeds=2,
    )
    seen = observed()
    metrics = Metrics()
    metrics.record(status(replace(seen, moved=replace(seen.moved, kdamonds=(kdamond,)))), TOPOLOGY, 0.2)
    lines = metrics.render().decode().splitlines()
    of = '{direction="promotion",nid="1",target_nid="0"}'
    for name, value in (("tried", 30), ("applied", 20), ("arrived", 10)):
        assert f"terrace_agent_{name}_bytes_total{of} {value}.0" in lines


def test_levels_are_metrics_while_there_are_some() -> None:
    metrics = Metrics()
    levels = Levels(hot_on_slow_bytes=3, cold_on_fast_bytes=2, forecast_bytes=1)
    metrics.record(status(replace(observed(Intent.OBSERVE), levels=levels)), TOPOLOGY, 0.2)
    assert "terrace_agent_hot_on_slow_bytes 3.0" in metrics.render().decode()
    assert "terrace_agent_forecast_bytes 1.0" in metrics.render().decode()
    metrics.record(status(observed()), TOPOLOGY, 0.2)
    assert "hot_on_slow" not in metrics.render().decode()


def test_no_metric_knows_a_pod() -> None:
    metrics = Metrics()
    metrics.record(status(observed()), TOPOLOGY, 0.2)
    assert "web-0" not in metrics.render().decode()


def test_a_scrape_before_the_first_turn_is_no_error() -> None:
    assert b"terrace_agent_build_info" in Metrics().render()


def test_other_paths_are_not_found() -> None:
    with serving(Pulse(stale_after_s=1), Metrics()) as url:
        assert get(f"{url}/")[0] == 404


@pytest.mark.parametrize(
    ("host", "reached_at"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]"), ("::", "127.0.0.1")]
)
def test_every_family_of_addresses_is_served(host: str, reached_at: str) -> None:
    with serving(Pulse(stale_after_s=1), Metrics(), host, reached_at) as url:
        assert get(f"{url}/healthz") == (503, "no turn yet\n")


def test_where_ipv6_is_off_everyone_is_reached_by_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with serving(Pulse(stale_after_s=1), Metrics(), "::") as url:
        assert get(f"{url}/healthz") == (503, "no turn yet\n")


def test_addresses() -> None:
    assert parse_address("127.0.0.1:9465") == ("127.0.0.1", 9465)
    assert parse_address("[::1]:9465") == ("::1", 9465)
    assert parse_address("[::]:9465") == ("::", 9465)


@pytest.mark.parametrize("text", ["9465", ":9465", "host:", "host:x", "host:70000"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        parse_address(text)
