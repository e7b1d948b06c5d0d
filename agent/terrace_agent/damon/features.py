"""What this kernel's DAMON can do, found by looking at files and trying keywords, never by version.

Most files exist below a scheme only, so a probe stages one scheme that never runs (kernel.md 2.2) and takes it away
again. That is possible while nobody has kdamonds only; else the files of the existing tree have to do.

After: `desired` leaves out what is missing, `missing` (pure) says in words why the engine cannot run.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from terrace_agent.damon.patience import Patience
from terrace_agent.damon.stores import ADMIN, KDAMONDS, NR_KDAMONDS, kdamond_path
from terrace_agent.engine import Store
from terrace_agent.errors import HostFileMissing, StoreRefused
from terrace_agent.hostfs import HostFs

_CONTEXT = f"{kdamond_path(0)}/contexts/0"
_SCHEME = f"{_CONTEXT}/schemes/0"
_PROBES = f"{_CONTEXT}/monitoring_attrs/probes"


class Feature(StrEnum):
    """One thing that a kernel's DAMON may be able to do; values go into the journal."""

    PADDR = "paddr"
    MIGRATE = "migrate"
    ALLOW_FILTERS = "allow_filters"
    OPS_FILTERS = "ops_filters"
    UNMAPPED = "unmapped"
    INTERVALS_GOAL = "intervals_goal"
    NODE_GOALS = "node_goals"
    REFRESH = "refresh_ms"
    TEMPORAL = "temporal"
    FAIL_CHARGE = "fail_charge"
    THISNODE = "thisnode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Why the engine cannot run on this kernel.

    Attributes:
        reason: CamelCase, for conditions.
    """

    reason: str
    message: str


_HELP = "Debian's kernels from sid and trixie-backports (7.1 and later) have it."

_NO_SYSFS = Missing(
    reason="NoDamonSysfs",
    message=(
        f"This kernel has no DAMON sysfs interface: {ADMIN} is missing (CONFIG_DAMON_SYSFS is off, as in Debian 12's "
        "own 6.1 and in Ubuntu, Bottlerocket, Talos, Flatcar and COS kernels). A kernel of 7.1 or later with it helps, "
        "for example from Debian sid or trixie-backports."
    ),
)

_NEEDED = {
    Feature.PADDR: Missing(
        reason="NoPhysicalOperations",
        message=(
            "This kernel's DAMON cannot monitor physical memory (no 'paddr' in avail_operations): it is built without "
            "CONFIG_DAMON_PADDR."
        ),
    ),
    Feature.MIGRATE: Missing(
        reason="NoMigrateActions",
        message=f"This kernel's DAMON cannot migrate pages (no schemes/0/target_nid; Linux 6.11 has it). {_HELP}",
    ),
    Feature.ALLOW_FILTERS: Missing(
        reason="NoAllowFilters",
        message=f"This kernel's DAMON filters can only reject (no filters/0/allow; Linux 6.14 has it). {_HELP}",
    ),
    Feature.NODE_GOALS: Missing(
        reason="NoNodeGoals",
        message=(
            "This kernel's DAMON has no quota goals for the memory of NUMA nodes (no quotas/goals/0/nid; Linux 6.16 "
            f"has it). {_HELP}"
        ),
    ),
    Feature.TEMPORAL: Missing(
        reason="NoTemporalTuner",
        message=(
            "This kernel's DAMON has no temporal goal tuner (no quotas/goal_tuner; Linux 7.1 has it); with its only "
            f"tuner, promotion would start from one byte per second. {_HELP}"
        ),
    ),
}


def missing(features: frozenset[Feature]) -> Missing | None:
    """Returns the first thing that the engine needs and `features` lacks. Pure."""
    return next((why for feature, why in _NEEDED.items() if feature not in features), None)


def missing_interface(fs: HostFs) -> Missing | None:
    """Returns why there is no DAMON to ask at all; None if there is."""
    return None if fs.exists(KDAMONDS) else _NO_SYSFS


class Prober:
    """Finds features; the only part that stores anything without a plan."""

    def __init__(self, fs: HostFs, patience: Patience) -> None:
        self._fs = fs
        self._patience = patience

    def stage(self) -> frozenset[Feature]:
        """Returns the features as a staged scheme of our own shows them; `nr_kdamonds` is 0 afterwards.

        The caller has made sure that nobody else's kdamond is in the tree, and has journaled `scratch_stores()`.
        """
        try:
            self._patience.store(self._fs, NR_KDAMONDS, "1")
            for store in _DIRECTORIES:
                self._accepts(store)
            refused = {feature for feature, store in _KEYWORDS if not self._accepts(store)}
            return frozenset(self._seen()) - refused
        finally:
            self._patience.store(self._fs, NR_KDAMONDS, "0")

    def look(self) -> frozenset[Feature]:
        """Returns the features as the first kdamond's tree shows them, whoever made it; stores nothing.

        What no file of that tree can show counts as missing.
        """
        return frozenset(self._seen())

    def _seen(self) -> Iterator[Feature]:
        has = self._fs.exists
        ops_filters, tuner = has(f"{_SCHEME}/ops_filters"), has(f"{_SCHEME}/quotas/goal_tuner")
        found = {
            Feature.PADDR: "paddr" in self._text(f"{_CONTEXT}/avail_operations").split(),
            Feature.MIGRATE: has(f"{_SCHEME}/target_nid"),
            # ops_filters came after `allow`, goal_tuner after `nid`: they show it where no filter or goal is.
            Feature.ALLOW_FILTERS: ops_filters or has(f"{_SCHEME}/filters/0/allow"),
            Feature.OPS_FILTERS: ops_filters,
            # The same release, 6.15, brought both.
            Feature.UNMAPPED: ops_filters,
            Feature.INTERVALS_GOAL: has(f"{_CONTEXT}/monitoring_attrs/intervals/intervals_goal"),
            Feature.NODE_GOALS: tuner or has(f"{_SCHEME}/quotas/goals/0/nid"),
            Feature.REFRESH: has(f"{kdamond_path(0)}/refresh_ms"),
            Feature.TEMPORAL: tuner,
            Feature.FAIL_CHARGE: has(f"{_SCHEME}/quotas/fail_charge_denom"),
            # No file shows that migration allocates on its target only. The release that brought it back, 7.3, also
            # brought the weight of probes (kernel.md 2.1), and before 6.17, without refresh_ms, it had never gone.
            Feature.THISNODE: has(f"{_PROBES}/0/weight") or not has(f"{kdamond_path(0)}/refresh_ms"),
        }
        return (feature for feature, is_there in found.items() if is_there)

    def _text(self, path: str) -> str:
        try:
            return self._patience.read(self._fs, path)
        except HostFileMissing:
            return ""

    def _accepts(self, store: Store) -> bool:
        try:
            self._patience.store(self._fs, store.path, store.value)
        except HostFileMissing:
            return False
        except StoreRefused as error:
            if error.errno == errno.EINVAL:
                return False
            raise
        return True


_DIRECTORIES = (
    Store(path=f"{kdamond_path(0)}/contexts/nr_contexts", value="1"),
    Store(path=f"{_PROBES}/nr_probes", value="1"),
    Store(path=f"{_CONTEXT}/schemes/nr_schemes", value="1"),
    Store(path=f"{_SCHEME}/quotas/goals/nr_goals", value="1"),
    Store(path=f"{_SCHEME}/filters/nr_filters", value="1"),
)
_KEYWORDS = (
    (Feature.MIGRATE, Store(path=f"{_SCHEME}/action", value="migrate_hot")),
    (Feature.MIGRATE, Store(path=f"{_SCHEME}/action", value="migrate_cold")),
    (Feature.UNMAPPED, Store(path=f"{_SCHEME}/filters/0/type", value="unmapped")),
    (Feature.NODE_GOALS, Store(path=f"{_SCHEME}/quotas/goals/0/target_metric", value="node_mem_used_bp")),
    (Feature.NODE_GOALS, Store(path=f"{_SCHEME}/quotas/goals/0/target_metric", value="node_mem_free_bp")),
    (Feature.TEMPORAL, Store(path=f"{_SCHEME}/quotas/goal_tuner", value="temporal")),
)


def scratch_stores() -> tuple[Store, ...]:
    """Returns what `Prober.stage` may leave behind if it is killed: one of everything that has files of its own."""
    return (*_DIRECTORIES, *(store for _, store in _KEYWORDS))
