"""What each scheme of a kdamond does, by its number: whether one may go on as another. Pure.

A commit matches schemes by number, and keeps what each has counted (docs/kernel-facts.md, 38). Used by `change`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from terrace_agent.damon.tree import MEMCG_METRICS, Action

SCHEME_FILE = re.compile(r"/contexts/0/schemes/(\d+)/(.+)$")
_GOAL_METRIC = re.compile(r"quotas/goals/\d+/target_metric$")
_MOVERS = ("/action", "/target_nid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What one scheme does; `is_apart` for a single pod."""

    does: tuple[str, ...]
    is_apart: bool

    @property
    def moves(self) -> bool:
        """Whether it moves memory."""
        return Action.STAT.value not in self.does


def kinds(files: Iterable[tuple[str, str]]) -> tuple[Kind, ...]:
    """Returns what the schemes of a tree do, by number; `files` are path and value of all its files."""
    found: dict[int, list[tuple[str, str]]] = {}
    for path, value in files:
        if match := SCHEME_FILE.search(path):
            found.setdefault(int(match[1]), []).append((f"/{match[2]}", value))
    return tuple(_kind(found[number]) for number in sorted(found))


def _kind(files: list[tuple[str, str]]) -> Kind:
    return Kind(
        does=tuple(value for path, value in files if path in _MOVERS),
        is_apart=any(_GOAL_METRIC.search(path) and value in MEMCG_METRICS for path, value in files),
    )


def begin_anew(former: tuple[Kind, ...], latter: tuple[Kind, ...]) -> bool:
    """Returns whether a scheme that moves would go on as one that does something else.

    Schemes are committed by their order: one that is added or dropped behind these leaves these alone. One that moves
    to another nid begins anew: what it has counted went elsewhere.
    """
    general = [[one.does for one in found if one.moves and not one.is_apart] for found in (former, latter)]
    return general[0] != general[1] or any(
        one.does != other.does and (one.moves or other.moves) for one, other in zip(former, latter, strict=False)
    )


def memcg_goals(files: Iterable[tuple[str, str]]) -> set[str]:
    """Returns the cgroups that goals name."""
    return {value for path, value in files if path.endswith("/path") and "/quotas/goals/" in path}
