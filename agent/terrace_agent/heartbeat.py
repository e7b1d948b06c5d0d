"""How often an agent writes its status when nothing changed. Pure.

Before: `cluster` counts the fleet. After: `loop` writes within the period, and the status says it: the operator calls
an agent silent after three of them.
"""

SHORTEST_S = 60
LONGEST_S = 900
WRITES_PER_SECOND = 25
"""What the heartbeats of a whole fleet may come to; for comparison, kubelets renew their leases every 10 s each."""


def period_s(nodes: int) -> int:
    """Returns the period for a fleet of so many nodes: the longer, the more there are."""
    return min(LONGEST_S, max(SHORTEST_S, nodes // WRITES_PER_SECOND))
