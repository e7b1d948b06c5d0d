"""The rules between fields of a TieringPolicy, for policies that no API server has checked. Pure.

The CRD states the same rules in CEL; a cluster test applies every bad case to a real API server and to these.
"""

from collections.abc import Iterator

from terrace_api.errors import Problem
from terrace_api.policy import Guardrails, Quota, Rollout, Tier, TieringPolicySpec, Watermarks
from terrace_api.units import Duration, Percent, Portion
from terrace_api.workload_rules import broken_selector, broken_workloads

_MS, _S, _M, _H = 1_000, 1_000_000, 60_000_000, 3_600_000_000
_LEAST_SHARE = Percent(1)
_LEAST_QUOTA_BYTES = 2**20


def broken_rules(spec: TieringPolicySpec) -> tuple[Problem, ...]:
    """Returns what is wrong with the policy beyond types and patterns; empty if nothing is."""
    return (
        *_selection(spec),
        *_tiers(spec.tiers or ()),
        *_directions(spec),
        *_monitoring(spec),
        *_quota(spec.quota),
        *_watermarks(spec.watermarks),
        *_guardrails(spec.guardrails),
        *broken_workloads(spec.workloads or ()),
        *_within("spec.applyInterval", spec.apply_interval, 10 * _MS, 10 * _M),
        *_rollout(spec.rollout),
        *_within("spec.trial.duration", spec.trial.duration if spec.trial else None, _M, 720 * _H),
    )


def _selection(spec: TieringPolicySpec) -> Iterator[Problem]:
    if bool(spec.all_nodes) == (spec.node_selector is not None):
        yield Problem(field="spec", message="set exactly one of nodeSelector and allNodes: true")
    if spec.node_selector is not None:
        yield from broken_selector("spec.nodeSelector", spec.node_selector, instead="write allNodes: true instead")


def _tiers(tiers: tuple[Tier, ...]) -> Iterator[Problem]:
    for index, tier in enumerate(tiers):
        if (tier.types is None) == (tier.nids is None):
            yield Problem(field=f"spec.tiers[{index}]", message="set exactly one of types and nids")
    types = [kind for tier in tiers for kind in tier.types or ()]
    if len(set(types)) < len(types):
        yield Problem(field="spec.tiers", message="a type can be in one tier only")
    nids = [nid for tier in tiers for nid in tier.nids or ()]
    if len(set(nids)) < len(nids):
        yield Problem(field="spec.tiers", message="a nid can be in one tier only")


def _directions(spec: TieringPolicySpec) -> Iterator[Problem]:
    if not spec.promotion.enabled and not spec.demotion.enabled:
        message = "promotion.enabled and demotion.enabled are both false, so nothing could ever move; enable one"
        yield Problem(field="spec", message=message)
    if spec.demotion.max_accesses >= spec.promotion.min_accesses:
        message = "demotion.maxAccesses must be below promotion.minAccesses, or the same pages move up and down"
        yield Problem(field="spec", message=message)
    samples_ms = spec.promotion.min_accesses * spec.monitoring.sample_interval.ms
    if samples_ms > spec.monitoring.aggregation_interval.ms:
        yield Problem(
            field="spec",
            message="promotion.minAccesses cannot be reached: it is counted in samples, and there are "
            "monitoring.aggregationInterval / monitoring.sampleInterval of them per aggregation",
        )
    yield from _within("spec.promotion.minAge", spec.promotion.min_age, 0, 24 * _H)
    yield from _within("spec.demotion.minAge", spec.demotion.min_age, 0, 24 * _H)
    yield from _least_share("spec.promotion.fastUsedTarget", spec.promotion.fast_used_target)
    yield from _least_share("spec.demotion.fastFreeTarget", spec.demotion.fast_free_target)


def _monitoring(spec: TieringPolicySpec) -> Iterator[Problem]:
    monitoring, tune = spec.monitoring, spec.monitoring.auto_tune
    yield from _within("spec.monitoring.sampleInterval", monitoring.sample_interval, _MS, 60 * _S)
    yield from _within("spec.monitoring.aggregationInterval", monitoring.aggregation_interval, _MS, 10 * _M)
    yield from _within("spec.monitoring.autoTune.minSample", tune.min_sample, _MS, 60 * _S)
    yield from _within("spec.monitoring.autoTune.maxSample", tune.max_sample, _MS, 60 * _S)
    yield from _least_share("spec.monitoring.autoTune.accessRatio", tune.access_ratio)
    if monitoring.sample_interval > monitoring.aggregation_interval:
        message = "sampleInterval must not exceed aggregationInterval"
        yield Problem(field="spec.monitoring", message=message)
    if tune.min_sample > tune.max_sample:
        yield Problem(field="spec.monitoring.autoTune", message="minSample must not exceed maxSample")
    elif tune.enabled and not tune.min_sample <= monitoring.sample_interval <= tune.max_sample:
        message = "sampleInterval must lie between autoTune.minSample and autoTune.maxSample while autoTune is enabled"
        yield Problem(field="spec.monitoring", message=message)
    if monitoring.regions and monitoring.regions.min > monitoring.regions.max:
        yield Problem(field="spec.monitoring.regions", message="min must not exceed max")
    for index, one in enumerate(monitoring.ranges or ()):
        if one.start >= one.end:
            yield Problem(field=f"spec.monitoring.ranges[{index}]", message="start must be below end")


def _quota(quota: Quota) -> Iterator[Problem]:
    yield from _within("spec.quota.interval", quota.interval, 100 * _MS, _M)
    if quota.time.us:
        yield from _within("spec.quota.time", quota.time, _MS, _M, zero="0s (no limit) or ")
    if quota.size and quota.size.bytes < _LEAST_QUOTA_BYTES:
        yield Problem(field="spec.quota.size", message="must be at least 1Mi")


def _watermarks(watermarks: Watermarks | None) -> Iterator[Problem]:
    if watermarks is None:
        return
    if not watermarks.high >= watermarks.mid >= watermarks.low:
        yield Problem(field="spec.watermarks", message="high, mid and low must descend")
    yield from _within("spec.watermarks.interval", watermarks.interval, 100 * _MS, 10 * _M)


def _guardrails(guardrails: Guardrails) -> Iterator[Problem]:
    for name, guard in (
        ("memoryPressureMax", guardrails.memory_pressure_max),
        ("fastFreeMin", guardrails.fast_free_min),
        ("slowFreeMin", guardrails.slow_free_min),
        ("churnMax", guardrails.churn_max),
        ("hugePageSplitMax", guardrails.huge_page_split_max),
    ):
        yield from _least_share(f"spec.guardrails.{name}.share", guard.share)
    yield from _within("spec.guardrails.cooldown", guardrails.cooldown, 10 * _S, 24 * 60 * _M)


def _rollout(rollout: Rollout) -> Iterator[Problem]:
    yield from _least_portion("spec.rollout.canary", rollout.canary)
    yield from _within("spec.rollout.bake", rollout.bake, 0, 24 * _H)
    yield from _least_portion("spec.rollout.maxUpdating", rollout.max_updating)
    yield from _least_portion("spec.rollout.failureThreshold", rollout.failure_threshold)


def _least_portion(field: str, portion: Portion) -> Iterator[Problem]:
    if portion.share is not None:
        yield from _least_share(field, portion.share)


def _within(field: str, value: Duration | None, least_us: int, most_us: int, *, zero: str = "") -> Iterator[Problem]:
    if value is not None and not least_us <= value.us <= most_us:
        message = f"must be {zero}between {Duration(least_us)} and {Duration(most_us)}"
        yield Problem(field=field, message=message)


def _least_share(field: str, share: Percent) -> Iterator[Problem]:
    if share < _LEAST_SHARE:
        yield Problem(field=field, message=f"must be at least {_LEAST_SHARE}")
