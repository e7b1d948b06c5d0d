"""One policy and its nodes as text. Pure.

Before: `policy_view`. After: `terminal`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from terrace_api.conditions import Condition
from terrace_api.units import display_bytes
from terrace_kubectl.policy_view import PolicyView
from terrace_kubectl.rows import NodeRow
from terrace_kubectl.show import table


def show(view: PolicyView, *, most: int | None, now: datetime) -> Iterator[RenderableType]:
    """Yields the policy, its conditions, and at most so many of its nodes."""
    row = view.policy
    yield table.facts(
        (
            ("Policy", f"{row.name} ({row.mode or 'unreadable'}, priority {row.priority})"),
            ("Selects", view.selects),
            ("Status", table.verdict(row.is_ready, table.sentence(row.reason, row.message))),
            ("Paused", table.odd("yes: no node takes a new revision") if view.paused else ""),
            ("Revision", _revision(view)),
            ("Nodes", _nodes(view)),
            ("Memory", ", ".join(f"{tier.name} {table.use(tier)} used" for tier in view.tiers)),
            ("Moved", f"{display_bytes(row.promoted_bytes)} promoted, {display_bytes(row.demoted_bytes)} demoted"),
        )
    )
    if news := [one for one in view.conditions if one.status == "True" and one.message != row.message]:
        yield table.heading("CONDITIONS")
        yield conditions(news, now)
    if view.members:
        yield table.heading("NODES")
        yield nodes(view.members[:most])
        yield from rest(len(view.members), most)
    if view.problems:
        yield table.heading("NEEDS ATTENTION")
        yield table.problems(view.problems)


def nodes(rows: Iterable[NodeRow]) -> RenderableType:
    """Returns nodes as a table."""
    found = table.table("NODE", "STATE", "REASON", "ENGINE", "FAST USED", "SLOW USED", "PROMOTED", "DEMOTED")
    for row in rows:
        fast, *slower = (table.use(tier) for tier in row.tiers) if row.tiers else ("-",)
        found.add_row(
            row.name,
            table.state(row.state),
            row.reason,
            row.engine or "-",
            fast,
            " ".join(slower) or "-",
            display_bytes(row.promoted_bytes),
            display_bytes(row.demoted_bytes),
        )
    return found


def conditions(found: Iterable[Condition], now: datetime) -> RenderableType:
    """Returns conditions as a table."""
    listed = table.table("CONDITION", "STATUS", "FOR", "REASON", "MESSAGE", wraps="MESSAGE")
    for one in found:
        since = table.age(one.last_transition_time, now)
        listed.add_row(one.type, one.status.value, since, one.reason, one.message)
    return listed


def rest(count: int, most: int | None) -> Iterator[RenderableType]:
    """Yields how many more there are than were shown."""
    if most is not None and count > most:
        yield Text(f"and {count - most} more; --all shows them", style="dim")


def _revision(view: PolicyView) -> str:
    if not view.revision:
        return ""
    if view.good == view.revision:
        return f"{view.revision}, proved good"
    return f"{view.revision}, not proved yet; good before: {view.good or 'none'}"


def _nodes(view: PolicyView) -> str:
    row = view.policy
    if not row.updated:
        return ""
    return ", ".join((f"{row.nodes} follow it, {row.updated} updated, {row.ready} ready", *view.left_out))
