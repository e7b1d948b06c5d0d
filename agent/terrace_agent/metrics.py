"""What the agent knows, for Prometheus. The only module that imports `prometheus_client`.

Before: the status and how long the turn took. After: `serve`. Labels are nids, directions and conditions, never pods:
the number of series depends on the machine only. Units are base units, as Prometheus has it.
"""

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from terrace_agent.topology.values import Topology
from terrace_api import __version__
from terrace_api.conditions import ConditionStatus
from terrace_api.node_tiering import NOWHERE, NodeTieringStatus

_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The agent's registry."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._of_status = _StatusCollector()
        self._registry.register(self._of_status)
        ProcessCollector(registry=self._registry)
        self._cycles = Histogram(
            "terrace_agent_cycle_seconds",
            "Duration of a turn of the loop.",
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        build = Gauge("terrace_agent_build_info", "1, with the version.", ["version"], registry=self._registry)
        build.labels(__version__).set(1)

    def record(self, status: NodeTieringStatus, topology: Topology, seconds: float) -> None:
        """Takes what one turn came to, and how long it took."""
        self._of_status.latest = (status, topology)
        self._cycles.observe(seconds)

    def render(self) -> bytes:
        """Returns the text that Prometheus scrapes."""
        return generate_latest(self._registry)


class _StatusCollector(Collector):
    def __init__(self) -> None:
        self.latest: tuple[NodeTieringStatus, Topology] | None = None

    def collect(self) -> Iterable[Metric]:
        if self.latest is not None:
            status, topology = self.latest
            yield from _totals(status)
            yield _engines(status)
            yield from _kdamonds(status)
            yield from _numa_nodes(status)
            yield from _fast_tier(status, topology)
            yield from _levels(status)
            yield _conditions(status)

    def describe(self) -> Iterable[Metric]:
        return ()


def _totals(status: NodeTieringStatus) -> Iterable[Metric]:
    yield CounterMetricFamily(
        "terrace_agent_promoted_bytes", "Bytes that arrived on a faster tier in this boot.", value=status.promoted_bytes
    )
    yield CounterMetricFamily(
        "terrace_agent_demoted_bytes", "Bytes that arrived on a slower tier in this boot.", value=status.demoted_bytes
    )


def _engines(status: NodeTieringStatus) -> Metric:
    family = GaugeMetricFamily("terrace_agent_engine", "1 for the engine in use, else 0.", labels=["engine"])
    for engine in status.engines:
        family.add_metric([engine.name.value], float(engine.name is status.engine))
    return family


def _kdamonds(status: NodeTieringStatus) -> Iterable[Metric]:
    labels = ["nid", "target_nid", "direction"]
    up = GaugeMetricFamily("terrace_agent_kdamond_up", "1 for each kdamond of Terrace that is on.", labels=labels)
    tried = CounterMetricFamily("terrace_agent_tried_bytes", "Bytes that schemes tried to move.", labels=labels)
    applied = CounterMetricFamily("terrace_agent_applied_bytes", "Bytes that the kernel calls moved.", labels=labels)
    arrived = CounterMetricFamily("terrace_agent_arrived_bytes", "Bytes that arrived at the target.", labels=labels)
    exceeds = CounterMetricFamily("terrace_agent_quota_exceeds", "Times that a quota was used up.", labels=labels)
    for kdamond in status.kdamonds:
        target = "" if kdamond.target_nid == NOWHERE else str(kdamond.target_nid)
        values = [str(kdamond.source_nid), target, kdamond.direction]
        up.add_metric(values, 1)
        tried.add_metric(values, kdamond.tried_bytes)
        applied.add_metric(values, kdamond.applied_bytes)
        arrived.add_metric(values, kdamond.arrived_bytes)
        exceeds.add_metric(values, kdamond.quota_exceeds)
    count = GaugeMetricFamily(
        "terrace_agent_kdamonds",
        "How many kdamonds of Terrace are on.",
        value=len({one.index for one in status.kdamonds}),
    )
    yield from (up, tried, applied, arrived, exceeds, count)


def _numa_nodes(status: NodeTieringStatus) -> Iterable[Metric]:
    labels = ["nid", "tier"]
    total = GaugeMetricFamily("terrace_agent_nid_memory_bytes", "Memory of a NUMA node.", labels=labels)
    free = GaugeMetricFamily("terrace_agent_nid_free_bytes", "Free memory of a NUMA node.", labels=labels)
    for node in status.numa_nodes:
        values = [str(node.nid), node.tier]
        total.add_metric(values, node.total_bytes)
        free.add_metric(values, node.free_bytes)
    yield from (total, free)


def _fast_tier(status: NodeTieringStatus, topology: Topology) -> Iterable[Metric]:
    fast = [nid for nid in topology.nids if topology.tiers and nid.nid in topology.tiers[0].nids]
    free = sum(nid.free_bytes for nid in fast)
    used = sum(nid.total_bytes for nid in fast) - free
    yield GaugeMetricFamily("terrace_agent_fast_used_bytes", "Used memory of the fast tier.", value=used)
    yield GaugeMetricFamily("terrace_agent_fast_free_bytes", "Free memory of the fast tier.", value=free)
    if status.effective is not None:
        yield GaugeMetricFamily(
            "terrace_agent_fast_floor_bytes",
            "Free memory of the fast nid that promotion leaves.",
            value=status.effective.fast_floor_bytes,
        )


def _levels(status: NodeTieringStatus) -> Iterable[Metric]:
    if status.levels is None:
        return
    for name, text, value in (
        ("hot_on_slow", "Memory of slow nids that is hot, as mode Observe sees it.", status.levels.hot_on_slow_bytes),
        (
            "cold_on_fast",
            "Memory of fast nids that is cold, as mode Observe sees it.",
            status.levels.cold_on_fast_bytes,
        ),
        ("forecast", "What mode Enforce would promote.", status.levels.forecast_bytes),
    ):
        yield GaugeMetricFamily(f"terrace_agent_{name}_bytes", text, value=value)


def _conditions(status: NodeTieringStatus) -> Metric:
    family = GaugeMetricFamily(
        "terrace_agent_condition", "1 for the status that a condition has, else 0.", labels=["type", "status"]
    )
    for condition in status.conditions:
        for possible in ConditionStatus:
            family.add_metric([condition.type, possible.value], float(condition.status is possible))
    return family
