"""Where an order of tiers contradicts how fast their nids are. Pure.

Use: the agent holds a policy's tiers to what its kernel says, the plugin to what nodes have reported.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple


class Inversion(NamedTuple):
    """A nid of a faster tier that is slower memory than one of a slower tier."""

    nid: int
    tier: str
    than: int
    than_tier: str


def inversions(tiers: Sequence[tuple[str, Sequence[int]]], ranks: Mapping[int, int]) -> Iterator[Inversion]:
    """Yields the pairs that are the other way; equals are none.

    Args:
        tiers: name and nids of each, fastest first.
        ranks: by nid; a smaller number is faster. A nid without one is passed over.
    """
    for (faster, upper), (slower, lower) in combinations(tiers, 2):
        for nid in upper:
            for than in lower:
                if nid in ranks and than in ranks and ranks[nid] > ranks[than]:
                    yield Inversion(nid=nid, tier=faster, than=than, than_tier=slower)
