"""The fleet at a glance as text. Pure.

Before: `fleet_view`. After: `terminal`.
"""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from terrace_api.units import display_bytes
from terrace_kubectl.fleet_view import FleetView
from terrace_kubectl.policy_rows import PolicyRow
from terrace_kubectl.show import table


def show(view: FleetView) -> Iterator[RenderableType]:
    """Yields nodes in numbers, the policies, and what needs attention."""
    yield table.facts(
        (
            ("Nodes", _states(view)),
            ("Engines", ", ".join(f"{one.name} on {one.nodes}" for one in view.engines) or "none runs"),
            ("Memory", _memory(view)),
            ("Moved", f"{display_bytes(view.promoted_bytes)} promoted, {display_bytes(view.demoted_bytes)} demoted"),
        )
    )
    yield table.heading("POLICIES")
    yield _policies(view.policies) if view.policies else Text("none: nothing is tiered")
    if view.problems:
        yield table.heading("NEEDS ATTENTION")
        yield table.problems(view.problems)


def _states(view: FleetView) -> Text:
    counts = [table.state(one.name, f"{one.nodes} {one.name}") for one in view.states]
    return Text(f"{view.nodes}: ").append_text(Text(", ").join(counts)) if counts else Text("none")


def _memory(view: FleetView) -> str:
    if not view.tiers:
        return "no node has reported a slow tier"
    fast, slow = view.tiers
    return f"fast {table.use(fast)} used, slow {table.use(slow)} used ({view.tiered_nodes} nodes with both)"


def _policies(policies: tuple[PolicyRow, ...]) -> RenderableType:
    found = table.table(
        *("POLICY", "MODE", "PRIORITY", "NODES", "UPDATED", "READY", "PROMOTED", "DEMOTED", "STATUS"), wraps="STATUS"
    )
    for row in policies:
        found.add_row(
            row.name,
            row.mode or "-",
            str(row.priority),
            str(row.nodes),
            row.updated or "-",
            row.ready or "-",
            display_bytes(row.promoted_bytes),
            display_bytes(row.demoted_bytes),
            table.verdict(row.is_ready, "Ready" if row.is_ready else row.reason),
        )
    return found
