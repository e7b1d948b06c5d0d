"""Tables and lines that look alike everywhere. Pure.

Before: the modules that show one view each. After: `terminal`.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from terrace_api.units import display_bytes
from terrace_kubectl.problems import Problem
from terrace_kubectl.rows import IDLE, NO_AGENT, TierUse
from terrace_operator.standing import State

Cell = str | Text
_LEAST_WRAPPED = 40
"""Columns of the text that wraps: with fewer it would be a word a line."""

_GOOD, _BAD, _ODD, _QUIET = "green", "bold red", "yellow", "dim"
_STYLES = {
    State.READY.value: _GOOD,
    IDLE: _QUIET,
    NO_AGENT: _QUIET,
    State.WAITING.value: _QUIET,
    State.UNSUPPORTED.value: _QUIET,
    State.DEGRADED.value: _BAD,
    State.SILENT.value: _BAD,
}


def table(*heads: str, wraps: str = "") -> Table:
    """Returns an empty table in kubectl's look; the columns keep their width, but for the one that wraps."""
    found = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for head in heads:
        wrapped = head == wraps
        found.add_column(head, no_wrap=not wrapped, overflow="fold", min_width=_LEAST_WRAPPED if wrapped else None)
    return found


def facts(pairs: Iterable[tuple[str, Cell]]) -> Table:
    """Returns labels and values, those without a value left out."""
    found = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False, show_edge=False)
    found.add_column(no_wrap=True, style="bold")
    found.add_column(overflow="fold")
    for label, value in pairs:
        if value:
            found.add_row(label, value)
    return found


def problems(found: Iterable[Problem]) -> Table:
    """Returns what needs attention, each kind once."""
    listed = table("STATE", "REASON", "NODES", "WHICH", "WHAT THEY SAY", wraps="WHAT THEY SAY")
    for one in found:
        listed.add_row(state(one.state), one.reason, str(one.nodes), named(one.sample, one.nodes, most=2), one.message)
    return listed


def heading(text: str) -> Padding:
    """Returns a line above a part, with room before it."""
    return Padding(Text(text, style="bold"), (1, 0, 0, 0))


def state(name: str, text: str = "") -> Text:
    """Returns a state in its colour, or a text in the state's."""
    return Text(text or name, style=_STYLES.get(name, _ODD))


def verdict(holds: bool, text: str) -> Text:
    """Returns a text in green or red."""
    return Text(text, style=_GOOD if holds else _BAD)


def odd(text: str) -> Text:
    """Returns a text that deserves a look."""
    return Text(text, style=_ODD)


def quiet(text: str) -> Text:
    """Returns a text for who wants to know."""
    return Text(text, style=_QUIET)


def use(tier: TierUse) -> str:
    """Returns how full a tier is."""
    return f"{tier.used_share} of {display_bytes(tier.total_bytes)}"


def named(names: Sequence[str], count: int, most: int = 3) -> str:
    """Returns the first few names, and how many more there are."""
    more = count - min(len(names), most)
    return ", ".join(names[:most]) + (f" +{more}" if more > 0 else "")


def sentence(reason: str, message: str) -> str:
    """Returns a reason and its message, without saying the same twice."""
    return f"{reason}: {message}" if message else reason


def age(since: str, now: datetime) -> str:
    """Returns how long ago that was, as kubectl does: `45s`, `12m`, `3h`, `9d`."""
    seconds = int((now - datetime.fromisoformat(since).astimezone(UTC)).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"
