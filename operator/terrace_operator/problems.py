"""What keeps a policy's nodes from being ready, each kind once, with a few names. Pure.

Before: `tally`. After: `rollup` puts them in the status.
"""

from collections import defaultdict
from collections.abc import Iterable

from terrace_api.policy_status import NodeProblem
from terrace_operator.standing import Standing, State

_KINDS, _NAMES, _MESSAGE_CHARS = 32, 10, 1024
_NO_PROBLEM = {State.READY, State.WAITING}


def node_problems(followers: Iterable[Standing]) -> tuple[NodeProblem, ...]:
    """Returns the problems by state and reason, the most frequent first."""
    found: defaultdict[tuple[str, str], list[Standing]] = defaultdict(list)
    for standing in followers:
        if standing.state not in _NO_PROBLEM:
            found[standing.state.value, standing.reason].append(standing)
    most_first = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        NodeProblem(
            state=state,
            reason=reason,
            nodes=len(standings),
            sample=tuple(standing.node for standing in standings[:_NAMES]),
            message=standings[0].message[:_MESSAGE_CHARS],
        )
        for (state, reason), standings in most_first[:_KINDS]
    )
