"""The other engines on real kernels: the hot set arrives, settings are brought back, and each says why it was taken."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.loads import hot_set_arrives
from e2e.nodes import joined, status_of
from story import host
from story.placement import ARRIVED
from story.stage import CHART, NAMESPACE, Stage
from story.workload import Load
from testbed import waiting
from testbed.node import ALONE

pytestmark = [pytest.mark.e2e, pytest.mark.matrix]

RATE = {"time": "0s", "size": "400Mi"}


@pytest.fixture(scope="module")
def granted(tiered: Stage) -> Iterator[Stage]:
    """The stage with an agent that may do all that other engines need."""
    upgrade(tiered, enabled=True)
    yield tiered
    upgrade(tiered, enabled=False)


def upgrade(tiered: Stage, *, enabled: bool) -> None:
    value = str(enabled).lower()
    tiered.cluster.helm(
        *("upgrade", "terrace", CHART, "--namespace", NAMESPACE, "--reuse-values", "--wait", "--timeout=5m"),
        *("--set", f"numaBalancing.enabled={value},movePages.enabled={value}"),
        limit_s=330,
    )


def condition(status: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in status["conditions"] if one["type"] == name)


def test_numa_balancing_moves_the_hot_set_and_brings_its_settings_back(granted: Stage, tmp_path: Path) -> None:
    with joined(granted, tmp_path / "nb", "nb", engine="NUMABalancing", quota=RATE) as guest:
        granted.wait("condition=Ready", "nodetiering/nb", limit_s=180)
        during = host.settings(guest)
        assert (int(during.numa_balancing) & 2, during.demotion_enabled) == (2, "true")
        assert int(during.promote_rate_limit) < 65536
        # Of a hot set that is read in turn, hint faults find the last part slowly.
        hot_set_arrives(granted, guest, Load(hot_mib=160, cold_mib=400, node="nb"), share=0.5, limit_s=240)
        waiting.until(lambda: status_of(granted, "nb")["promotedBytes"] > 60 << 20, "the total", limit_s=90, every_s=2)
        status = status_of(granted, "nb")
        assert (status["engine"], status["kdamonds"]) == ("numa_balancing", [])
        granted.cluster.kubectl("delete", "tieringpolicy", "other")
        waiting.until(lambda: host.settings(guest).numa_balancing == "1", "the switch to be back", limit_s=60)
        after = host.settings(guest)
        assert (after.demotion_enabled, after.promote_rate_limit) == ("false", "65536")


def test_a_killed_agent_finds_the_kernels_tiering_on_and_brings_it_back(granted: Stage, tmp_path: Path) -> None:
    with joined(granted, tmp_path / "nb2", "nb2", engine="NUMABalancing") as guest:
        granted.wait("condition=Ready", "nodetiering/nb2", limit_s=180)
        during = host.settings(guest)
        guest.run("pkill -9 -f -- '-m terrace_agent run'")
        granted.cluster.kubectl("delete", "tieringpolicy", "other")
        waiting.until(lambda: host.settings(guest) != during, "the next agent", limit_s=90)
        waiting.until(lambda: host.settings(guest).promote_rate_limit == "65536", "all to be back", limit_s=60)
        assert host.settings(guest).numa_balancing == "1"
        assert host.settings(guest).demotion_enabled == "false"


def test_on_6_1_the_ladder_ends_at_move_pages_which_moves_the_written_set(granted: Stage, tmp_path: Path) -> None:
    with joined(granted, tmp_path / "mp", "mp", kernel="6.1", append=ALONE, quota=RATE) as guest:
        before = host.settings(guest)
        granted.wait("condition=Ready", "nodetiering/mp", limit_s=180)
        found = {one["name"]: one["reason"] for one in status_of(granted, "mp")["engines"]}
        assert found == {"damon": "NoDamonSysfs", "numa_balancing": "OneMemoryTier", "move_pages": "Available"}
        assert "Passed over: damon: " in condition(status_of(granted, "mp"), "EngineAvailable")["message"]
        load = Load(hot_mib=128, cold_mib=300, write=True, node="mp")
        samples = hot_set_arrives(granted, guest, load, share=ARRIVED, limit_s=180)
        cold_before, cold_after = samples[0].cold_fast_bytes, samples[-1].cold_fast_bytes
        assert cold_before - cold_after < 8 << 20, "cold memory was demoted though the fast nid had room"
        waiting.until(
            lambda: status_of(granted, "mp")["promotedBytes"] >= 120 << 20, "the total", limit_s=90, every_s=2
        )
        granted.cluster.kubectl("delete", "tieringpolicy", "other")
        waiting.until(lambda: host.settings(guest) == before, "the settings to be restored", limit_s=60)


def test_move_pages_lets_damon_look_and_outlives_its_agent(granted: Stage, tmp_path: Path) -> None:
    with joined(granted, tmp_path / "dv", "dv", append=ALONE, engine="MovePages", quota=RATE) as guest:
        before = host.settings(guest)
        granted.wait("condition=Ready", "nodetiering/dv", limit_s=180)
        message = next(one["message"] for one in status_of(granted, "dv")["engines"] if one["name"] == "move_pages")
        assert "DAMON (vaddr)" in message
        hot_set_arrives(granted, guest, Load(hot_mib=128, cold_mib=300, node="dv"), share=0.9, limit_s=180)
        guest.run("pkill -9 -f -- '-m terrace_agent run'")
        again = Load(hot_mib=128, cold_mib=300, node="dv")
        hot_set_arrives(granted, guest, again, share=0.9, limit_s=180, at_once=True)
        assert status_of(granted, "dv")["engine"] == "move_pages"
        granted.cluster.kubectl("delete", "tieringpolicy", "other")
        waiting.until(lambda: host.settings(guest) == before, "the settings to be restored", limit_s=60)
