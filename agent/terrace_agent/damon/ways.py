"""Which way is taken on a kernel with these features, and what it is worse at than the newest kernel's. Pure.

Before: `probe`. After: `desired` and `schemes` go these ways, `describe` says them in notes, and the table in
docs/kernels.md is made of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from terrace_agent.damon.features import TABLE, Feature
from terrace_api.node_tiering import QuotaControl

_STEERING = frozenset({Feature.NODE_GOALS, Feature.TEMPORAL})
_LIMITING = _STEERING | {Feature.MEMCG_GOALS, Feature.OPS_FILTERS}


class Filters(StrEnum):
    """Where the young filter goes, and in which form."""

    OPS = "ops_filters"
    REJECT = "filters, reject only"


class Intervals(StrEnum):
    """Who chooses the monitoring intervals while it runs."""

    TUNED = "tuned by the kernel"
    FIXED = "fixed"


class Arrived(StrEnum):
    """What counts as arrived."""

    APPLIED = "applied bytes"
    LESS_FOREIGN = "applied bytes less numa_foreign"


class SafetyNet(StrEnum):
    """When the kernel's own demotion is switched on."""

    ALWAYS = "unless there is page cache to drop"
    UNLESS_PINNED = "unless there is page cache to drop, or a pod's cpuset excludes a slow nid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How things are done on one kernel."""

    quota_control: QuotaControl
    filters: Filters
    intervals: Intervals
    arrived: Arrived
    safety_net: SafetyNet


def ways(features: frozenset[Feature]) -> Ways:
    """Returns the best ways that `features` allow."""
    return Ways(
        quota_control=quota_control(features),
        filters=Filters.OPS if Feature.OPS_FILTERS in features else Filters.REJECT,
        intervals=Intervals.TUNED if Feature.INTERVALS_GOAL in features else Intervals.FIXED,
        arrived=Arrived.APPLIED if Feature.THISNODE in features else Arrived.LESS_FOREIGN,
        safety_net=SafetyNet.ALWAYS if Feature.CPUSET_DEMOTION in features else SafetyNet.UNLESS_PINNED,
    )


def quota_control(features: frozenset[Feature]) -> QuotaControl:
    """Returns who steers the quotas; see `control` for why node goals without the temporal tuner are not enough."""
    return QuotaControl.TEMPORAL if features >= _STEERING else QuotaControl.AGENT_LOOP


def can_limit(features: frozenset[Feature]) -> bool:
    """Returns whether bounds on single pods can be kept: by goals that stop, for pods that lists of filters name."""
    return features >= _LIMITING


def remarks(features: frozenset[Feature]) -> Iterator[str]:
    """Yields what a person should know about the ways of this kernel."""
    if quota_control(features) is QuotaControl.AGENT_LOOP:
        yield (
            f"quota: this kernel cannot stop at goals ({_missing_words(features, _STEERING)}), so the agent reads free "
            "memory and hands out allowances; if it dies, at most what is left of one allowance per direction still "
            "moves, then nothing until it is back; quota.time bounds only the size of an allowance"
        )


def no_limits(pods: int, features: frozenset[Feature]) -> str:
    """Returns what a person should know where `pods` have bounds that this kernel cannot keep."""
    return (
        f"workloads[].fastMemory: {pods} pods are tiered without limits, which this kernel cannot keep "
        f"({_missing_words(features, _LIMITING)})"
    )


def _missing_words(features: frozenset[Feature], wanted: frozenset[Feature]) -> str:
    return ", ".join(
        f"no {row.feature.value}, Linux {row.since} has it"
        for row in TABLE
        if row.feature in wanted and row.feature not in features
    )
