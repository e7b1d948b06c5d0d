"""What a check says. Pure.

Before: the checks. After: `checks` puts them together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    PROBLEM = "Problem"
    """Something does not work; there is something to do."""
    UNKNOWN = "Unknown"
    """Who asks may not see it."""
    NOTE = "Note"
    """Works as intended, and worth knowing."""
    GOOD = "Good"
    """Looked at, and as it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: a few words; the same in good days and in bad.
        what: what is so.
        cure: what to do; empty where nothing has to be done.
        nodes: how many nodes it is about; 0 if it is not about nodes.
        sample: names of a few of them.
    """

    level: Level
    topic: str
    what: str
    cure: str = ""
    nodes: int = 0
    sample: tuple[str, ...] = ()


_NAMES = 10


def good(topic: str, what: str) -> Finding:
    """Returns that something is as it should be."""
    return Finding(level=Level.GOOD, topic=topic, what=what)


def problem(topic: str, what: str, cure: str) -> Finding:
    """Returns that something does not work."""
    return Finding(level=Level.PROBLEM, topic=topic, what=what, cure=cure)


def about_nodes(level: Level, topic: str, names: Iterable[str], what: str, cure: str = "") -> Finding:
    """Returns something about some nodes."""
    listed = tuple(names)
    return Finding(level=level, topic=topic, what=what, cure=cure, nodes=len(listed), sample=listed[:_NAMES])


def few(words: Sequence[str]) -> str:
    """Returns the first of them."""
    return ", ".join(words[:3]) + (", ..." if len(words) > 3 else "")
