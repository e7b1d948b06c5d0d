"""Fields of a tree that hold numbers, and trees in which one of them is another."""

from dataclasses import replace
from typing import Any

NUMBERS = (
    "contexts.0.schemes.0.target_nid",
    "contexts.0.schemes.0.quotas.goals.0.nid",
    "contexts.0.schemes.0.quotas.goals.0.target_value",
    "contexts.0.schemes.0.quotas.bytes",
    "contexts.0.schemes.0.quotas.ms",
    "contexts.0.schemes.0.quotas.reset_interval_ms",
    "contexts.0.schemes.0.quotas.fail_charge_num",
    "contexts.0.schemes.0.quotas.fail_charge_denom",
    "contexts.0.schemes.0.quotas.weights.sz_permil",
    "contexts.0.schemes.0.quotas.weights.nr_accesses_permil",
    "contexts.0.schemes.0.quotas.weights.age_permil",
    "contexts.0.schemes.0.apply_interval_us",
    "contexts.0.schemes.0.access_pattern.sz.min",
    "contexts.0.schemes.0.access_pattern.sz.max",
    "contexts.0.schemes.0.access_pattern.nr_accesses.min",
    "contexts.0.schemes.0.access_pattern.nr_accesses.max",
    "contexts.0.schemes.0.access_pattern.age.min",
    "contexts.0.schemes.0.access_pattern.age.max",
    "contexts.0.schemes.0.watermarks.interval_us",
    "contexts.0.schemes.0.watermarks.high",
    "contexts.0.schemes.0.watermarks.mid",
    "contexts.0.schemes.0.watermarks.low",
    "contexts.0.monitoring_attrs.intervals.sample_us",
    "contexts.0.monitoring_attrs.intervals.aggr_us",
    "contexts.0.monitoring_attrs.intervals.update_us",
    "contexts.0.monitoring_attrs.intervals.intervals_goal.access_bp",
    "contexts.0.monitoring_attrs.intervals.intervals_goal.aggrs",
    "contexts.0.monitoring_attrs.intervals.intervals_goal.min_sample_us",
    "contexts.0.monitoring_attrs.intervals.intervals_goal.max_sample_us",
    "contexts.0.monitoring_attrs.nr_regions.min",
    "contexts.0.monitoring_attrs.nr_regions.max",
    "contexts.0.targets.0.regions.0.start",
    "contexts.0.targets.0.regions.0.end",
)
"""Paths of `terrace_agent.damon.tree.Kdamond`, as `changed` takes them."""


def changed(tree: Any, path: str, value: object) -> Any:
    """Returns the tree with the field at a path such as `contexts.0.schemes` replaced."""
    head, _, rest = path.partition(".")
    if head.isdecimal():
        return tuple(changed(one, rest, value) if n == int(head) and rest else one for n, one in enumerate(tree))
    return replace(tree, **{head: changed(getattr(tree, head), rest, value) if rest else value})


def has(tree: Any, path: str) -> bool:
    """Returns whether there is such a field: a kernel without goals of nodes has trees without goals."""
    head, _, rest = path.partition(".")
    if head.isdecimal():
        return len(tree) > int(head) and has(tree[int(head)], rest)
    found = getattr(tree, head)
    return found is not None and (not rest or has(found, rest))
