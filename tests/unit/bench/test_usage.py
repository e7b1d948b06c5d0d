"""What the kubelet says of the agent's pod becomes figures."""

import pytest

from bench.usage import Usage, figures, usage

SUMMARY = {
    "pods": [
        {
            "podRef": {"name": "terrace-agent-x7k2p", "namespace": "terrace-system"},
            "cpu": {"time": "1970-01-01T00:01:40Z", "usageCoreNanoSeconds": 2_500_000_000},
            "memory": {"rssBytes": 40, "workingSetBytes": 50},
        },
        {"podRef": {"name": "terrace-operator-1", "namespace": "terrace-system"}},
    ]
}


def test_the_agents_pod_is_found_by_its_name() -> None:
    assert usage(SUMMARY, pod_prefix="terrace-agent-") == Usage(
        at_s=100.0, rss_bytes=40, working_set_bytes=50, cpu_s=2.5
    )


def test_no_such_pod_is_an_error() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        usage(SUMMARY, pod_prefix="hotcold")


def test_memory_is_the_most_that_was_seen_and_cpu_what_was_used_between() -> None:
    looks = [
        Usage(at_s=100.0, rss_bytes=40, working_set_bytes=70, cpu_s=2.5),
        Usage(at_s=150.0, rss_bytes=60, working_set_bytes=50, cpu_s=3.0),
        Usage(at_s=300.0, rss_bytes=50, working_set_bytes=50, cpu_s=4.5),
    ]
    assert figures(looks) == {
        "tiering_seconds": 200,
        "rss_bytes": 60,
        "working_set_bytes": 70,
        "tiering_core_share": 0.01,
    }
