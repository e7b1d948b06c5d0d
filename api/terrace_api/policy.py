"""TieringPolicy: what people want, as frozen values. Pure.

Field by field the schema of `crds/tieringpolicies.yaml` (an architecture test holds them equal): meaning, bounds and
defaults are written there. `None` means that the field has no fixed default and the agent computes it.
"""

from dataclasses import dataclass
from enum import StrEnum

from terrace_api.selectors import LabelSelector
from terrace_api.units import Duration, Percent, Portion, Size
from terrace_api.workloads import WorkloadRule


class Mode(StrEnum):
    """Whether memory is moved."""

    OBSERVE = "Observe"
    ENFORCE = "Enforce"


class EngineChoice(StrEnum):
    """How pages shall move; `AUTO` takes the best engine that a node can run."""

    AUTO = "Auto"
    DAMON = "DAMON"
    NUMA_BALANCING = "NUMABalancing"
    MOVE_PAGES = "MovePages"


class MemoryType(StrEnum):
    """Kinds of memory that a tier can be made of; `SLOW` is slower memory of a kind that the kernel does not tell."""

    HBM = "HBM"
    DRAM = "DRAM"
    CXL = "CXL"
    PMEM = "PMEM"
    SLOW = "Slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A named set of nids: all of the kinds in `types`, or those in `nids`; exactly one of both."""

    name: str
    types: tuple[MemoryType, ...] | None = None
    nids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """When pages of a slow nid are hot enough to move up, and until when."""

    enabled: bool
    min_accesses: int
    min_age: Duration
    fast_used_target: Percent


class PageCache(StrEnum):
    """Which page cache is demoted."""

    INCLUDE = "Include"
    MAPPED_ONLY = "MappedOnly"
    EXCLUDE = "Exclude"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demotion:
    """When pages of a fast nid are cold enough to move down, which of them, and until when."""

    enabled: bool
    max_accesses: int
    min_age: Duration
    fast_free_target: Percent
    page_cache: PageCache


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoTune:
    """The kernel's own tuning of the sampling and aggregation intervals (`intervals_goal`)."""

    enabled: bool
    access_ratio: Percent
    aggregations: int
    min_sample: Duration
    max_sample: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """Bounds on the number of monitoring regions of one kdamond."""

    min: int
    max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRange:
    """Physical addresses `[start, end)`."""

    start: Size
    end: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """How accesses are observed, where, and at what cost."""

    sample_interval: Duration
    aggregation_interval: Duration
    auto_tune: AutoTune
    cpu_percent: int
    regions: Regions | None = None
    ranges: tuple[AddressRange, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What counts when a quota cannot take everything, each 0 to 1000."""

    size: int
    accesses: int
    age: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How much may move per interval, per fast nid, both directions together."""

    time: Duration
    interval: Duration
    weights: Weights
    size: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermarks:
    """Bounds on the global free rate between which schemes are active."""

    high: Percent
    mid: Percent
    low: Percent
    interval: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One guardrail: a share that must not be passed, above or below as its field's name says."""

    enabled: bool
    share: Percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrails:
    """Bounds that hold whatever else the policy says; after the agent's own stops, nothing moves for `cooldown`."""

    memory_pressure_max: Guard
    fast_free_min: Guard
    slow_free_min: Guard
    churn_max: Guard
    huge_page_split_max: Guard
    cooldown: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a policy asks of each node that it selects; the part that is compiled into NodeTiering."""

    mode: Mode
    engine: EngineChoice
    promotion: Promotion
    demotion: Demotion
    monitoring: Monitoring
    quota: Quota
    young_filter: bool
    guardrails: Guardrails
    tiers: tuple[Tier, ...] | None = None
    apply_interval: Duration | None = None
    watermarks: Watermarks | None = None
    workloads: tuple[WorkloadRule, ...] | None = None


class OnFailure(StrEnum):
    """What follows when too many nodes failed a new revision."""

    PAUSE = "Pause"
    ROLLBACK = "Rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How a new revision reaches the nodes; a `Portion` is of the policy's nodes, or of those that were told."""

    canary: Portion
    bake: Duration
    max_updating: Portion
    failure_threshold: Portion
    on_failure: OnFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A few nodes for a while, counted from the creation of the policy."""

    node_names: tuple[str, ...]
    duration: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class TieringPolicySpec(Settings):
    """`TieringPolicy.spec`: the settings, which nodes they are for, and how they get there."""

    priority: int
    paused: bool
    rollout: Rollout
    trial: Trial | None = None
    all_nodes: bool | None = None
    node_selector: LabelSelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TieringPolicy:
    """One policy as the operator sees it.

    Attributes:
        created: `metadata.creationTimestamp`, RFC 3339 in UTC, so that text order is time order.
    """

    name: str
    uid: str
    generation: int
    created: str
    spec: TieringPolicySpec
