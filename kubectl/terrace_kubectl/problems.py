"""What keeps nodes from doing what they should, each kind once, with a few names. Pure.

Before: `rows`. After: `fleet_view`, `doctor`.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from terrace_kubectl.rows import NodeRow, by_urgency, needs_attention

_NAMES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One kind of problem.

    Attributes:
        sample: names of a few of the nodes.
        message: what the first of them says.
    """

    state: str
    reason: str
    nodes: int
    sample: tuple[str, ...]
    message: str


def problems(rows: Iterable[NodeRow]) -> tuple[Problem, ...]:
    """Returns the problems by state and reason, the most urgent first."""
    found: defaultdict[tuple[str, str], list[NodeRow]] = defaultdict(list)
    for row in by_urgency(rows):
        if needs_attention(row):
            found[row.state, row.reason].append(row)
    return tuple(
        Problem(
            state=state,
            reason=reason,
            nodes=len(alike),
            sample=tuple(row.name for row in alike[:_NAMES]),
            message=alike[0].message,
        )
        for (state, reason), alike in found.items()
    )
