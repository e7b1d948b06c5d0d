"""What a fresh directory holds, by what it is (Linux mm/damon/sysfs.c and sysfs-schemes.c)."""

from collections.abc import Mapping

ACTIONS = ("willneed", "cold", "pageout", "hugepage", "nohugepage", "lru_prio", "lru_deprio", "stat")
MIGRATIONS = ("migrate_hot", "migrate_cold")
METRICS = ("user_input", "some_mem_psi_us")
NODE_METRICS = ("node_mem_used_bp", "node_mem_free_bp")
CORE_TYPES = ("addr", "target")
OPS_TYPES = ("anon", "memcg", "young")
LATER_OPS_TYPES = ("active", "unmapped", "hugepage_size")

NR_FILES = (
    "nr_kdamonds",
    "nr_contexts",
    "nr_targets",
    "nr_regions",
    "nr_schemes",
    "nr_goals",
    "nr_filters",
    "nr_probes",
)
READ_ONLY = (
    "pid",
    "avail_operations",
    "effective_bytes",
    "sz_tried",
    "sz_applied",
    "qt_exceeds",
    "nr_tried",
    "total_bytes",
)

Files = Mapping[str, str]


def child_of(path: str) -> str:
    """Returns which kind of directory the `nr_...` file at `path` makes."""
    directory = path.split("/")[-2]
    return "filter" if directory.endswith("filters") else directory.removesuffix("s")


def fresh(kind: str, has: frozenset[str]) -> dict[str, str]:
    """Returns path and content of every file of a new directory of that kind."""
    return {
        "kdamond": _kdamond,
        "context": _context,
        "target": lambda _: {"regions/nr_regions": "0"},
        "region": lambda _: {"start": "0", "end": "0"},
        "scheme": _scheme,
        "goal": _goal,
        "probe": lambda has: {"weight": "0"} if "weight" in has else {"filters/nr_filters": "0"},
        "filter": _filter,
    }[kind](has)


def _kdamond(has: frozenset[str]) -> dict[str, str]:
    files = {"state": "off", "pid": "-1", "contexts/nr_contexts": "0"}
    return files | ({"refresh_ms": "0"} if "refresh_ms" in has else {})


def _context(has: frozenset[str]) -> dict[str, str]:
    intervals = "monitoring_attrs/intervals"
    files = {
        "avail_operations": "vaddr\nfvaddr\npaddr",
        "operations": "vaddr",
        f"{intervals}/sample_us": "5000",
        f"{intervals}/aggr_us": "100000",
        f"{intervals}/update_us": "60000000",
        "monitoring_attrs/nr_regions/min": "10",
        "monitoring_attrs/nr_regions/max": "1000",
        "targets/nr_targets": "0",
        "schemes/nr_schemes": "0",
    }
    goal = ("access_bp", "aggrs", "min_sample_us", "max_sample_us")
    files |= {f"{intervals}/intervals_goal/{name}": "0" for name in goal} if "intervals_goal" in has else {}
    return files | ({"monitoring_attrs/probes/nr_probes": "0"} if "probes" in has else {})


def _scheme(has: frozenset[str]) -> dict[str, str]:
    zeros = [f"access_pattern/{what}/{end}" for what in ("sz", "nr_accesses", "age") for end in ("min", "max")]
    zeros += [f"quotas/{name}" for name in ("ms", "bytes", "reset_interval_ms", "effective_bytes", "goals/nr_goals")]
    zeros += [f"quotas/weights/{name}_permil" for name in ("sz", "nr_accesses", "age")]
    zeros += [f"watermarks/{name}" for name in ("interval_us", "high", "mid", "low")]
    zeros += [f"stats/{name}" for name in ("nr_tried", "sz_tried", "nr_applied", "sz_applied", "qt_exceeds")]
    zeros += ["apply_interval_us", "filters/nr_filters", "tried_regions/total_bytes"]
    if "fail_charge" in has:
        zeros += ["quotas/fail_charge_num", "quotas/fail_charge_denom"]
    if "ops_filters" in has:
        zeros += ["core_filters/nr_filters", "ops_filters/nr_filters", "stats/sz_ops_filter_passed"]
    files = {"action": "stat", "watermarks/metric": "none"} | dict.fromkeys(zeros, "0")
    files |= {"target_nid": "-1"} if "migrate" in has else {}
    return files | ({"quotas/goal_tuner": "consist"} if "temporal" in has else {})


def _goal(has: frozenset[str]) -> dict[str, str]:
    files = {"target_metric": "user_input", "target_value": "0", "current_value": "0"}
    return files | ({"nid": "0"} if "node_goals" in has else {})


def _filter(has: frozenset[str]) -> dict[str, str]:
    files = {"type": "anon", "matching": "N", "memcg_path": "", "addr_start": "0", "addr_end": "0"}
    return files | ({"allow": "N"} if "allow" in has else {})
