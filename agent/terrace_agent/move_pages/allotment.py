"""How much each direction may move in one turn, where several have the same target. Pure.

Before: flows with their stops. After: `desired` orders what fits.

What moves into a nid takes from its room, whoever ordered it, and promotions into a fast nid share the quota of its
window. Of what is left each direction gets the same part, and what it does not need is left for those after it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from terrace_agent.flows.directions import Flow, lack_bytes, promotion_room_bytes, target_room_bytes
from terrace_agent.steps import Move

_MOST_SAVED_S = 5.0


class Allotment:
    """What has been given away in this turn.

    Args:
        elapsed_s: for how long nothing was moved: what the quota has saved up, up to five seconds.
    """

    def __init__(self, elapsed_s: float) -> None:
        self._elapsed_s = min(elapsed_s, _MOST_SAVED_S)
        self._given: Counter[int] = Counter()
        self._promoted: Counter[int] = Counter()

    def bytes_for(self, flow: Flow, others: int) -> int:
        """Returns how much `flow` may move, while so many `others` into the same nid are still to come."""
        target = flow.pair.target.nid
        quota = round(flow.window.bytes_per_second * self._elapsed_s)
        if flow.pair.promotes:
            left = min(promotion_room_bytes(flow) - self._given[target], quota - self._promoted[target])
            return max(0, left // (others + 1))
        room = (target_room_bytes(flow) - self._given[target]) // (others + 1)
        return max(0, min(lack_bytes(flow), quota, room))

    def give(self, order: Move) -> None:
        """Takes note of an order."""
        size = order.limit_pages * order.page_bytes
        self._given[order.nid] += size
        self._promoted[order.nid] += size if order.promotes else 0


def together(flows: Iterable[Flow]) -> Iterator[tuple[Flow, ...]]:
    """Yields the flows of one direction and target, those that make room first."""
    ordered = sorted(flows, key=_kind)
    return (tuple(alike) for _, alike in groupby(ordered, key=_kind))


def _kind(flow: Flow) -> tuple[bool, int]:
    return flow.pair.promotes, flow.pair.target.nid
