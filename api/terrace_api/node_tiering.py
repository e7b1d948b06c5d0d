"""NodeTiering: one node's compiled settings and what is true there, as frozen values. Pure.

Field by field the schema of `crds/nodetierings.yaml` (an architecture test holds them equal). The operator writes
`spec` (field manager `terrace-operator`), that node's agent writes `status` (`terrace-agent`).
"""

from dataclasses import dataclass
from enum import StrEnum

from terrace_api.conditions import Condition
from terrace_api.policy import Mode, Settings


class Action(StrEnum):
    """What the agent shall do with its node."""

    MANAGE = "Manage"
    RESTORE = "Restore"


class EngineName(StrEnum):
    """How pages move."""

    DAMON = "damon"
    NUMA_BALANCING = "numa_balancing"
    MOVE_PAGES = "move_pages"
    NONE = "none"


class QuotaControl(StrEnum):
    """Who makes promotion and demotion stop in time."""

    TEMPORAL = "Temporal"
    """The kernel, by goals that are checked in each quota window."""
    AGENT_LOOP = "AgentLoop"
    """The agent, by allowances; what is left of the last one is the most that moves without it."""


class MemoryKind(StrEnum):
    """What a NUMA node's memory is: a `policy.MemoryType`, or memory of a device, which no type stands for."""

    HBM = "HBM"
    DRAM = "DRAM"
    CXL = "CXL"
    PMEM = "PMEM"
    SLOW = "Slow"
    DEVICE = "Device"


NOWHERE = -1
"""The target of what moves nothing, as in DAMON's own `target_nid`: a key of a list cannot be absent."""


class ConditionType(StrEnum):
    """The conditions of a NodeTiering. All are the agent's, but `AgentAlive`, which is the operator's."""

    ACCEPTED = "Accepted"
    ENGINE_AVAILABLE = "EngineAvailable"
    APPLIED = "Applied"
    WORKLOADS_RESOLVED = "WorkloadsResolved"
    GUARDRAIL_TRIPPED = "GuardrailTripped"
    TIERS_INVERTED = "TiersInverted"
    AGENT_ALIVE = "AgentAlive"
    READY = "Ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRef:
    """The policy that a node follows."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTieringSpec:
    """`NodeTiering.spec`.

    `policy`, `revision` and `settings` come with `action: Manage` only.
    """

    action: Action
    policy: PolicyRef | None = None
    revision: str | None = None
    settings: Settings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumaNode:
    """One NUMA node of the inventory.

    Attributes:
        tier: the tier that it was put in; empty for a nid that no tier takes.
        why: how tier and kind were found.
        memory_tier: N of the kernel's `memory_tierN`, where it has one.
    """

    nid: int
    tier: str
    kind: MemoryKind
    why: str
    total_bytes: int
    free_bytes: int
    cpus: int
    memory_tier: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCapability:
    """Whether an engine can run on this node, and if not, why and what would help."""

    name: EngineName
    available: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kdamond:
    """One kdamond of ours: one source nid. Counters in bytes since its start.

    Attributes:
        target_nid: `NOWHERE` for one that only watches.
        direction: promotion, demotion, or monitoring.
        arrived_bytes: what really changed nid, counted by kernel fact 27; never tried bytes.
    """

    index: int
    pid: int
    source_nid: int
    target_nid: int
    direction: str
    tried_bytes: int
    applied_bytes: int
    arrived_bytes: int
    quota_exceeds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What the agent computed for fields without a fixed default, and where it had to bound a wish.

    Intervals are None where the engine has none.
    """

    fast_used_target: str
    fast_free_target: str
    fast_floor_bytes: int
    quota_bytes_per_second: int
    apply_interval: str | None = None
    sample_interval: str | None = None
    aggregation_interval: str | None = None
    quota_control: QuotaControl | None = None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """In mode Observe, how much memory is on the wrong tier; estimates by region, of one pass over all memory.

    Attributes:
        forecast_bytes: what Enforce would promote: hot on slow, as far as free and cold memory of fast nids make room.
    """

    hot_on_slow_bytes: int
    cold_on_fast_bytes: int
    forecast_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlacement:
    """Where one pod's memory is, from its cgroup's `memory.numa_stat`, and what is done with it.

    Attributes:
        name: empty while the pod is not known by name.
        fast_share: text such as `81.2%`.
        tiered: None while no policy is followed.
        rule: of `workloads`; empty where none decided.
    """

    uid: str
    namespace: str
    name: str
    fast_bytes: int
    slow_bytes: int
    fast_share: str
    tiered: bool | None = None
    rule: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTieringStatus:
    """`NodeTiering.status`.

    Attributes:
        observed_generation: `metadata.generation` of the spec that this status answers.
        active_revision: the revision that is in force in the kernel; empty after `Restore`.
        active_since: RFC 3339, when `active_revision` came into force.
        plan: in `Observe`, what `Enforce` would start, in words; empty otherwise.
        unknown_fields: spec fields that this agent does not know and did not act on.
        last_heartbeat_time: RFC 3339 by the node's clock, when this status was written. The operator only looks at
            whether it changed, and measures on its own clock.
        heartbeat_period_seconds: within which the agent means to write again, whether or not anything changes.
    """

    observed_generation: int
    last_heartbeat_time: str | None = None
    heartbeat_period_seconds: int | None = None
    kernel: str
    engine: EngineName
    mode: Mode | None = None
    active_revision: str
    active_since: str | None = None
    fast_used: str
    promoted_bytes: int
    promoted: str
    demoted_bytes: int
    demoted: str
    numa_nodes: tuple[NumaNode, ...]
    engines: tuple[EngineCapability, ...]
    kdamonds: tuple[Kdamond, ...]
    effective: Effective | None = None
    levels: Levels | None = None
    plan: tuple[str, ...]
    pods: tuple[PodPlacement, ...]
    unknown_fields: tuple[str, ...]
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTiering:
    """One node's object as operator and agent see it; `status` is None until the agent has spoken."""

    name: str
    uid: str
    generation: int
    resource_version: str
    node_uid: str | None
    spec: NodeTieringSpec
    status: NodeTieringStatus | None = None
