"""Mode Observe: kdamonds that only watch, and what their passes say about memory on the wrong tier. Pure.

Before: `desired`, as for Enforce; `watchers` asks for passes. After: `plan` (the same stores and commands), the report.

The action `stat` moves nothing. Its counters add the same memory up at every pass, so they cannot tell how much would
move; `tried_regions/total_bytes` is what matched in one pass (`update_schemes_tried_bytes`, Linux 6.6 and later).
Without quota and filter a pass looks at regions only, never at pages, so it costs next to nothing, and it clears no
accessed bits that reclaim needs.

A pass counts physical addresses: what is free has no accesses either and is no cold memory, and a region is hot as a
whole. So these are estimates, from above.

A kdamond that was just started has seen nothing be hot or cold for as long as the policy asks: every pass would match
nothing, which is no level of zero. So a pass counts once its kdamond has watched for the ages and one aggregation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon import cadence
from terrace_agent.damon.cadence import CurrentIntervals
from terrace_agent.damon.desired import Desired, DesiredKdamond
from terrace_agent.damon.features import Feature
from terrace_agent.damon.flow import Flow
from terrace_agent.damon.regions import monitored
from terrace_agent.damon.schemes import access_pattern
from terrace_agent.damon.tree import Action, GoalTuner, Quotas, Region, Scheme
from terrace_agent.engine import levels_wait
from terrace_agent.flows.limits import share_bytes
from terrace_agent.journal import OwnedKdamond
from terrace_agent.topology.values import Nid
from terrace_api.node_tiering import NOWHERE, Kdamond, Levels
from terrace_api.policy import Settings

_LONGEST_APPLY_US = 1_000_000
"""A pass is asked for at each look and takes an apply interval, in which nothing else can be asked of the kernel."""

_NEXT_PASS = "Levels are known after the kernel's next pass."


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How far a kdamond that only watches has come.

    Attributes:
        since_s: how long it has watched by now.
        passed_s: how long it had at its last pass; 0 before one.
        matched: bytes that matched in that pass, one for each direction in the order of `DesiredKdamond.flows`.
    """

    since_s: float
    passed_s: float = 0.0
    matched: tuple[int, ...] = ()


_UNWATCHED = Watched(since_s=0.0)
Passes = Mapping[int, Watched]
"""By source nid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What mode Observe knows.

    Attributes:
        levels: None while not known.
        why: for people, why not; empty otherwise.
        left_s: how long until the next look can know more; None for no haste.
    """

    levels: Levels | None
    why: str = ""
    left_s: float | None = None


def watching(wanted: Desired, settings: Settings, features: frozenset[Feature]) -> Desired:
    """Returns kdamonds that look where those of `wanted` would act, and leave all as it is."""
    return replace(
        wanted,
        turn_s=None,
        kdamonds=tuple(_watcher(kdamond, settings, features) for kdamond in wanted.kdamonds),
    )


def watches(claim: OwnedKdamond) -> bool:
    """Returns whether a claimed kdamond only watches; one that moves serves a direction even while it has no scheme."""
    actions = {value for path, value in claim.files if path.endswith("/action")}
    return not claim.directions and actions == {Action.STAT}


def watchers(claims: Iterable[OwnedKdamond]) -> tuple[Kdamond, ...]:
    """Returns what status says of running kdamonds that only watch."""
    return tuple(
        Kdamond(
            index=claim.index,
            pid=claim.pid,
            source_nid=claim.source_nid,
            target_nid=NOWHERE,
            direction="monitoring",
            tried_bytes=0,
            applied_bytes=0,
            arrived_bytes=0,
            quota_exceeds=0,
        )
        for claim in claims
        if claim.pid is not None and claim.source_nid is not None
    )


def known_after_s(wanted: Desired, settings: Settings, current: Mapping[int, CurrentIntervals]) -> Mapping[int, float]:
    """Returns how long each source nid has to be watched, before what matches is all that the ages are about."""
    return {one.source_nid: _known_after_us(one, settings, current) / 1e6 for one in wanted.kdamonds}


def seen(wanted: Desired, passes: Passes, known_after_s: Mapping[int, float]) -> Seen:
    """Returns what the last pass of each kdamond says, once each has watched for long enough before it."""
    found = [(one, passes.get(one.source_nid, _UNWATCHED), known_after_s[one.source_nid]) for one in wanted.kdamonds]
    if any(watched.passed_s < after_s for _, watched, after_s in found):
        left_s = max(after_s - watched.since_s for _, watched, after_s in found)
        return Seen(levels=None, why=levels_wait(max(after_s for *_, after_s in found)), left_s=max(0.0, left_s))
    if any(len(watched.matched) != len(one.flows) for one, watched, _ in found):
        return Seen(levels=None, why=_NEXT_PASS)
    matched = [
        (flow, size, _monitored_bytes(one))
        for one, watched, _ in found
        for flow, size in zip(one.flows, watched.matched, strict=True)
    ]
    return Seen(levels=_levels(matched))


def _known_after_us(kdamond: DesiredKdamond, settings: Settings, current: Mapping[int, CurrentIntervals]) -> int:
    """Returns the longest age that is asked for, also as the kernel counts it, and one aggregation."""
    aggr_us = (current.get(kdamond.source_nid) or cadence.start(settings.monitoring)).aggr_us
    asked = [rule.min_age.us for rule in (settings.promotion, settings.demotion) if rule.enabled]
    return max(*asked, *(flow.min_age * aggr_us for flow in kdamond.flows)) + aggr_us


def _levels(matched: list[tuple[Flow, int, int]]) -> Levels:
    hot = [(flow, min(size, _used_bytes(flow))) for flow, size, _ in matched if flow.pair.promotes]
    cold = [
        (flow, max(0, size - _free_bytes(flow.pair.source, monitored_bytes)))
        for flow, size, monitored_bytes in matched
        if not flow.pair.promotes
    ]
    return Levels(
        hot_on_slow_bytes=sum(size for _, size in hot),
        cold_on_fast_bytes=sum(size for _, size in cold),
        forecast_bytes=_forecast_bytes(hot, cold),
    )


def _forecast_bytes(hot: list[tuple[Flow, int]], cold: list[tuple[Flow, int]]) -> int:
    """Returns, for each fast nid, the smaller of what wants in and what has or gets room."""
    wanting: dict[int, int] = {}
    room = {flow.pair.target.nid: _headroom_bytes(flow) for flow, _ in hot}
    for flow, size in hot:
        wanting[flow.pair.target.nid] = wanting.get(flow.pair.target.nid, 0) + size
    for flow, size in cold:
        room[flow.pair.source.nid] = room.get(flow.pair.source.nid, 0) + size
    return sum(min(size, room[nid]) for nid, size in wanting.items())


def _headroom_bytes(flow: Flow) -> int:
    fast = flow.pair.target
    droppable = fast.droppable_bytes if flow.stops.relieved else 0
    return max(0, fast.free_bytes + droppable - share_bytes(fast.total_bytes, flow.stops.promotion_free_bp))


def _monitored_bytes(kdamond: DesiredKdamond) -> int:
    return sum(_size(target.regions) for context in kdamond.tree.contexts for target in context.targets)


def _free_bytes(nid: Nid, monitored_bytes: int) -> int:
    """Returns what must be free of what is monitored, however the rest of the nid is used."""
    return max(0, nid.free_bytes - (_size(monitored(nid, None)) - monitored_bytes))


def _size(regions: Iterable[Region]) -> int:
    return sum(region.end - region.start for region in regions)


def _used_bytes(flow: Flow) -> int:
    return flow.pair.source.total_bytes - flow.pair.source.free_bytes


def _watcher(kdamond: DesiredKdamond, settings: Settings, features: frozenset[Feature]) -> DesiredKdamond:
    schemes = tuple(_stat(settings, flow, features) for flow in kdamond.flows)
    contexts = tuple(replace(context, schemes=schemes) for context in kdamond.tree.contexts)
    return replace(kdamond, moves=False, tree=replace(kdamond.tree, contexts=contexts))


def _stat(settings: Settings, flow: Flow, features: frozenset[Feature]) -> Scheme:
    has_ops_filters, can_charge = Feature.OPS_FILTERS in features, Feature.FAIL_CHARGE in features
    return Scheme(
        action=Action.STAT,
        target_nid=None,
        apply_interval_us=min(flow.apply_interval_us, _LONGEST_APPLY_US),
        access_pattern=access_pattern(settings, flow),
        quotas=Quotas(
            fail_charge_num=0 if can_charge else None,
            fail_charge_denom=0 if can_charge else None,
            goal_tuner=GoalTuner.CONSIST if Feature.TEMPORAL in features else None,
        ),
        core_filters=() if has_ops_filters else None,
        ops_filters=() if has_ops_filters else None,
        filters=None if has_ops_filters else (),
    )
