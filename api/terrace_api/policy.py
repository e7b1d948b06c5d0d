"""TieringPolicy: what people want, as frozen values. Pure.

Field by field the schema of `crds/tieringpolicies.yaml` (an architecture test holds them equal): meaning, bounds and
defaults are written there. `None` means that the field has no fixed default and the agent computes it.
"""

from dataclasses import dataclass
from enum import StrEnum

from terrace_api.conditions import Condition
from terrace_api.units import Duration, Percent, Portion, Size


class Mode(StrEnum):
    """Whether memory is moved."""

    OBSERVE = "Observe"
    ENFORCE = "Enforce"


class Operator(StrEnum):
    """How a label selector's requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One `matchExpressions` entry of a label selector."""

    key: str
    operator: Operator
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """A `metav1.LabelSelector` that is not empty."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[Requirement, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A named set of nids."""

    name: str
    nids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """When pages of a slow nid are hot enough to move up, and until when."""

    enabled: bool
    min_accesses: int
    min_age: Duration
    fast_used_target: Percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Demotion:
    """When pages of a fast nid are cold enough to move down, and until when."""

    enabled: bool
    max_accesses: int
    min_age: Duration
    fast_free_target: Percent


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
class Monitoring:
    """How accesses are observed."""

    sample_interval: Duration
    aggregation_interval: Duration
    auto_tune: AutoTune
    regions: Regions | None = None


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
class Settings:
    """What a policy asks of each node that it selects; the part that is compiled into NodeTiering."""

    mode: Mode
    promotion: Promotion
    demotion: Demotion
    monitoring: Monitoring
    quota: Quota
    young_filter: bool
    tiers: tuple[Tier, ...] | None = None
    apply_interval: Duration | None = None
    watermarks: Watermarks | None = None


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
class NodeProblem:
    """What keeps some nodes from being ready.

    Attributes:
        sample: names of a few of them.
        message: what the first of them says.
    """

    state: str
    reason: str
    nodes: int
    sample: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastGood:
    """The last revision that every node took and that baked."""

    revision: str
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A rollout that failed: the revision and generation of the policy that were rolled out, and who failed."""

    generation: int
    revision: str
    nodes: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TieringPolicyStatus:
    """`TieringPolicy.status`: where the policy stands over all its nodes. Written by the operator only.

    Strings are for the columns of `kubectl get`; the integers beside them are exact (bytes, nodes). `last_good` and
    `stopped` are more than a report: the next decisions are made from them.
    """

    observed_generation: int
    revision: str
    nodes: int
    updated_nodes: int
    updated: str
    ready_nodes: int
    ready: str
    unsupported_nodes: int
    degraded_nodes: int
    conflicted_nodes: int
    silent_nodes: int
    promoted_bytes: int
    promoted: str
    demoted_bytes: int
    demoted: str
    engines: str
    problems: tuple[NodeProblem, ...]
    conditions: tuple[Condition, ...]
    last_good: LastGood | None = None
    stopped: Stopped | None = None


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
