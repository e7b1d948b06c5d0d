"""A pod's hot set comes up by DAMON on a node of each kernel that `--kernels` names, and all is brought back."""

from pathlib import Path

import pytest

from contract.option import chosen
from e2e.loads import hot_set_arrives
from e2e.nodes import joined, status_of
from e2e.policies import LIKE_THE_DEMO
from story import host
from story.placement import ARRIVED
from story.stage import Stage
from story.workload import Load
from testbed import waiting
from testbed.fixtures import NEWEST
from testbed.node import ALONE

pytestmark = [pytest.mark.e2e, pytest.mark.matrix]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", chosen(metafunc.config))


def test_a_pods_hot_set_comes_up_and_all_is_brought_back(tiered: Stage, tmp_path: Path, version: str) -> None:
    name = f"k{version}".replace(".", "-")
    kernel = None if version == NEWEST else version
    spec = LIKE_THE_DEMO | {"demotion": {"minAge": "5s"}}
    with joined(tiered, tmp_path / name, name, kernel=kernel, append=ALONE, **spec) as guest:
        before = host.settings(guest)
        tiered.wait("condition=Ready", f"nodetiering/{name}", limit_s=180)
        load = Load(hot_mib=160, cold_mib=400, node=name)
        samples = hot_set_arrives(tiered, guest, load, share=ARRIVED, limit_s=180, at_once=True)
        assert samples[0].cold_fast_bytes - samples[-1].cold_fast_bytes < 8 << 20, "cold went down though there is room"
        waiting.until(lambda: status_of(tiered, name)["promotedBytes"] >= 150 << 20, "the total", limit_s=90, every_s=2)
        status = status_of(tiered, name)
        assert (status["engine"], len(status["kdamonds"])) == ("damon", 2)
        guest.run("pkill -9 -f -- '-m terrace_agent run'")
        assert len(host.running_kdamonds(guest)) == 2
        tiered.cluster.kubectl("delete", "tieringpolicy", "other")
        waiting.until(lambda: host.settings(guest) == before, "the next agent to bring all back", limit_s=120)
