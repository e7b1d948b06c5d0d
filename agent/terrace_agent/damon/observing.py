"""Mode Observe: kdamonds that only watch, and what their passes say about memory on the wrong tier. Pure.

Before: `desired`, as for Enforce. After: `plan` (the same stores and commands), the report.

The action `stat` moves nothing. Its counters add the same memory up at every pass, so they cannot tell how much would
move; `tried_regions/total_bytes` is what matched in one pass (`update_schemes_tried_bytes`, Linux 6.6 and later).
Without quota and filter a pass looks at regions only, never at pages, so it costs next to nothing, and it clears no
accessed bits that reclaim needs.

A pass counts physical addresses: what is free has no accesses either and is no cold memory, and a region is hot as a
whole. So these are estimates, from above.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from terrace_agent.damon.desired import Desired, DesiredKdamond
from terrace_agent.damon.features import Feature
from terrace_agent.damon.schemes import Flow, access_pattern
from terrace_agent.damon.tree import Action, GoalTuner, Quotas, Scheme
from terrace_agent.flows.limits import share_bytes
from terrace_agent.journal import OwnedKdamond
from terrace_api.node_tiering import NOWHERE, Kdamond, Levels
from terrace_api.policy import Settings

_LONGEST_APPLY_US = 1_000_000
"""A pass is asked for at each look and takes an apply interval, in which nothing else can be asked of the kernel."""

Passes = Mapping[int, tuple[int, ...]]
"""Bytes that matched in the last pass, by source nid, one for each direction in the order of `DesiredKdamond.flows`."""


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


def levels(wanted: Desired, passes: Passes) -> Levels | None:
    """Returns what the last pass of each kdamond says; None before there was one of all."""
    if any(len(passes.get(one.source_nid, ())) != len(one.flows) for one in wanted.kdamonds):
        return None
    matched = [pair for one in wanted.kdamonds for pair in zip(one.flows, passes[one.source_nid], strict=True)]
    hot = [(flow, min(size, _used_bytes(flow))) for flow, size in matched if flow.pair.promotes]
    cold = [(flow, max(0, size - flow.pair.source.free_bytes)) for flow, size in matched if not flow.pair.promotes]
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
    return max(0, fast.free_bytes - share_bytes(fast.total_bytes, flow.stops.promotion_free_bp))


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
