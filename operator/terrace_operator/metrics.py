"""What the operator knows, for Prometheus.

Before: `reconcile` counts the fleet, `writer` its writes. After: `listen` serves it. Labels are policies, kinds,
reasons and conditions, never nodes: the number of series depends on the number of policies only.
"""

from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from terrace_api import __version__
from terrace_operator.census import Census, Counts

_PASS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """All metrics of one operator, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("terrace_operator_build", "Version of this operator.", registry=registry).info({"version": __version__})
        self.passes = Histogram(
            "terrace_operator_reconcile_duration_seconds",
            "How long one pass over the whole state took, writes included.",
            buckets=_PASS_S,
            registry=registry,
        )
        self.decisions = Histogram(
            "terrace_operator_decide_duration_seconds",
            "How long one part of a pass took to decide, without requests.",
            buckets=_PASS_S,
            registry=registry,
        )
        self.writes = Counter(
            "terrace_operator_writes_total",
            "Writes to the API server.",
            ["verb", "kind", "result"],
            registry=registry,
        )
        self.waiting = Gauge(
            "terrace_operator_writes_waiting",
            "Objects that do not say yet what was decided, those that are held back included.",
            ["kind"],
            registry=registry,
        )
        self._leader = Gauge("terrace_operator_leader", "1 on the replica that may write, else 0.", registry=registry)
        self._watch_age = Gauge(
            "terrace_operator_watch_age_seconds",
            "Time since the copy of all objects of a kind was last known to be current.",
            ["kind"],
            registry=registry,
        )

    def leader(self, leading: Callable[[], bool]) -> None:
        """Makes it a metric whether this replica leads; read at each scrape."""
        self._leader.set_function(lambda: float(leading()))

    def watch_age(self, kind: str, age_s: Callable[[], float]) -> None:
        """Makes the age of a watch a metric that is read at each scrape."""
        self._watch_age.labels(kind=kind).set_function(age_s)

    def fleet(self, census: Callable[[], Census | None]) -> None:
        """Makes the fleet's counts metrics that are counted at each scrape; None where another replica counts."""
        self.registry.register(_FleetCollector(census))


class _FleetCollector(Collector):
    def __init__(self, census: Callable[[], Census | None]) -> None:
        self._census = census

    def collect(self) -> Iterable[Metric]:
        if (found := self._census()) is None:
            return
        yield _family("nodes", "Nodes, by why they get their spec.", ("cause",), found.nodes)
        yield _family("node_conditions", "Nodes, by condition.", ("type", "status"), found.conditions)
        yield GaugeMetricFamily(
            "terrace_operator_nodes_restoring",
            "Nodes that no policy follows and that have not said yet that they are as they were found.",
            value=found.restoring,
        )
        yield _family("policies", "Policies, by whether they can be read.", ("readable",), found.policies)
        yield _family("policy_nodes", "Nodes of a policy, by state.", ("policy", "state"), found.policy_nodes)
        yield _family(
            "policy_condition",
            "1 for the status that a policy's condition has, else 0.",
            ("policy", "type", "status"),
            found.policy_conditions,
        )

    def describe(self) -> Iterable[Metric]:
        return ()


def _family(name: str, words: str, labels: tuple[str, ...], counts: Counts) -> Metric:
    family = GaugeMetricFamily(f"terrace_operator_{name}", words, labels=labels)
    for values in sorted(counts):
        family.add_metric(values, counts[values])
    return family
