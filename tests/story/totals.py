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

    They need not be equal: each is written once a minute, the policy's up to a minute after the node's. What is moved
    of other processes of the node is in the kernel's count, and not in the workload's.

    Args:
        policy: of the TieringPolicy.
        node: of the NodeTiering of the policy's only node.
        samples: of the workload, since the policy.
        migrated_bytes: by the kernel's own count, both directions together.
    """
    arrived, left = _arrived(samples), _left(samples)
    return all(
        _holds(told.promoted_bytes, arrived)
        and _holds(told.demoted_bytes, left)
        and near(told.promoted_bytes + told.demoted_bytes, migrated_bytes)
        for told in (policy, node)
    )


def counted(samples: Sequence[Sample], *, migrated_bytes: int) -> str:
    """Returns in words what others counted."""
    return (
        f"the workload saw {_arrived(samples)} bytes of its hot set arrive and {_left(samples)} of its cold set leave, "
        f"the kernel counted {migrated_bytes} bytes migrated in all"
    )


def near(told: int, counted: int) -> bool:
    """Within 10% and 16 MiB: the node compacts memory, too."""
    return abs(told - counted) <= counted / 10 + (16 << 20)


def _arrived(samples: Sequence[Sample]) -> int:
    return _risen(samples, lambda taken: taken.hot_fast_bytes)


def _left(samples: Sequence[Sample]) -> int:
    return _risen(samples, lambda taken: -taken.cold_fast_bytes)


def _holds(told: int, counted: int) -> bool:
    return told >= counted or near(told, counted)


def _risen(samples: Sequence[Sample], value: Callable[[Sample], int]) -> int:
    """Returns every rise between two samples, added up."""
    return sum(max(0, value(after) - value(before)) for before, after in itertools.pairwise(samples))
