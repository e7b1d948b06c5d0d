"""One direction as schemes: pattern, action, quota, stops, filters. Pure."""

from dataclasses import dataclass, replace

from terrace_agent.damon.features import Feature
from terrace_agent.damon.limits import Stops, Window
from terrace_agent.damon.pairs import Pair
from terrace_agent.damon.scope import scoped
from terrace_agent.damon.tree import (
    UINT_MAX,
    ULONG_MAX,
    AccessPattern,
    Action,
    Filter,
    FilterType,
    GoalMetric,
    GoalTuner,
    QuotaGoal,
    Quotas,
    Range,
    Scheme,
    WatermarkMetric,
    Watermarks,
    Weights,
)
from terrace_agent.workloads.values import Selection
from terrace_api.policy import Settings

_PAGE_BYTES = 4_096
_FAIL_CHARGE_DENOM = 8
_CLEANING_WINDOWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One direction between two nids, with every number that was computed for it.

    Attributes:
        window: of the fast nid, shared by all sources.
        quota_bytes: this source's part of it.
        slow_used_bp: a demotion stops when its target is that full.
        min_age: in aggregations, as long as the source's intervals stay.
        apply_interval_cut: the policy's own would have starved the scheme.
        same_memory_tier: the kernel's own demotion does not know which of both is slower.
        selection: what may move to the target; None for all memory.
        uniform: regions are not weighed, since those that weigh most are not among what may move.
    """

    pair: Pair
    window: Window
    quota_bytes: int
    stops: Stops
    slow_used_bp: int
    min_age: int
    apply_interval_us: int
    apply_interval_cut: bool
    same_memory_tier: bool
    selection: Selection | None = None
    uniform: bool = False


def schemes(settings: Settings, flow: Flow, features: frozenset[Feature]) -> tuple[Scheme, ...]:
    """Returns the schemes of `flow`, with None for what this kernel does not have."""
    moving = _moving(settings, flow, features)
    needs_cleaning = settings.young_filter and not flow.pair.promotes and flow.min_age > 1
    return (moving, _cleaning(moving, flow)) if needs_cleaning else (moving,)


def _cleaning(moving: Scheme, flow: Flow) -> Scheme:
    """Returns the scheme that clears accessed bits of regions on their way to being old enough for `moving`.

    A page's accessed bit says "since it was last cleared", which may be since boot. The young filter turns such pages
    away, clearing the bit, and the try resets the region's age: without this scheme each cold region would have to get
    old twice (kernel.md section 11: 15% of the first tries passed). `stat` with a young filter clears bits, moves
    nothing and leaves ages alone. Its quota bounds the rmap walks.
    """
    has_fail_charge = moving.quotas.fail_charge_denom is not None
    return replace(
        moving,
        action=Action.STAT,
        target_nid=None,
        access_pattern=replace(moving.access_pattern, age=Range(min=1, max=flow.min_age - 1)),
        quotas=replace(
            moving.quotas,
            bytes=_CLEANING_WINDOWS * flow.quota_bytes,
            fail_charge_num=0 if has_fail_charge else None,
            fail_charge_denom=0 if has_fail_charge else None,
            weights=Weights(),
            goals=(),
        ),
    )


def _moving(settings: Settings, flow: Flow, features: frozenset[Feature]) -> Scheme:
    filters = scoped(_young(flow) if settings.young_filter else (), flow.selection, features)
    has_ops_filters = Feature.OPS_FILTERS in features
    return Scheme(
        action=Action.MIGRATE_HOT if flow.pair.promotes else Action.MIGRATE_COLD,
        target_nid=flow.pair.target.nid,
        apply_interval_us=flow.apply_interval_us,
        access_pattern=_access_pattern(settings, flow),
        quotas=_quotas(settings, flow, features),
        watermarks=_watermarks(settings),
        core_filters=() if has_ops_filters else None,
        ops_filters=filters if has_ops_filters else None,
        filters=None if has_ops_filters else filters,
    )


def _access_pattern(settings: Settings, flow: Flow) -> AccessPattern:
    accesses = (
        Range(min=settings.promotion.min_accesses, max=UINT_MAX)
        if flow.pair.promotes
        else Range(min=0, max=settings.demotion.max_accesses)
    )
    return AccessPattern(
        sz=Range(min=_PAGE_BYTES, max=ULONG_MAX),
        nr_accesses=accesses,
        age=Range(min=flow.min_age, max=UINT_MAX),
    )


def _quotas(settings: Settings, flow: Flow, features: frozenset[Feature]) -> Quotas:
    # Demotion's first passes meet stale accessed bits everywhere, the young filter turns those pages away, and tried
    # bytes are charged: charged in full they stall it (kernel.md section 11). To turn a page away takes an rmap walk,
    # to move it several times that, so an eighth is about what it costs: a time quota, which the kernel turns into
    # charged bytes per time, stays true, and looking in vain stays bounded to eight windows' worth of memory.
    charges_less = Feature.FAIL_CHARGE in features
    weights = settings.quota.weights
    return Quotas(
        ms=flow.window.time_ms,
        bytes=flow.quota_bytes,
        reset_interval_ms=flow.window.ms,
        fail_charge_num=1 if charges_less else None,
        fail_charge_denom=_FAIL_CHARGE_DENOM if charges_less else None,
        weights=Weights()
        if flow.uniform
        else Weights(sz_permil=weights.size, nr_accesses_permil=weights.accesses, age_permil=weights.age),
        goal_tuner=GoalTuner.TEMPORAL if Feature.TEMPORAL in features else None,
        goals=_goals(flow),
    )


def _goals(flow: Flow) -> tuple[QuotaGoal, ...]:
    used, free = GoalMetric.NODE_MEM_USED_BP, GoalMetric.NODE_MEM_FREE_BP
    if flow.pair.promotes:
        return (QuotaGoal(target_metric=used, target_value=flow.stops.promotion_used_bp, nid=flow.pair.target.nid),)
    return (
        QuotaGoal(target_metric=free, target_value=flow.stops.demotion_free_bp, nid=flow.pair.source.nid),
        QuotaGoal(target_metric=used, target_value=flow.slow_used_bp, nid=flow.pair.target.nid),
    )


def _young(flow: Flow) -> tuple[Filter, ...]:
    # kernel.md 5.4: ends with allow, so the rest is rejected; ends with reject, so the rest is accepted.
    return (Filter(type=FilterType.YOUNG, matching=True, allow=flow.pair.promotes),)


def _watermarks(settings: Settings) -> Watermarks:
    wish = settings.watermarks
    if wish is None:
        return Watermarks()
    return Watermarks(
        metric=WatermarkMetric.FREE_MEM_RATE,
        interval_us=wish.interval.us,
        high=wish.high.bp // 10,
        mid=wish.mid.bp // 10,
        low=wish.low.bp // 10,
    )
