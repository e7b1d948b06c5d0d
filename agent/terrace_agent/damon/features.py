"""What a kernel may be able to do, and what is done where it cannot: the one table. Pure.

Nothing here is decided by version: distributions backport. `since` and `commit` are for the reader. `probe` looks the
table's files up and tries its keywords; `desired` takes the next best way for what is missing, and says so in notes;
only `INDISPENSABLE` keeps the engine from running.
"""

from dataclasses import dataclass
from enum import StrEnum

from terrace_agent.damon.stores import kdamond_path
from terrace_agent.steps import Store

CONTEXT = f"{kdamond_path(0)}/contexts/0"
SCHEME = f"{CONTEXT}/schemes/0"
PROBES = f"{CONTEXT}/monitoring_attrs/probes"
_GOAL = f"{SCHEME}/quotas/goals/0"


class Feature(StrEnum):
    """One thing that a kernel may be able to do; values go into the journal."""

    PADDR = "paddr"
    MIGRATE = "migrate"
    ALLOW_FILTERS = "allow_filters"
    OPS_FILTERS = "ops_filters"
    UNMAPPED = "unmapped"
    INTERVALS_GOAL = "intervals_goal"
    NODE_GOALS = "node_goals"
    CPUSET_DEMOTION = "cpuset_demotion"
    REFRESH = "refresh_ms"
    MEMCG_GOALS = "memcg_goals"
    TEMPORAL = "temporal"
    FAIL_CHARGE = "fail_charge"
    THISNODE = "thisnode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one feature is found.

    Attributes:
        files: any of them shows it; the later ones where the first is not there to see.
        without: this file missing shows it, too.
        words: file and word: the word in it shows it.
        keywords: stores that a staged scheme must accept; one EINVAL, and the feature is not there.
        since: the first release.
        commit: where it came in, as far as known.
        instead: what is done without it.
    """

    feature: Feature
    files: tuple[str, ...] = ()
    without: str | None = None
    words: tuple[str, str] | None = None
    keywords: tuple[Store, ...] = ()
    since: str
    commit: str = ""
    instead: str = ""


def _keyword(path: str, *values: str) -> tuple[Store, ...]:
    return tuple(Store(path=path, value=value) for value in values)


TABLE = (
    Row(
        feature=Feature.PADDR,
        words=(f"{CONTEXT}/avail_operations", "paddr"),
        since="5.18",
        commit="c951cd3b8901",
    ),
    Row(
        feature=Feature.MIGRATE,
        files=(f"{SCHEME}/target_nid",),
        keywords=_keyword(f"{SCHEME}/action", "migrate_hot", "migrate_cold"),
        since="6.11",
    ),
    Row(
        feature=Feature.ALLOW_FILTERS,
        # ops_filters came after `allow`: they show it where no filter is.
        files=(f"{SCHEME}/ops_filters", f"{SCHEME}/filters/0/allow"),
        since="6.14",
        instead="the file is left out: a filter rejects what it matches",
    ),
    Row(
        feature=Feature.OPS_FILTERS,
        files=(f"{SCHEME}/ops_filters",),
        since="6.15",
        instead="all filters go into filters/ and only reject: promotion rejects pages that are not young",
    ),
    Row(
        feature=Feature.UNMAPPED,
        # One release brought both: ops_filters show it where no filter is.
        files=(f"{SCHEME}/ops_filters",),
        keywords=_keyword(f"{SCHEME}/filters/0/type", "unmapped"),
        since="6.15",
        instead="of page cache, what is mapped cannot be told: with pageCache MappedOnly no page cache is demoted",
    ),
    Row(
        feature=Feature.INTERVALS_GOAL,
        files=(f"{CONTEXT}/monitoring_attrs/intervals/intervals_goal",),
        since="6.15",
        commit="1eb3471bf574",
        instead="intervals stay as the policy starts them",
    ),
    Row(
        feature=Feature.NODE_GOALS,
        # goal_tuner came after `nid`: it shows it where no goal is.
        files=(f"{SCHEME}/quotas/goal_tuner", f"{_GOAL}/nid"),
        keywords=_keyword(f"{_GOAL}/target_metric", "node_mem_used_bp", "node_mem_free_bp"),
        since="6.16",
        commit="0e1c773b501f",
        instead="the agent reads free memory and hands out allowances",
    ),
    Row(
        feature=Feature.CPUSET_DEMOTION,
        # Reclaim's demotion heeds cpusets since the release that counts proactive demotion on its own.
        words=("/proc/vmstat", "pgdemote_proactive"),
        since="6.16",
        instead="demotion_enabled stays off while a pod's cpuset excludes a slow nid, and the floor is doubled then",
    ),
    Row(
        feature=Feature.REFRESH,
        files=(f"{kdamond_path(0)}/refresh_ms",),
        since="6.17",
        instead="counters are asked for by command",
    ),
    Row(
        feature=Feature.MEMCG_GOALS,
        files=(f"{_GOAL}/path",),
        keywords=_keyword(f"{_GOAL}/target_metric", "node_memcg_used_bp", "node_memcg_free_bp"),
        since="6.19",
        commit="6a18bbe48361",
        instead="workloads[].fastMemory bounds nothing: the pods are tiered without limits",
    ),
    Row(
        feature=Feature.TEMPORAL,
        files=(f"{SCHEME}/quotas/goal_tuner",),
        keywords=_keyword(f"{SCHEME}/quotas/goal_tuner", "temporal"),
        since="7.1",
        commit="8719c59c4b928",
        instead="the agent hands out allowances: the other tuner starts from one byte and does not stop at the goal",
    ),
    Row(
        feature=Feature.FAIL_CHARGE,
        files=(f"{SCHEME}/quotas/fail_charge_denom",),
        since="7.2",
        commit="c7ec7d5f6b3d1",
        instead="pages that the young filter turns away are charged in full",
    ),
    Row(
        feature=Feature.THISNODE,
        # No file shows that migration allocates on its target only. It was so before 6.17, which brought refresh_ms,
        # and is again from 7.3 on, which brought the weight of probes.
        files=(f"{PROBES}/0/weight",),
        without=f"{kdamond_path(0)}/refresh_ms",
        since="7.3, and before 6.17",
        commit="37aae41c1056",
        instead="of applied bytes, what numa_foreign of the target grew by does not count as arrived",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Why the engine cannot run on this kernel.

    Attributes:
        reason: CamelCase, for conditions.
    """

    reason: str
    message: str


INDISPENSABLE = {
    Feature.PADDR: Missing(
        reason="NoPhysicalOperations",
        message=(
            "This kernel's DAMON cannot monitor physical memory (no 'paddr' in avail_operations): it is built without "
            "CONFIG_DAMON_PADDR, and only another build of it would help."
        ),
    ),
    Feature.MIGRATE: Missing(
        reason="NoMigrateActions",
        message=(
            "This kernel's DAMON cannot migrate pages (no schemes/0/target_nid); Linux 6.11 and later can, for example "
            "those of Debian 13, of trixie-backports and of sid."
        ),
    ),
}


def missing(features: frozenset[Feature]) -> Missing | None:
    """Returns the first indispensable thing that `features` lacks."""
    return next((why for feature, why in INDISPENSABLE.items() if feature not in features), None)
