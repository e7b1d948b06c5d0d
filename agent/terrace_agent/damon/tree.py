"""One kdamond's directory as frozen values. Pure.

Every class is a directory, every field the file or directory of the same name: a tuple is a directory of numbered
directories with an `nr_...` file, any other value a file. Fields are in the order in which they are stored. So the
sysfs documentation (Linux Documentation/admin-guide/mm/damon/usage.rst) is the documentation of these classes, and
`stores` and `read` need no table of their own.

A default is what the kernel puts into a fresh directory (Linux mm/damon/sysfs.c, sysfs-schemes.c; seen on 7.2).
`None` is a file that this kernel does not have, or that the value does not care about, and so is an empty text: it is
neither stored nor compared.
"""

from dataclasses import dataclass
from enum import StrEnum

UINT_MAX = 2**32 - 1
ULONG_MAX = 2**64 - 1


class Operations(StrEnum):
    """What a context monitors."""

    VADDR = "vaddr"
    FVADDR = "fvaddr"
    PADDR = "paddr"


class Action(StrEnum):
    """What a scheme does with regions that match."""

    WILLNEED = "willneed"
    COLD = "cold"
    PAGEOUT = "pageout"
    HUGEPAGE = "hugepage"
    NOHUGEPAGE = "nohugepage"
    COLLAPSE = "collapse"
    LRU_PRIO = "lru_prio"
    LRU_DEPRIO = "lru_deprio"
    MIGRATE_HOT = "migrate_hot"
    MIGRATE_COLD = "migrate_cold"
    STAT = "stat"


class GoalMetric(StrEnum):
    """What a quota goal measures."""

    USER_INPUT = "user_input"
    SOME_MEM_PSI_US = "some_mem_psi_us"
    NODE_MEM_USED_BP = "node_mem_used_bp"
    NODE_MEM_FREE_BP = "node_mem_free_bp"
    NODE_MEMCG_USED_BP = "node_memcg_used_bp"
    NODE_MEMCG_FREE_BP = "node_memcg_free_bp"
    ACTIVE_MEM_BP = "active_mem_bp"
    INACTIVE_MEM_BP = "inactive_mem_bp"
    NODE_ELIGIBLE_MEM_BP = "node_eligible_mem_bp"


MEMCG_METRICS = frozenset({GoalMetric.NODE_MEMCG_USED_BP, GoalMetric.NODE_MEMCG_FREE_BP})
"""Those of one cgroup, which a goal names by `path`."""


class GoalTuner(StrEnum):
    """How a quota follows its goals: step by step, or fully until the goal is met."""

    CONSIST = "consist"
    TEMPORAL = "temporal"


class FilterType(StrEnum):
    """What a filter looks at."""

    ANON = "anon"
    ACTIVE = "active"
    MEMCG = "memcg"
    YOUNG = "young"
    HUGEPAGE_SIZE = "hugepage_size"
    UNMAPPED = "unmapped"
    ADDR = "addr"
    TARGET = "target"


class WatermarkMetric(StrEnum):
    """What switches a scheme on and off."""

    NONE = "none"
    FREE_MEM_RATE = "free_mem_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A `min` and a `max`, both included."""

    min: int = 0
    max: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalsGoal:
    """The kernel's tuning of the intervals; `aggrs` 0 is off."""

    access_bp: int = 0
    aggrs: int = 0
    min_sample_us: int = 0
    max_sample_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often is sampled and aggregated; while `intervals_goal` is on, a stale reading (kernel fact 11)."""

    sample_us: int | None = 5_000
    aggr_us: int | None = 100_000
    update_us: int = 60_000_000
    intervals_goal: IntervalsGoal | None = IntervalsGoal()


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringAttrs:
    """How a context monitors."""

    intervals: Intervals = Intervals()
    nr_regions: Range = Range(min=10, max=1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Addresses `[start, end)` that a target starts from."""

    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is monitored; at most one with `paddr`."""

    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPattern:
    """Which regions a scheme takes: bytes, samples with access per aggregation, aggregations."""

    sz: Range = Range()
    nr_accesses: Range = Range()
    age: Range = Range()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What counts when a quota cannot take all, each 0 to 1000."""

    sz_permil: int = 0
    nr_accesses_permil: int = 0
    age_permil: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaGoal:
    """A stop: of several, the nearest to being met counts (kernel fact 22).

    Attributes:
        path: of the metrics of a memcg only: a cgroup, from the root of the hierarchy, with everything below it.
    """

    target_metric: GoalMetric = GoalMetric.USER_INPUT
    target_value: int = 0
    nid: int | None = 0
    path: str | None = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """How much a scheme may try per window; 0 is no limit."""

    ms: int = 0
    bytes: int = 0
    reset_interval_ms: int = 0
    fail_charge_num: int | None = 0
    fail_charge_denom: int | None = 0
    weights: Weights = Weights()
    goal_tuner: GoalTuner | None = GoalTuner.CONSIST
    goals: tuple[QuotaGoal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermarks:
    """Bounds in permil of the global free memory."""

    metric: WatermarkMetric = WatermarkMetric.NONE
    interval_us: int = 0
    high: int = 0
    mid: int = 0
    low: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One filter; the first that matches decides (kernel fact 6, recipes in `scope`).

    Attributes:
        memcg_path: of the type memcg only: from the root of the hierarchy, as `cgroup_path()` has it.
    """

    type: FilterType = FilterType.ANON
    matching: bool = False
    allow: bool | None = False
    memcg_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Which regions, what to do with them, how fast, until when.

    Attributes:
        core_filters: decided before the action (addr, target); 6.15 and later.
        ops_filters: decided page by page by the operations set; 6.15 and later.
        filters: both kinds, deprecated since 7.2; what kernels before 6.15 have.
    """

    action: Action = Action.STAT
    target_nid: int | None = -1
    apply_interval_us: int = 0
    access_pattern: AccessPattern = AccessPattern()
    quotas: Quotas = Quotas()
    watermarks: Watermarks = Watermarks()
    core_filters: tuple[Filter, ...] | None = ()
    ops_filters: tuple[Filter, ...] | None = ()
    filters: tuple[Filter, ...] | None = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is monitored, how, and the schemes that act on it."""

    operations: Operations = Operations.VADDR
    monitoring_attrs: MonitoringAttrs = MonitoringAttrs()
    targets: tuple[Target, ...] = ()
    schemes: tuple[Scheme, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kdamond:
    """One kdamond's directory, without what the kernel says about it (`state`, `pid`, `stats`)."""

    refresh_ms: int | None = 0
    contexts: tuple[Context, ...] = ()
