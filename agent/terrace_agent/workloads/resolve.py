"""From rules, pods and cgroups to what may move. Pure.

Before: `rules`, `cgroups`. After: an engine takes `movable` and may have a problem of its own with it (`Plan.problem`),
the status takes the decisions, the conditions the problem.

Memory that belongs to no pod (of the host's daemons, of the root, and of the parents to which that of dead pods moves
up) stays movable beside excluded pods: rules are about pods, and what was demoted before must be able to come back. It
has to be listed like everything else then, so that what is new is left alone until it is listed.
"""

from dataclasses import dataclass, replace
from functools import reduce

from terrace_agent.topology.cpulist import format_list
from terrace_agent.topology.values import TierOfNids
from terrace_agent.workloads import limits
from terrace_agent.workloads.problem import Problem
from terrace_agent.workloads.rules import Rules, decide, decide_unknown, excludes
from terrace_agent.workloads.values import EVERYTHING, Cgroup, Decision, Found, Known, Movable, PodCgroups

Tiers = tuple[TierOfNids, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workloads:
    """What rules, label and cpusets come to now; `decisions` are by uid, one for each pod that has a cgroup."""

    movable: Movable = EVERYTHING
    decisions: tuple[Decision, ...] = ()
    problem: Problem | None = None


_V1 = Problem(
    reason="CgroupV1",
    message=(
        "This node mounts cgroup v1, where Terrace cannot tell the memory of pods apart, so nothing is moved. Boot it "
        "with systemd.unified_cgroup_hierarchy=1; Kubernetes asks for that, too."
    ),
)


def resolve(rules: Rules, known: Known | None, found: Found, tiers: Tiers) -> Workloads:
    """Returns what may move; `known` is None where nobody names pods, `found` as fresh as it can be."""
    if not found.unified:
        nobody = not rules and known is None
        return Workloads() if nobody else Workloads(movable=Movable(listed=True), problem=_V1)
    ruled = tuple(_ruled(rules, known, pod.uid) for pod in found.pods)
    absent = [decide(rules, pod) for pod in known.pods.values()] if known else []
    left_alone = {decision.uid for decision in ruled if not decision.tiered}
    confined = tuple(_confined(decision, pod, tiers) for decision, pod in zip(ruled, found.pods, strict=True))
    decisions = limits.bounded(confined, (rule.name for rule in rules))
    movable = Movable(
        # Excluded pods that have no cgroup yet count: what they will have must not move until it is known as theirs.
        listed=excludes(rules) or not all(decision.tiered for decision in (*ruled, *absent)),
        allowed=tuple(cgroup for pod in found.pods if pod.uid not in left_alone for cgroup in _as_confined(pod))
        + found.others,
        barred=tuple(cgroup for pod in found.pods if pod.uid in left_alone for cgroup in pod.cgroups),
        limited=limits.limited(decisions, tuple(replace(pod, cgroups=_as_confined(pod)) for pod in found.pods)),
    )
    return Workloads(
        movable=movable,
        decisions=decisions,
        problem=_unnamed(known, ruled) or limits.too_many(decisions, limits.asking(confined)),
    )


def _ruled(rules: Rules, known: Known | None, uid: str) -> Decision:
    pod = known.pod(uid) if known else None
    return decide(rules, pod) if pod else decide_unknown(rules, known, uid)


def _as_confined(pod: PodCgroups) -> tuple[Cgroup, ...]:
    """Returns the pod's cgroups, each as confined as the most confined of its containers.

    Kubelet's Memory Manager (policy Static) writes the cpuset of containers, while the memory of one that died is the
    pod's, which has none.
    """
    mems = _mems(pod)
    return tuple(replace(cgroup, mems=mems) for cgroup in pod.cgroups)


def _mems(pod: PodCgroups) -> frozenset[int] | None:
    cpusets = [cgroup.mems for cgroup in pod.cgroups if cgroup.mems is not None]
    return reduce(frozenset.intersection, cpusets) if cpusets else None


def _confined(decision: Decision, pod: PodCgroups, tiers: Tiers) -> Decision:
    """Returns the decision with what the pod's cpuset makes of it."""
    mems = _mems(pod)
    outside = sorted({nid for tier in tiers for nid in tier.nids} - mems) if mems is not None else []
    if not decision.tiered or not outside or mems is None:
        return decision
    why = f"cpuset.mems confines it to nids {format_list(tuple(mems)) or 'none'}"
    reached = sum(bool(mems.intersection(tier.nids)) for tier in tiers)
    return replace(decision, tiered=reached > 1, why=f"{decision.why}; {why}" if decision.why else why)


def _unnamed(known: Known | None, ruled: tuple[Decision, ...]) -> Problem | None:
    unnamed = sum(not decision.tiered and not decision.name for decision in ruled)
    if not unnamed or (known and known.is_current):
        return None
    return Problem(
        reason="PodsUnknown",
        message=(
            f"{unnamed} pods have cgroups here that the API server has not named, so they are left where they are. If "
            "this stays, see the agent's log: it may not list and watch pods, or not reach the API server. By hand "
            "there is none: leave workloads out."
        ),
    )
