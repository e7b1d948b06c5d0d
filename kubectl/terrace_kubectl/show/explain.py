"""Why a node or a pod is as it is, as text. Pure.

Before: `explain_node`, `explain_pod`. After: `terminal`.
"""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.text import Text

from terrace_api.node_tiering import Effective, EngineCapability, PodPlacement
from terrace_api.units import display_bytes
from terrace_kubectl.explain_node import Candidate, NodeExplained, PodGroup
from terrace_kubectl.explain_pod import PodExplained
from terrace_kubectl.show import table
from terrace_kubectl.show.node import follows, memory, status


def show_node(view: NodeExplained) -> Iterator[RenderableType]:
    """Yields why: policies, engines, tiers, settings, and what happens to pods."""
    row = view.node
    yield table.facts(
        (
            ("Node", f"{row.name} (kernel {row.kernel})" if row.kernel else row.name),
            ("Status", status(row)),
            ("Policy", f"{follows(row)}: {view.why}"),
            *((f"{one.type}={one.status.value}", table.sentence(one.reason, one.message)) for one in view.blocking),
            ("Not understood", ", ".join(view.unknown_fields)),
        )
    )
    if view.candidates:
        yield table.heading("POLICIES (the first that selects it wins)")
        yield _candidates(view.candidates)
    if view.engines:
        yield table.heading("ENGINES (the first that is possible runs)")
        yield _engines(view.engines, row.engine)
    if view.numa_nodes:
        yield table.heading("TIERS")
        yield memory(view.numa_nodes, why=True)
    if view.settings:
        told = f", OF REVISION {row.told}, WHICH IS NOT IN FORCE" if view.refused else ""
        yield table.heading(f"SETTINGS THAT ARE NOT THE DEFAULT{told}")
        yield Text("\n".join(view.settings))
    if view.effective:
        yield table.heading(f"IN FORCE IS REVISION {row.revision}" if view.refused else "WHAT BECAME OF THEM HERE")
        yield _effective(view.effective)
    if view.pods:
        yield table.heading("PODS")
        yield _pods(view.pods)


def show_pod(view: PodExplained) -> Iterator[RenderableType]:
    """Yields whether the pod is tiered, and why."""
    answer = {True: "tiered", False: "not tiered", None: "not known"}[view.tiered]
    if view.tiered and not view.moves:
        answer = "tiered, and held up"
    yield table.facts(
        (
            ("Pod", f"{view.namespace}/{view.name}" + (f" on node {view.node}" if view.node else "")),
            ("Memory", table.verdict(view.moves, answer) if view.tiered else table.odd(answer)),
            ("Because", Text("\n").join(map(Text, view.why))),
            ("Policy", f"{view.policy} ({view.mode})" if view.policy else "none"),
            ("Where", _place(view.placement) if view.placement else ""),
        )
    )


def _place(found: PodPlacement) -> str:
    share = f" ({found.fast_share} fast)" if found.fast_share else ""
    return f"{display_bytes(found.fast_bytes)} fast, {display_bytes(found.slow_bytes)} slow{share}"


def _candidates(candidates: Iterable[Candidate]) -> RenderableType:
    found = table.table("POLICY", "FOLLOWED", "WHY NOT", wraps="WHY NOT")
    for one in candidates:
        found.add_row(one.policy, table.verdict(True, "yes") if one.follows else "no", one.why)
    return found


def _engines(engines: Iterable[EngineCapability], running: str) -> RenderableType:
    found = table.table("ENGINE", "POSSIBLE", "RUNS", "REASON", "MESSAGE", wraps="MESSAGE")
    for one in engines:
        possible = table.verdict(True, "yes") if one.available else Text("no")
        runs = "yes" if one.name.value == running else "no"
        found.add_row(one.name.value, possible, runs, one.reason, one.message)
    return found


def _effective(found: Effective) -> RenderableType:
    return table.facts(
        (
            ("Promotion", f"until {found.fast_used_target} of a fast nid are used"),
            ("Demotion", f"while less than {found.fast_free_target} of a fast nid are free"),
            ("Floor", f"{display_bytes(found.fast_floor_bytes)} stay free"),
            ("Quota", f"{display_bytes(found.quota_bytes_per_second)}/s per direction"),
            ("Sampling", f"every {found.sample_interval}, aggregated over {found.aggregation_interval}"),
            ("Schemes", f"applied every {found.apply_interval}"),
            ("Stopped by", found.quota_control.value if found.quota_control else ""),
            ("Notes", Text("\n").join(map(Text, found.notes))),
        )
    )


def _pods(groups: Iterable[PodGroup]) -> RenderableType:
    found = table.table("PODS", "TIERED", "WHY", wraps="WHY")
    for one in groups:
        found.add_row(str(one.pods), "yes" if one.tiered else "no", one.why or "the policy has no rules for workloads")
    return found
