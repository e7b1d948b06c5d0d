"""What the operator counts about itself, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from terrace_api import __version__


class Metrics:
    """All metrics of one operator, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("terrace_operator_build", "Version of this operator.", registry=registry).info({"version": __version__})
        self.passes = Histogram(
            "terrace_operator_reconcile_duration_seconds",
            "How long one pass over the whole state took, writes included.",
            registry=registry,
        )
        self.decisions = Histogram(
            "terrace_operator_decide_duration_seconds",
            "How long one pass took to decide, without requests.",
            registry=registry,
        )
        self.writes = Counter(
            "terrace_operator_writes_total",
            "Writes to the API server.",
            ["verb", "kind", "result"],
            registry=registry,
        )
        self.nodes = Gauge("terrace_operator_nodes", "Nodes, by why they get their spec.", ["cause"], registry=registry)
        self.policies = Gauge("terrace_operator_policies", "Policies.", ["readable"], registry=registry)
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
