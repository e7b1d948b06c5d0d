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
    "contexts.0.schemes.0.quotas.weights.sz_permil",
    "contexts.0.schemes.0.apply_interval_us",
    "contexts.0.schemes.0.access_pattern.nr_accesses.max",
    "contexts.0.schemes.0.access_pattern.age.max",
    "contexts.0.schemes.0.watermarks.interval_us",
    "contexts.0.monitoring_attrs.intervals.sample_us",
    "contexts.0.monitoring_attrs.intervals.aggr_us",
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
    return not rest or has(getattr(tree, head), rest)
