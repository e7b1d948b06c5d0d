"""One direction as schemes: pattern, action, quota, stops, filters. Pure."""

from dataclasses import replace

from terrace_agent.damon import page_cache
from terrace_agent.damon.apart import left_out
from terrace_agent.damon.features import Feature
from terrace_agent.damon.flow import Allowance, Flow, Phase
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
from terrace_agent.flows.limits import BP
from terrace_api.policy import Settings

_FOREVER_MS = 20 * 24 * 3_600 * 1_000
"""A quota window that does not end while anybody looks; one of 2^31 ms and more the kernel would never begin."""

_PAGE_BYTES = 4_096
UNMEASURED_BYTES_PER_MS = 1024 * _PAGE_BYTES
"""What the kernel takes a time quota for before it has measured anything (`damos_set_effective_quota()`)."""
_NO_SIZE = Range(min=0, max=0)
"""No region has it."""
_FAIL_CHARGE_DENOM = 8
_CLEANING_WINDOWS = 2


def is_open(reset_interval_ms: int) -> bool:
    """Returns whether a scheme that has an allowance may move it, by its quota as it runs."""
    return reset_interval_ms == _FOREVER_MS


def schemes(settings: Settings, flows: tuple[Flow, ...], features: frozenset[Feature]) -> tuple[Scheme, ...]:
    """Returns the general schemes of one source, with None for what this kernel does not have.

    What moves comes first: a commit that only adds or drops what helps keeps the schemes that move, and their stats.
    """
    movers = tuple(_held_back(moving(settings, flow, features), flow.allowance) for flow in flows)
    return (*movers, *(helper for flow in flows for helper in _helpers(settings, flow, features)))


def _helpers(settings: Settings, flow: Flow, features: frozenset[Feature]) -> tuple[Scheme, ...]:
    """Returns the scheme that helps the moving one along, if it needs help."""
    needs_help = _minds_young(settings, flow) and not flow.pair.promotes and flow.min_age > 1
    # Before 6.14 `stat` looks at no filter (`damon_pa_apply_scheme()`, mm/damon/paddr.c), so it would clear no bits.
    can_help = Feature.ALLOW_FILTERS in features
    return (_cleaning(moving(settings, flow, features), flow),) if needs_help and can_help else ()


def _held_back(mover: Scheme, allowance: Allowance | None) -> Scheme:
    """Returns the scheme with its allowance for a quota; while that may not move, no region is of a size that matches.

    A window without length begins anew at each application, one without end never (`damos_adjust_quota()`).
    """
    if allowance is None:
        return mover
    amount = replace(mover.quotas, ms=0, bytes=allowance.bytes, reset_interval_ms=_FOREVER_MS, goals=())
    if allowance.may_move:
        return replace(mover, quotas=amount)
    return replace(
        mover,
        access_pattern=replace(mover.access_pattern, sz=_NO_SIZE),
        quotas=replace(amount, reset_interval_ms=0),
    )


def _cleaning(mover: Scheme, flow: Flow) -> Scheme:
    """Returns the scheme that clears accessed bits of regions on their way to being old enough for `mover`.

    A page's accessed bit says "since it was last cleared", which may be since boot. The young filter turns such pages
    away, clearing the bit, and the try resets the region's age: without this scheme each cold region would have to get
    old twice (seen on 7.2: 15% of the first tries passed). `stat` with a young filter clears bits, moves
    nothing and leaves ages alone. Its quota bounds the rmap walks, and it has the goals of `moving`: where no room has
    to be made there is nothing to prepare, and a node at rest shall cost nothing.
    """
    has_fail_charge = mover.quotas.fail_charge_denom is not None
    rests = flow.allowance is not None and flow.allowance.phase is Phase.CLOSED
    return replace(
        mover,
        action=Action.STAT,
        target_nid=None,
        access_pattern=replace(
            mover.access_pattern,
            sz=_NO_SIZE if rests else mover.access_pattern.sz,
            age=Range(min=1, max=flow.min_age - 1),
        ),
        quotas=replace(
            mover.quotas,
            ms=flow.window.time_ms,
            bytes=_CLEANING_WINDOWS * flow.quota_bytes,
            reset_interval_ms=flow.window.ms,
            fail_charge_num=0 if has_fail_charge else None,
            fail_charge_denom=0 if has_fail_charge else None,
            weights=Weights(),
        ),
    )


def moving(settings: Settings, flow: Flow, features: frozenset[Feature]) -> Scheme:
    """Returns the general scheme of a flow, without what its allowance makes of it."""
    staying = () if flow.pair.promotes else page_cache.filters(settings.demotion.page_cache, features)
    young = _young(flow, features) if _minds_young(settings, flow) else ()
    filters = scoped((*staying, *young), flow.selection, features)
    has_ops_filters = Feature.OPS_FILTERS in features
    return Scheme(
        action=Action.MIGRATE_HOT if flow.pair.promotes else Action.MIGRATE_COLD,
        target_nid=flow.pair.target.nid,
        apply_interval_us=flow.apply_interval_us,
        access_pattern=access_pattern(settings, flow),
        quotas=_quotas(settings, flow, features),
        watermarks=_watermarks(settings),
        core_filters=() if has_ops_filters else None,
        ops_filters=filters if has_ops_filters else None,
        filters=None if has_ops_filters else filters,
    )


def charged_in_full(quotas: Quotas) -> Quotas:
    """Returns the quotas with what is tried in vain charged like what is moved."""
    if quotas.fail_charge_denom is None:
        return quotas
    return replace(quotas, fail_charge_num=0, fail_charge_denom=0)


def access_pattern(settings: Settings, flow: Flow) -> AccessPattern:
    """Returns which regions of the source the direction is about."""
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
    # bytes are charged: charged in full they stall it. To turn a page away takes an rmap walk,
    # to move it several times that, so an eighth is about what it costs: a time quota, which the kernel turns into
    # charged bytes per time, stays true, and looking in vain stays bounded to eight windows' worth of memory.
    charges_less = Feature.FAIL_CHARGE in features
    weights = settings.quota.weights
    quotas = Quotas(
        ms=flow.window.time_ms,
        bytes=flow.general_bytes,
        reset_interval_ms=flow.window.ms,
        fail_charge_num=1 if charges_less else None,
        fail_charge_denom=_FAIL_CHARGE_DENOM if charges_less else None,
        weights=Weights()
        if flow.uniform
        else Weights(sz_permil=weights.size, nr_accesses_permil=weights.accesses, age_permil=weights.age),
        goal_tuner=GoalTuner.TEMPORAL if Feature.TEMPORAL in features else None,
        goals=() if flow.allowance else (*_goals(flow), *_pressure(settings, flow)),
    )
    # It comes first, so what it tries in vain stays young for the pods that are demoted apart: see `pod_schemes`.
    return charged_in_full(quotas) if left_out(flow.apart) and not flow.pair.promotes else quotas


def _goals(flow: Flow) -> tuple[QuotaGoal, ...]:
    used, free = GoalMetric.NODE_MEM_USED_BP, GoalMetric.NODE_MEM_FREE_BP
    if flow.pair.promotes:
        return (QuotaGoal(target_metric=used, target_value=flow.stops.promotion_used_bp, nid=flow.pair.target.nid),)
    return (
        QuotaGoal(target_metric=free, target_value=flow.stops.demotion_free_bp, nid=flow.pair.source.nid),
        QuotaGoal(target_metric=used, target_value=flow.slow_used_bp, nid=flow.pair.target.nid),
    )


def _pressure(settings: Settings, flow: Flow) -> tuple[QuotaGoal, ...]:
    # Waiting time since the last window opened (`damos_set_quota_goal_current_value()`, Linux mm/damon/core.c). Of
    # several goals the nearest to being met counts, so this is a stop like the others. A kernel without PSI says 0.
    guard = settings.guardrails.memory_pressure_max
    if not guard.enabled:
        return ()
    most_us = max(1, flow.window.ms * 1_000 * guard.share.bp // BP)
    return (QuotaGoal(target_metric=GoalMetric.SOME_MEM_PSI_US, target_value=most_us),)


def _minds_young(settings: Settings, flow: Flow) -> bool:
    return settings.young_filter and not flow.lenient


def _young(flow: Flow, features: frozenset[Feature]) -> tuple[Filter, ...]:
    """Returns the filter that lets only young pages up, and no young page down.

    From 6.15 on, the last filter also decides about what no filter matched: after an allow the rest is rejected, after
    a reject it is accepted (`damos_filters_default_reject()`, mm/damon/core.c). Before, the rest is always accepted, so
    promotion has to match what is not young.
    """
    if Feature.OPS_FILTERS in features:
        return (Filter(type=FilterType.YOUNG, matching=True, allow=flow.pair.promotes),)
    allow = False if Feature.ALLOW_FILTERS in features else None
    return (Filter(type=FilterType.YOUNG, matching=not flow.pair.promotes, allow=allow),)


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
