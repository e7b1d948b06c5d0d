"""Which of several policies a node follows. Pure.

Exactly one policy is in force on a node, fields are never merged: the higher priority wins, then the older policy,
then the first by name. Names are unique, so the order is total and does not depend on how policies were listed.

Before: `select`. After: `assign` gives each node its winner.
"""

from collections.abc import Iterable

from terrace_api.policy import TieringPolicy
from terrace_operator.fleet import Node
from terrace_operator.select import selects


def ranked(policies: Iterable[TieringPolicy]) -> tuple[TieringPolicy, ...]:
    """Returns the policies, the one that wins first."""
    return tuple(sorted(policies, key=lambda policy: (-policy.spec.priority, policy.created, policy.name)))


def contenders(ranking: tuple[TieringPolicy, ...], node: Node) -> tuple[TieringPolicy, ...]:
    """Returns the policies that select the node, the winner first."""
    return tuple(policy for policy in ranking if selects(policy.spec, node))


def why_it_wins(contending: tuple[TieringPolicy, ...]) -> str:
    """Returns in words why the first of the contenders wins over the second."""
    winner, *others = contending
    if not others:
        return f"policy {winner.name} selects it"
    second = others[0]
    if winner.spec.priority != second.spec.priority:
        because = f"priority {winner.spec.priority} is above {second.spec.priority}"
    elif winner.created != second.created:
        because = f"equal priority, and it is older ({winner.created})"
    else:
        because = "equal priority and age, and its name sorts first"
    return f"policy {winner.name} wins over {', '.join(policy.name for policy in others)}: {because}"
