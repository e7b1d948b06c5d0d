"""Prints views: tables on a terminal, the same without colours and folding in a pipe, JSON or YAML on demand.

Before: the modules of this package. NO_COLOR is rich's affair.
"""

import io
import json
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import yaml
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table

from terrace_api.codec import encode

_PIPE_COLUMNS = 10_000
"""Nothing is folded in a pipe, as in those of kubectl."""


class Output(StrEnum):
    """What a view is printed as."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def show(renderables: Iterable[RenderableType]) -> None:
    """Prints to standard output."""
    if sys.stdout.isatty():
        _print(renderables, Console(highlight=False, markup=False, emoji=False))
    else:
        sys.stdout.write(plain(renderables, columns=_PIPE_COLUMNS))


def plain(renderables: Iterable[RenderableType], *, columns: int) -> str:
    """Returns text without colours and without blanks at the ends of lines."""
    into = io.StringIO()
    _print(
        renderables, Console(file=into, width=columns, color_system=None, highlight=False, markup=False, emoji=False)
    )
    return "".join(f"{line.rstrip()}\n" for line in into.getvalue().splitlines())


def _print(renderables: Iterable[RenderableType], console: Console) -> None:
    """Prints; what does not fit into the width runs on, as with kubectl, rather than being cut."""
    width = console.width
    for one in renderables:
        if isinstance(one, Table):
            _keep_widths(one)
        unbounded = console.options.update(max_width=_PIPE_COLUMNS)
        console.width = max(width, Measurement.get(console, unbounded, one).minimum)
        console.print(one, crop=False)


def _keep_widths(table: Table) -> None:
    """Keeps rich from cutting the columns that do not wrap."""
    for column in table.columns:
        if column.no_wrap:
            column.min_width = max(cell_len(str(cell)) for cell in (column.header, *column.cells))


def dump(view: Any, output: Output) -> None:
    """Prints a view for programs."""
    sys.stdout.write(as_text(view, output))


def as_text(view: Any, output: Output) -> str:
    """Returns a view as JSON or YAML, with names as in objects."""
    encoded = encode(view)
    if output is Output.JSON:
        return json.dumps(encoded, indent=2) + "\n"
    return yaml.safe_dump(encoded, sort_keys=False, width=120)
