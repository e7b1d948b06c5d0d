"""One scrape of a real operator's registry, held to a file: names, labels and help are an interface."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from cases.fake_fleet import FakeFleet
from cases.fleets import FAILED, READY, a_condition, a_node, a_policy, a_report, an_invalid_policy
from golden.update import Golden
from terrace_operator import pace
from terrace_operator.compile import compile_spec
from terrace_operator.metrics import Metrics
from terrace_operator.reconcile import Reconciler
from terrace_operator.wake import Wake

HERE = Path(__file__).parent
BATCH = a_policy(
    "batch",
    mode="Enforce",
    nodeSelector={"matchLabels": {"zone": "x"}},
    rollout={"canary": "100%", "maxUpdating": "100%", "bake": "0s"},
)


def scraped(metrics: Metrics) -> str:
    """Returns a scrape without what is of this process and this moment: its own figures, and how long things took."""
    kept = []
    for line in generate_latest(metrics.registry).decode().splitlines():
        series = line.split(" ")[2] if line.startswith("#") else line
        if series.startswith("process_") or "_bucket{" in line:
            continue
        kept.append(line.rpartition(" ")[0] + " SECONDS" if "_seconds_sum " in line else line)
    return "\n".join(kept) + "\n"


async def passes(fleet: FakeFleet, reconciler: Reconciler) -> None:
    await reconciler.reconcile()
    alive, silent = a_condition("AgentAlive", "True", "Alive"), a_condition("AgentAlive", "False", "AgentSilent")
    fleet.report("a", a_report(READY, alive, revision=compile_spec(BATCH).revision))
    fleet.report("b", a_report(FAILED, silent))
    fleet.report("c", a_report(READY, alive))
    fleet.fails = lambda request: getattr(request, "name", "") == "d"
    fleet.add_node(a_node("d"))
    await reconciler.reconcile()


def test_a_scrape_of_the_operator_is_as_in_the_file(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "CHANGES_S", 0.0)
    fleet, metrics = FakeFleet(), Metrics()
    for name, labels in {"a": {"zone": "x"}, "b": {"zone": "x"}, "c": {}}.items():
        fleet.add_node(a_node(name, **labels))
    fleet.put_policy(BATCH)
    fleet.put_policy(an_invalid_policy("broken"))
    metrics.leader(lambda: True)
    metrics.watch_age("NodeTiering", lambda: 1.5)
    reconciler = Reconciler(fleet, metrics, Wake(), fleet.events.extend, writes_per_second=100_000)
    asyncio.run(passes(fleet, reconciler))
    golden.check(HERE / "metrics.scrape", scraped(metrics))


def test_a_replica_that_does_not_lead_counts_nothing() -> None:
    fleet, metrics = FakeFleet(), Metrics()
    fleet.add_node(a_node("a"))
    reconciler = Reconciler(fleet, metrics, Wake(), fleet.events.extend, writes_per_second=100_000)
    asyncio.run(reconciler.reconcile())
    assert 'terrace_operator_nodes{cause="NotSelected"} 1.0' in scraped(metrics)
    fleet.leading = False
    assert "terrace_operator_nodes" not in scraped(metrics)
