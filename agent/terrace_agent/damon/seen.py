"""What a look at the node found, as far as `desired` depends on it. Pure.

Before: `surroundings`, `look`, `adapt`, `workloads`. After: `desired`. Topology and features stand beside it:
those are facts of the node, this is how it runs just now.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from terrace_agent.damon.cadence import CurrentIntervals
from terrace_agent.damon.control import Direction, Grant
from terrace_agent.damon.lenience import Tries
from terrace_agent.damon.ownership import owner_of
from terrace_agent.damon.passing import Flows
from terrace_agent.damon.read import ObservedKdamond
from terrace_agent.journal import OwnedKdamond
from terrace_agent.workloads.values import EVERYTHING, Movable


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look; by default nothing runs and nothing is in the way.

    Attributes:
        current: what running kdamonds have been tuned to, by source nid.
        demotes_to: their demotion targets, by source nid.
        grants: what their schemes were allowed, where the agent steers.
        numa_balancing: the sysctl's bits; None where this kernel does not have it.
        numa_stat: whether the kernel counts allocations by nid; None likewise.
        pinned: the cgroups that reclaim's own demotion would move against their cpusets.
        movable: what may move at all.
        passing: how much of what schemes try gets past their filters.
        tries: of each source, what tells whether the young filter keeps demotion from making room.
        cools_down: a guardrail has tripped: monitoring goes on and next to nothing moves.
        under_pressure: tasks wait for memory more than the policy bears.
        easing: steps by which monitoring is cheaper than the settings ask.
    """

    current: Mapping[int, CurrentIntervals] = field(default_factory=dict)
    demotes_to: Mapping[int, int] = field(default_factory=dict)
    grants: Mapping[Direction, Grant] = field(default_factory=dict)
    numa_balancing: int | None = None
    numa_stat: bool | None = None
    pinned: tuple[str, ...] = ()
    movable: Movable = EVERYTHING
    passing: Flows = field(default_factory=dict)
    tries: Tries = field(default_factory=dict)
    cools_down: bool = False
    under_pressure: bool = False
    easing: int = 0


NOTHING_SEEN = Seen()
"""A node on which nothing of ours runs."""


def current_intervals(
    kdamonds: tuple[ObservedKdamond, ...], owned: tuple[OwnedKdamond, ...]
) -> Mapping[int, CurrentIntervals]:
    """Returns what our running kdamonds have been tuned to, by source nid."""
    return {
        source_nid: CurrentIntervals(sample_us=intervals.sample_us, aggr_us=intervals.aggr_us)
        for kdamond, _, source_nid in _running(kdamonds, owned)
        if kdamond.tree and kdamond.tree.contexts
        if (intervals := kdamond.tree.contexts[0].monitoring_attrs.intervals).sample_us and intervals.aggr_us
    }


def demotion_targets(kdamonds: tuple[ObservedKdamond, ...], owned: tuple[OwnedKdamond, ...]) -> Mapping[int, int]:
    """Returns where our running kdamonds demote to, by source nid."""
    return {
        source_nid: target_nid
        for _, claim, source_nid in _running(kdamonds, owned)
        for promotes, target_nid in claim.directions
        if not promotes
    }


def _running(
    kdamonds: tuple[ObservedKdamond, ...], owned: tuple[OwnedKdamond, ...]
) -> Iterator[tuple[ObservedKdamond, OwnedKdamond, int]]:
    for kdamond in kdamonds:
        claim = owner_of(kdamond, owned) if kdamond.on else None
        if claim and claim.source_nid is not None:
            yield kdamond, claim, claim.source_nid
