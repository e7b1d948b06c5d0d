"""What is wrong, as text. Pure.

Before: `doctor.checks`. After: `terminal`.
"""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from terrace_kubectl.doctor.checks import Diagnosis
from terrace_kubectl.doctor.findings import Finding, Level
from terrace_kubectl.show import table
from terrace_operator.wording import nodes

_MARKS = {
    Level.PROBLEM: ("PROBLEM", "bold red"),
    Level.UNKNOWN: ("UNKNOWN", "yellow"),
    Level.NOTE: ("NOTE", "cyan"),
    Level.GOOD: ("OK", "green"),
}


def show(diagnosis: Diagnosis) -> Iterator[RenderableType]:
    """Yields the findings, the worst first, and the verdict."""
    found = table.table("", "WHAT", "FOUND", wraps="FOUND")
    for one in diagnosis.findings:
        text, style = _MARKS[one.level]
        found.add_row(Text(text, style=style), one.topic, _found(one))
    yield found
    yield Text("")
    problems = sum(one.level is Level.PROBLEM for one in diagnosis.findings)
    unknown = sum(one.level is Level.UNKNOWN for one in diagnosis.findings)
    left = f"; {unknown} not looked at" if unknown else ""
    if diagnosis.healthy:
        yield table.verdict(True, f"Nothing is wrong{left}.")
    else:
        yield table.verdict(False, f"{problems} {'problem' if problems == 1 else 'problems'}{left}.")


def _found(one: Finding) -> Text:
    text = Text(f"{_which(one)}: " if one.nodes else "", style="bold")
    text.append(one.what, style="not bold")
    if one.cure:
        text.append(f"\n-> {one.cure}", style="not bold cyan")
    return text


def _which(one: Finding) -> str:
    names = table.named(one.sample, one.nodes)
    return names if one.nodes == 1 else f"{nodes(one.nodes)} ({names})"
