"""What others make DAMON do, as trees: the two programs that Terrace was begun from.

Both are for the reference machine: nid 0 is 0 to 64 GiB and fast, nid 1 is 64 to 128 GiB and slow.
"""

from terrace_agent.damon.tree import (
    UINT_MAX,
    ULONG_MAX,
    AccessPattern,
    Action,
    Context,
    Filter,
    FilterType,
    GoalMetric,
    Intervals,
    IntervalsGoal,
    Kdamond,
    MonitoringAttrs,
    Operations,
    QuotaGoal,
    Quotas,
    Range,
    Region,
    Scheme,
    Target,
    WatermarkMetric,
    Watermarks,
    Weights,
)

GIB = 1 << 30
MIB = 1 << 20
NID_0 = Region(start=4096, end=64 * GIB)
NID_1 = Region(start=64 * GIB, end=128 * GIB)

_DAMO_ACCESS_MAX = 3689348814741910528
"""damo's "max" of an access rate, in samples of 5 ms per 100 ms."""
_DAMO_AGE_MAX = ULONG_MAX // 100_000
"""damo's "max" of an age, in aggregations of 100 ms."""


def mem_tier() -> tuple[Kdamond, ...]:
    """damo's scripts/mem_tier.sh: one kdamond per NUMA node."""
    demotion = Scheme(
        action=Action.MIGRATE_COLD,
        target_nid=1,
        apply_interval_us=1_000_000,
        access_pattern=AccessPattern(sz=Range(max=ULONG_MAX), nr_accesses=Range(), age=Range(max=_DAMO_AGE_MAX)),
        quotas=_damo_quotas(QuotaGoal(target_metric=GoalMetric.NODE_MEM_FREE_BP, target_value=50, nid=0)),
        ops_filters=(_young(allow=False),),
    )
    promotion = Scheme(
        action=Action.MIGRATE_HOT,
        target_nid=0,
        apply_interval_us=1_000_000,
        access_pattern=AccessPattern(
            sz=Range(max=ULONG_MAX), nr_accesses=Range(min=1, max=_DAMO_ACCESS_MAX), age=Range(max=_DAMO_AGE_MAX)
        ),
        quotas=_damo_quotas(QuotaGoal(target_metric=GoalMetric.NODE_MEM_USED_BP, target_value=9_970, nid=0)),
        ops_filters=(_young(allow=True),),
    )
    goal = IntervalsGoal(access_bp=400, aggrs=3, min_sample_us=5_000, max_sample_us=10_000_000)
    attrs = MonitoringAttrs(intervals=Intervals(update_us=1_000_000, intervals_goal=goal))
    return (_kdamond(attrs, NID_0, demotion), _kdamond(attrs, NID_1, promotion))


def damon_tier() -> tuple[Kdamond, ...]:
    """The DAMON_TIER module (mm/damon/tier.c of 2026-03-26): one context for both NUMA nodes."""
    promotion = Scheme(
        action=Action.MIGRATE_HOT,
        target_nid=0,
        apply_interval_us=1_000_000,
        access_pattern=_tier_pattern(Range(min=1, max=UINT_MAX)),
        quotas=_tier_quotas(QuotaGoal(target_metric=GoalMetric.NODE_MEM_USED_BP, target_value=9_960, nid=0)),
        watermarks=_TIER_WATERMARKS,
        ops_filters=(_young(allow=True),),
    )
    demotion = Scheme(
        action=Action.MIGRATE_COLD,
        target_nid=1,
        apply_interval_us=1_000_000,
        access_pattern=_tier_pattern(Range()),
        quotas=_tier_quotas(QuotaGoal(target_metric=GoalMetric.NODE_MEM_FREE_BP, target_value=40, nid=0)),
        watermarks=_TIER_WATERMARKS,
        ops_filters=(_young(allow=False),),
    )
    attrs = MonitoringAttrs(intervals=Intervals(update_us=0))
    return (_kdamond(attrs, Region(start=4096, end=128 * GIB), promotion, demotion),)


_TIER_WATERMARKS = Watermarks(metric=WatermarkMetric.FREE_MEM_RATE, interval_us=5_000_000, high=200, mid=150, low=50)


def _kdamond(attrs: MonitoringAttrs, region: Region, *schemes: Scheme) -> Kdamond:
    target = Target(regions=(region,))
    context = Context(operations=Operations.PADDR, monitoring_attrs=attrs, targets=(target,), schemes=schemes)
    return Kdamond(contexts=(context,))


def _young(*, allow: bool) -> Filter:
    return Filter(type=FilterType.YOUNG, matching=True, allow=allow)


def _damo_quotas(goal: QuotaGoal) -> Quotas:
    weights = Weights(sz_permil=1, nr_accesses_permil=1, age_permil=1)
    return Quotas(bytes=200 * MIB, reset_interval_ms=1_000, weights=weights, goals=(goal,))


def _tier_quotas(goal: QuotaGoal) -> Quotas:
    weights = Weights(sz_permil=0, nr_accesses_permil=100, age_permil=100)
    return Quotas(bytes=100 * MIB, reset_interval_ms=1_000, weights=weights, goals=(goal,))


def _tier_pattern(accesses: Range) -> AccessPattern:
    return AccessPattern(sz=Range(min=4096, max=ULONG_MAX), nr_accesses=accesses, age=Range(max=UINT_MAX))
