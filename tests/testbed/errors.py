"""What can go wrong in the testbed: one tree, raised with what a reader needs to go on.

`BedError` is the root. A caller tells apart only what it can act on: a command that failed, a wait that
ran out, a guest that died (it may be booted again), and a kernel that no suite carries any more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

TAIL_LINES = 40
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|[ -/]*[0-~])|[\x00-\x08\x0b-\x1f]")
"""What a serial console writes to move a cursor; in a message it would move the reader's."""


class BedError(Exception):
    """Anything the testbed could not do."""


class CommandError(BedError):
    """A program ended with another code than 0."""

    def __init__(self, argv: Sequence[str], returncode: int, output: str) -> None:
        self.argv = tuple(argv)
        self.returncode = returncode
        self.output = output
        super().__init__(f"{' '.join(argv)[:300]}\nended with {returncode}:\n{last_lines(output)}")


class WaitError(BedError):
    """Something did not happen within its limit."""

    def __init__(self, what: str, limit_s: float, detail: str = "") -> None:
        self.what = what
        super().__init__(f"gave up waiting for {what} after {limit_s:.0f} s\n{last_lines(detail)}")


class GuestError(BedError):
    """A guest ended, or does not answer, while it should run."""

    def __init__(self, name: str, problem: str, console: Path) -> None:
        self.console = console
        super().__init__(f"guest {name}: {problem}; the end of {console}:\n{tail(console)}")


class MissingKernelError(BedError):
    """A Debian suite does not carry a kernel of this version (any more)."""

    def __init__(self, version: str, suite: str) -> None:
        super().__init__(f"the suite {suite} carries no linux {version}")


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log file, or a note that there is none."""
    if not path.exists():
        return f"(no file {path})"
    return last_lines(path.read_text(errors="replace"), lines)


def last_lines(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a text that say something, without what steers a terminal."""
    said = (line.rstrip() for line in _ESCAPES.sub("", text.replace("\r", "\n")).splitlines())
    return "\n".join([line for line in said if line][-lines:])
