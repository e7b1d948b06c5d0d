"""What a policy file would change, as text. Pure.

Before: `diff`. After: `terminal`.
"""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.text import Text

from terrace_kubectl.diff import NOTHING, Change, DiffView, Setting
from terrace_kubectl.show import table
from terrace_operator.wording import nodes


def show(view: DiffView) -> Iterator[RenderableType]:
    """Yields what would change, on which nodes, and how it would reach them."""
    checked = (
        table.odd(f"by this plugin only: {view.unvalidated}") if view.unvalidated else "by the API server (dry run)"
    )
    yield table.facts(
        (
            ("Policy", f"{view.policy} ({'edited' if view.exists else 'new'}), revision {view.revision}"),
            ("Checked", checked),
            ("Selects", nodes(view.selected)),
            ("Changes", _count(view)),
            ("Rollout", view.pace if view.changed_nodes else ""),
            *(("Mind", table.odd(warning)) for warning in view.warnings),
        )
    )
    for change in view.changes:
        yield from _change(change)
    if view.untouched:
        yield table.heading("SELECTED, AND NOT REACHED")
        yield _untouched(view)
    if view.changed_nodes:
        yield table.quiet("\nNothing was changed. `terrace-agent plan FILE` on a node shows the stores in its kernel.")


def _count(view: DiffView) -> Text:
    if not view.changed_nodes:
        return table.verdict(True, "nothing")
    return table.odd(f"{nodes(view.changed_nodes)}, {view.same} unchanged")


def _change(change: Change) -> Iterator[RenderableType]:
    yield table.heading(f"{nodes(len(change.nodes))}: {_policies(change)}")
    idle = f"; on {change.idle} of them nothing moves, for want of a slow tier or an engine" if change.idle else ""
    yield Text(f"{table.named(change.nodes, len(change.nodes), most=5)}{idle}")
    yield Text(change.why, style="dim")
    if change.settings:
        yield _settings(change.settings)


def _policies(change: Change) -> str:
    before, after = (name if name != NOTHING else "no policy" for name in (change.before, change.after))
    if change.before == change.after:
        return f"other settings by {after}"
    restored = " (restored as they were found)" if change.after == NOTHING else ""
    return f"{before} -> {after}{restored}"


def _settings(settings: Iterable[Setting]) -> RenderableType:
    found = table.table("SETTING", "NOW", "THEN")
    for one in settings:
        found.add_row(
            one.path, Text(one.before or "(absent)", style="red"), Text(one.after or "(absent)", style="green")
        )
    return found


def _untouched(view: DiffView) -> RenderableType:
    found = table.table("NODES", "WHICH", "WHY", wraps="WHY")
    for one in view.untouched:
        found.add_row(str(len(one.nodes)), table.named(one.nodes, len(one.nodes)), one.why)
    return found
