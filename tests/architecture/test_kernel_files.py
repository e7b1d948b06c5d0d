"""The table of kernel files in ARCHITECTURE.md, held to the paths that stand in the agent's code, in both directions.

What it cannot see: a path that is put together of parts, but for the part that begins with `/`.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENT = ROOT / "agent"
DOOR = "terrace_agent.hostfs"
"""Knows where folders are mounted, and owns none."""
_PATH = re.compile(r"/(?:sys|proc|run)(?:/\S*)?$")


@dataclass(frozen=True)
class Row:
    patterns: tuple[str, ...]
    owners: tuple[str, ...]

    def owned_by(self, module: str) -> bool:
        return any(f"{module}.".startswith(f"{owner}.") for owner in self.owners)


def quoted(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def rows() -> list[Row]:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.split("| file | owner | what for |\n", 1)[1].split("\n\n", 1)[0]
    cells = [line.strip("|").split("|") for line in table.splitlines()[1:]]
    return [Row(patterns=quoted(files), owners=quoted(owner)) for files, owner, _ in cells]


def documents(tree: ast.AST) -> set[int]:
    """Returns the strings that stand alone: docstrings."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def paths(module: Path) -> Iterator[str]:
    """Yields the paths that stand in a module; what is filled in is `*`."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    skipped = documents(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            yield from _path(
                "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield from _path(node.value)


def _path(text: str) -> Iterator[str]:
    text = text.replace(r"\.", ".")  # of a regular expression
    if _PATH.match(text):
        yield text


def covers(pattern: str, path: str) -> bool:
    """Returns whether a pattern of the table is about a path of the code, or about something below it."""
    pattern = pattern.replace("PID", "*").replace("**/", "*").replace("**", "*")
    return fnmatchcase(path, pattern) or fnmatchcase(f"{path}/", pattern) or pattern.startswith(f"{path}/")


FOUND = sorted(
    (".".join(file.relative_to(AGENT).with_suffix("").parts), path)
    for file in AGENT.rglob("*.py")
    for path in set(paths(file))
    if ".".join(file.relative_to(AGENT).with_suffix("").parts) != DOOR
)


@pytest.mark.parametrize(("module", "path"), FOUND)
def test_a_path_in_the_code_is_in_the_table_with_its_owner(module: str, path: str) -> None:
    owned = [pattern for row in rows() if row.owned_by(module) for pattern in row.patterns]
    assert any(covers(pattern, path) for pattern in owned)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.patterns[0])
def test_a_row_of_the_table_is_about_paths_in_its_owners_code(row: Row) -> None:
    owned = [path for module, path in FOUND if row.owned_by(module)]
    assert [pattern for pattern in row.patterns if not any(covers(pattern, path) for path in owned)] == []
