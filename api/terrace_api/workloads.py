"""Which pods a policy tiers: its `workloads`, as frozen values. Pure.

Field by field `spec.workloads` of `crds/tieringpolicies.yaml`; the first rule that matches a pod decides.
"""

from dataclasses import dataclass
from enum import StrEnum

from terrace_api.selectors import LabelSelector
from terrace_api.units import Size


class WorkloadAction(StrEnum):
    """What a rule does with the pods that it matches."""

    TIER = "Tier"
    EXCLUDE = "Exclude"


class QosClass(StrEnum):
    """Kubernetes' own classes of pods."""

    GUARANTEED = "Guaranteed"
    BURSTABLE = "Burstable"
    BEST_EFFORT = "BestEffort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a pod must have: everything that is given, of each any."""

    namespaces: tuple[str, ...] | None = None
    pod_selector: LabelSelector | None = None
    qos_classes: tuple[QosClass, ...] | None = None
    priority_classes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FastMemory:
    """Bounds on what each pod has of the fastest tier; at least one is given."""

    max: Size | None = None
    min: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRule:
    """One rule; without `match` it matches every pod."""

    name: str
    action: WorkloadAction
    match: Match | None = None
    fast_memory: FastMemory | None = None
