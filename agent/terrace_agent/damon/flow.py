"""One direction between two nids, as values: what was computed for it, and what it is allowed. Pure.

Before: `desired` computes, `control` allows. After: `schemes`, `describe`.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto

from terrace_agent.damon.apart import Apart, share_bytes
from terrace_agent.flows.limits import Stops, Window
from terrace_agent.flows.pairs import Pair
from terrace_agent.workloads.values import Limited, Selection

_PAGE_BYTES = 4_096


class Phase(Enum):
    """How far an allowance has come; see `control`."""

    CLOSED = auto()
    """Nothing may move, and nothing is to be allowed."""
    PRIMED = auto()
    """Nothing may move until the kernel has taken the amount over."""
    OPENED = auto()
    """The amount may move, since this turn."""
    OPEN = auto()
    """What is left of the amount may move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a direction may move, all in all; see `control`."""

    bytes: int
    phase: Phase

    @property
    def may_move(self) -> bool:
        """Whether the scheme matches anything."""
        return self.phase in {Phase.OPENED, Phase.OPEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One direction between two nids, with every number that was computed for it.

    Attributes:
        window: of the fast nid, shared by all sources.
        quota_bytes: this source's part of it.
        rate_bytes: what the policy's rate comes to in that time, where it is more.
        slow_used_bp: a demotion stops when its target is that full.
        min_age: in aggregations, as long as the source's intervals stay.
        apply_interval_cut: the policy's own would have starved the scheme.
        same_memory_tier: the kernel's own demotion does not know which of both is slower.
        pinned: the kernel's own demotion has to stay off, or it would move pods that their cpusets keep here.
        allowance: None where the kernel steers the quota by goals.
        selection: what may move to the target; None for all memory.
        uniform: regions are not weighed, since those that weigh most are not among what may move.
        lenient: a demotion takes young pages, too, since hardly any other was to be had.
        apart: the pods that have schemes of their own, for bounds on what they have of the fast nid.
        unpromoted: the pods of which nothing is promoted, for bounds that are less than the kernel tells apart.
    """

    pair: Pair
    window: Window
    quota_bytes: int
    rate_bytes: int
    stops: Stops
    slow_used_bp: int
    min_age: int
    apply_interval_us: int
    apply_interval_cut: bool
    same_memory_tier: bool
    pinned: bool = False
    allowance: Allowance | None = None
    selection: Selection | None = None
    uniform: bool = False
    lenient: bool = False
    apart: tuple[Apart, ...] = ()
    unpromoted: tuple[Limited, ...] = ()

    @property
    def general_bytes(self) -> int:
        """What the general scheme has of the quota."""
        return share_bytes(self.quota_bytes, 1) if self.apart else self.quota_bytes


def held(flow: Flow) -> Flow:
    """Returns `flow` with the smallest quota, a page per window: to the kernel, 0 would be no limit."""
    return replace(flow, quota_bytes=_PAGE_BYTES, rate_bytes=_PAGE_BYTES)
