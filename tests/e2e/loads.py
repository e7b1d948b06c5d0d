"""A workload on a node, for as long as its hot set takes to come up."""

from story.placement import Sample
from story.stage import Stage
from story.workload import NAMESPACE, Load, Workload
from testbed import waiting
from testbed.guest import Guest


def hot_set_arrives(
    stage: Stage, guest: Guest, load: Load, *, share: float, limit_s: float, at_once: bool = False
) -> list[Sample]:
    """Runs the workload on a node until so much of its hot set is on the fast nid; returns where its pages were.

    With `at_once` that may be before it says so for the first time: it always fills the slow nid.
    """
    workload = Workload(stage.cluster, guest, load)
    samples: list[Sample] = []

    def arrived() -> bool:
        samples[:] = workload.samples()
        return bool(samples) and samples[-1].hot_fast_ratio >= share

    try:
        first = workload.start()
        assert at_once or first.hot_fast_ratio < 0.5, "the hot set was not placed on the slow nid"
        waiting.until(arrived, "the hot set to arrive", limit_s=limit_s, every_s=3, detail=lambda: str(samples[-1:]))
    finally:
        stage.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")
    return samples
