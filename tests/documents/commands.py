"""The commands that the pages for users show, with the output that they print below them.

A block is fenced or indented by four. One whose first line is `word:` is YAML. In one with prompts (`$ `) other lines
are output; in every other block each line is a command: what is not meant to be one has to be written differently.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_YAML = re.compile(r"- |[A-Za-z]+:( |$)")
_COMMENT = re.compile(r"(^|\s+)#.*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command as it stands on a page.

    Attributes:
        page: file name.
        text: without prompt and comment, in one line.
        output: the lines that the page prints below it.
    """

    page: str
    text: str
    output: tuple[str, ...] = ()


def all_commands() -> list[Command]:
    """Returns the commands of all pages, in the order of the pages."""
    return [found for page in PAGES for found in commands(page.name, page.read_text())]


def commands(page: str, text: str) -> Iterator[Command]:
    """Yields the commands of one page."""
    for block in blocks(text):
        if not _YAML.match(block[0]):
            yield from _of_block(page, _joined(block))


def blocks(text: str) -> Iterator[list[str]]:
    """Yields the lines of each block, without their indentation."""
    block: list[str] = []
    fenced, before = False, ""
    for line in [*text.splitlines(), "", "end"]:
        fence = line.lstrip().startswith("```")
        inside = fenced or (line.startswith("    ") and (bool(block) or not before.strip()))
        if inside and not fence and line.strip():
            block.append(line)
        elif block and (fence or line.strip()):
            yield _dedented(block)
            block = []
        fenced ^= fence
        before = line
    assert not fenced, "a fence is never closed"


def _dedented(block: list[str]) -> list[str]:
    margin = min(len(line) - len(line.lstrip()) for line in block)
    return [line[margin:] for line in block]


def _joined(block: list[str]) -> list[str]:
    return re.sub(r"\\\n\s*", "", "\n".join(block)).splitlines()


def _of_block(page: str, lines: list[str]) -> Iterator[Command]:
    if not any(line.startswith("$ ") for line in lines):
        texts = [_COMMENT.sub("", line).strip() for line in lines]
        yield from (Command(page=page, text=text) for text in texts if text)
        return
    assert lines[0].startswith("$ "), f"{page}: output before the first prompt: {lines[0]}"
    for part in re.split(r"^\$ ", "\n".join(lines), flags=re.MULTILINE)[1:]:
        first, *output = part.splitlines()
        yield Command(page=page, text=_COMMENT.sub("", first).strip(), output=tuple(output))
