"""Whether the totals that Terrace reports are what others counted. Pure.

Before: `main_job`, which asks everybody. The policy's totals and the node's are what the two kubectl tables show.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from story.placement import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a status says was moved."""

    promoted_bytes: int
    demoted_bytes: int

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> Totals:
        """Returns the totals of a TieringPolicy's or a NodeTiering's status."""
        return cls(promoted_bytes=status["promotedBytes"], demoted_bytes=status["demotedBytes"])


def agree(policy: Totals, node: Totals, samples: Sequence[Sample], *, migrated_bytes: int) -> bool:
    """Returns whether both statuses say what the workload saw come and go and the kernel counted.

    They need not be equal: each is written once a minute, the policy's up to a minute after the node's.

    Args:
        policy: of the TieringPolicy.
        node: of the NodeTiering of the policy's only node.
        samples: of the workload, since the policy.
        migrated_bytes: by the kernel's own count, both directions together.
    """
    arrived = _risen(samples, lambda taken: taken.hot_fast_bytes)
    left = _risen(samples, lambda taken: -taken.cold_fast_bytes)
    return all(
        near(told.promoted_bytes, arrived)
        and near(told.demoted_bytes, left)
        and near(told.promoted_bytes + told.demoted_bytes, migrated_bytes)
        for told in (policy, node)
    )


def near(told: int, counted: int) -> bool:
    """Within 10% and 16 MiB: the node's own processes have hot and cold pages, too, and it compacts memory."""
    return abs(told - counted) <= counted / 10 + (16 << 20)


def _risen(samples: Sequence[Sample], value: Callable[[Sample], int]) -> int:
    """Returns every rise between two samples, added up."""
    return sum(max(0, value(after) - value(before)) for before, after in itertools.pairwise(samples))
