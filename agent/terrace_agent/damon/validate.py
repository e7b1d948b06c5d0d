"""Whether a tree may be staged at all, before the first store. Pure.

Some kernels answer a bad value with more than EINVAL: up to 6.13 an invalid commit returns 0 and ends the kdamond, and
a nid that does not exist in a node goal brings 6.16 and 6.18 down (docs/kernel-facts.md, 9 and 10). So everything that
`damon_set_attrs()`, `damon_set_regions()` and the sysfs files ask for is checked here, whatever schema, rules or
`limits` have promised before.

Before: `desired`. After: `plan`.
"""

from collections.abc import Iterable, Iterator

from terrace_agent.damon.tree import (
    MEMCG_METRICS,
    UINT_MAX,
    ULONG_MAX,
    AccessPattern,
    Context,
    GoalMetric,
    Intervals,
    IntervalsGoal,
    Kdamond,
    MonitoringAttrs,
    QuotaGoal,
    Quotas,
    Range,
    Scheme,
    Target,
    Watermarks,
)
from terrace_agent.errors import SettingsRejected

_NODE_METRICS = {
    GoalMetric.NODE_MEM_USED_BP,
    GoalMetric.NODE_MEM_FREE_BP,
    GoalMetric.NODE_ELIGIBLE_MEM_BP,
    *MEMCG_METRICS,
}
_FEWEST_REGIONS = 3
_LONGEST_WINDOW_MS = 2**31 - 1
"""A longer one never begins (docs/kernel-facts.md, 37)."""


def check(kdamonds: Iterable[Kdamond], nids: frozenset[int]) -> None:
    """Checks that every kernel takes these trees; `nids` are those with memory.

    Raises:
        SettingsRejected: says what no kernel would take.
    """
    problems = [problem for kdamond in kdamonds for problem in _kdamond(kdamond, nids)]
    if problems:
        raise SettingsRejected(
            reason="OutOfRange", message=f"The kernel would not take {'; '.join(problems)}. Nothing was changed."
        )


def _kdamond(kdamond: Kdamond, nids: frozenset[int]) -> Iterator[str]:
    for context in kdamond.contexts:
        yield from _context(context, nids)


def _context(context: Context, nids: frozenset[int]) -> Iterator[str]:
    yield from _attrs(context.monitoring_attrs)
    for target in context.targets:
        yield from _target(target)
    for scheme in context.schemes:
        yield from _scheme(scheme, nids)


def _attrs(attrs: MonitoringAttrs) -> Iterator[str]:
    yield from _intervals(attrs.intervals)
    regions = attrs.nr_regions
    if not _FEWEST_REGIONS <= regions.min <= regions.max <= ULONG_MAX:
        yield f"between {regions.min} and {regions.max} regions (at least {_FEWEST_REGIONS}, and no less at most)"


def _intervals(intervals: Intervals) -> Iterator[str]:
    sample_us, aggr_us, goal = intervals.sample_us, intervals.aggr_us, intervals.intervals_goal
    if sample_us is None or aggr_us is None or not 0 < sample_us <= aggr_us <= ULONG_MAX:
        yield f"a sampling interval of {sample_us} us with an aggregation interval of {aggr_us} us"
    elif goal and goal.aggrs and not goal.min_sample_us <= sample_us <= goal.max_sample_us:
        yield f"a sampling interval of {sample_us} us outside of {goal.min_sample_us} to {goal.max_sample_us} us"
    if not 0 <= intervals.update_us <= ULONG_MAX:
        yield f"an update interval of {intervals.update_us} us"
    if goal:
        yield from _intervals_goal(goal)


def _intervals_goal(goal: IntervalsGoal) -> Iterator[str]:
    numbers = (goal.access_bp, goal.aggrs, goal.min_sample_us, goal.max_sample_us)
    if not all(0 <= number <= ULONG_MAX for number in numbers):
        yield f"a goal of intervals with {goal}"


def _target(target: Target) -> Iterator[str]:
    end = 0
    if not target.regions:
        yield "a nid without a range of memory"
    for region in target.regions:
        if not end <= region.start < region.end <= ULONG_MAX:
            yield f"a range from {region.start} to {region.end} behind one that ends at {end}"
        end = region.end


def _scheme(scheme: Scheme, nids: frozenset[int]) -> Iterator[str]:
    if scheme.target_nid is not None and scheme.target_nid not in nids:
        yield f"nid {scheme.target_nid} as a target: it has no memory"
    yield from _pattern(scheme.access_pattern)
    yield from _watermarks(scheme.watermarks)
    if not 0 <= scheme.apply_interval_us <= ULONG_MAX:
        yield f"an apply interval of {scheme.apply_interval_us} us"
    yield from _quotas(scheme.quotas)
    for goal in scheme.quotas.goals:
        yield from _goal(goal, nids)


def _quotas(quotas: Quotas) -> Iterator[str]:
    weights = quotas.weights
    if not all(0 <= weight <= 1_000 for weight in (weights.sz_permil, weights.nr_accesses_permil, weights.age_permil)):
        yield f"weights of {weights}: each is 0 to 1000"
    if not all(0 <= amount <= ULONG_MAX for amount in (quotas.ms, quotas.bytes)):
        yield f"a quota of {quotas.ms} ms and {quotas.bytes} bytes"
    if not 0 <= quotas.reset_interval_ms <= _LONGEST_WINDOW_MS:
        yield f"a quota window of {quotas.reset_interval_ms} ms"
    if not all(0 <= (number or 0) <= UINT_MAX for number in (quotas.fail_charge_num, quotas.fail_charge_denom)):
        yield f"{quotas.fail_charge_num}/{quotas.fail_charge_denom} charged for what fails"


def _pattern(pattern: AccessPattern) -> Iterator[str]:
    for name, range_, most in (
        ("sizes", pattern.sz, ULONG_MAX),
        ("accesses", pattern.nr_accesses, UINT_MAX),
        ("ages", pattern.age, UINT_MAX),
    ):
        if not _is_range(range_, most):
            yield f"{name} from {range_.min} to {range_.max}"


def _goal(goal: QuotaGoal, nids: frozenset[int]) -> Iterator[str]:
    if goal.target_metric in _NODE_METRICS:
        if goal.nid not in nids:
            yield f"a goal for nid {goal.nid}: it has no memory"
        if not 1 <= goal.target_value <= 10_000:
            yield f"a goal of {goal.target_value} bp"
        if goal.target_metric in MEMCG_METRICS and not goal.path:
            yield "a goal for no cgroup"
    elif not 1 <= goal.target_value <= ULONG_MAX:
        yield f"a goal of {goal.target_value}"


def _watermarks(marks: Watermarks) -> Iterator[str]:
    if not 0 <= marks.low <= marks.mid <= marks.high <= 1_000:
        yield f"watermarks of {marks.high}, {marks.mid} and {marks.low} permil"
    if not 0 <= marks.interval_us <= ULONG_MAX:
        yield f"watermarks that are looked at every {marks.interval_us} us"


def _is_range(range_: Range, most: int) -> bool:
    return 0 <= range_.min <= range_.max <= most
