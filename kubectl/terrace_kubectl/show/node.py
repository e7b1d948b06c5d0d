"""One node as text. Pure.

Before: `node_view`. After: `terminal`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from terrace_api.node_tiering import NOWHERE, Kdamond, NumaNode, PodPlacement
from terrace_api.units import display_bytes
from terrace_kubectl.node_view import NodeView
from terrace_kubectl.rows import NodeRow, share
from terrace_kubectl.show import table
from terrace_kubectl.show.policy import conditions


def show(view: NodeView, *, now: datetime) -> Iterator[RenderableType]:
    """Yields the node, its memory, what runs there, and its pods."""
    row = view.node
    yield table.facts(
        (
            ("Node", f"{row.name} (kernel {row.kernel})" if row.kernel else row.name),
            ("Status", status(row)),
            ("Policy", follows(row)),
            ("Engine", row.engine or "none"),
            ("Revision", f"{row.revision}, in force for {table.age(view.since, now)}" if view.since else row.revision),
            ("Moved", f"{display_bytes(row.promoted_bytes)} promoted, {display_bytes(row.demoted_bytes)} demoted"),
            ("Observed", _levels(view)),
            ("Would do", "\n".join(view.plan)),
        )
    )
    if view.numa_nodes:
        yield table.heading("MEMORY")
        yield memory(view.numa_nodes)
    if view.kdamonds:
        yield table.heading("KDAMONDS")
        yield _kdamonds(view.kdamonds)
    if view.conditions:
        yield table.heading("CONDITIONS")
        yield conditions(view.conditions, now)
    if view.pods:
        yield table.heading("PODS WITH THE MOST SLOW MEMORY")
        yield _pods(view.pods)
        if view.more_pods:
            yield table.quiet(f"and {view.more_pods} more")


def status(row: NodeRow) -> Text:
    """Returns the node's state with its reason."""
    return table.state(row.state, f"{row.state}, {table.sentence(row.reason, row.message)}")


def follows(row: NodeRow) -> str:
    """Returns which policy the node follows."""
    return f"{row.policy} ({row.mode})" if row.policy else "none"


def memory(numa_nodes: Iterable[NumaNode], *, why: bool = False) -> RenderableType:
    """Returns the NUMA nodes as a table."""
    found = table.table(*("NID", "TIER", "KIND", "USED", "TOTAL", "CPUS"), *(["WHY"] if why else []), wraps="WHY")
    for one in numa_nodes:
        found.add_row(
            str(one.nid),
            one.tier or "-",
            one.kind.value,
            share(one.total_bytes - one.free_bytes, one.total_bytes),
            display_bytes(one.total_bytes),
            str(one.cpus),
            *([one.why] if why else []),
        )
    return found


def _levels(view: NodeView) -> str:
    if view.levels is None:
        return "no levels; Status says why" if view.node.reason == "Observing" else ""
    hot, cold = display_bytes(view.levels.hot_on_slow_bytes), display_bytes(view.levels.cold_on_fast_bytes)
    return f"{hot} hot on slow, {cold} cold on fast; Enforce would promote {display_bytes(view.levels.forecast_bytes)}"


def _kdamonds(kdamonds: Iterable[Kdamond]) -> RenderableType:
    found = table.table("INDEX", "PID", "DOES", "NIDS", "TRIED", "APPLIED", "ARRIVED", "QUOTA EXCEEDS")
    for one in kdamonds:
        moves = one.target_nid != NOWHERE
        found.add_row(
            str(one.index),
            str(one.pid),
            one.direction,
            f"{one.source_nid} -> {one.target_nid}" if moves else str(one.source_nid),
            display_bytes(one.tried_bytes),
            display_bytes(one.applied_bytes),
            display_bytes(one.arrived_bytes) if moves else "-",
            str(one.quota_exceeds),
        )
    return found


def _pods(pods: Iterable[PodPlacement]) -> RenderableType:
    found = table.table("NAMESPACE", "POD", "FAST", "SLOW", "FAST SHARE", "TIERED", "WHY", wraps="WHY")
    for pod in pods:
        found.add_row(
            pod.namespace or "-",
            pod.name or pod.uid,
            display_bytes(pod.fast_bytes),
            display_bytes(pod.slow_bytes),
            pod.fast_share or "-",
            {True: "yes", False: "no", None: "-"}[pod.tiered],
            pod.why,
        )
    return found
