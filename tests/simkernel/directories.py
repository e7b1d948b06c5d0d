"""What a fresh directory holds, by what it is (Linux mm/damon/sysfs.c and sysfs-schemes.c)."""

from collections.abc import Mapping

NR_FILES = (
    "nr_kdamonds",
    "nr_contexts",
    "nr_targets",
    "nr_regions",
    "nr_schemes",
    "nr_goals",
    "nr_filters",
    "nr_dests",
    "nr_probes",
)
READ_ONLY = (
    "pid",
    "avail_operations",
    "effective_bytes",
    "total_bytes",
    "nr_tried",
    "sz_tried",
    "nr_applied",
    "sz_applied",
    "sz_ops_filter_passed",
    "qt_exceeds",
    "nr_snapshots",
)

Files = Mapping[str, str]


def child_of(path: str) -> str:
    """Returns which kind of directory the `nr_...` file at `path` makes."""
    if "/probes/" in path and path.endswith("filters/nr_filters"):
        return "probe_filter"
    directory = path.split("/")[-2]
    return "filter" if directory.endswith("filters") else directory.removesuffix("s")


def fresh(kind: str, has: frozenset[str]) -> dict[str, str]:
    """Returns path and content of every file of a new directory of that kind."""
    return {
        "kdamond": _kdamond,
        "context": _context,
        "target": _target,
        "region": lambda _: {"start": "0", "end": "0"},
        "scheme": _scheme,
        "goal": _goal,
        "dest": lambda _: {"id": "0", "weight": "0"},
        "probe": lambda has: {"filters/nr_filters": "0"} | _where(has, "weight", "weight"),
        "probe_filter": lambda _: {"type": "anon", "matching": "N", "allow": "N", "path": ""},
        "filter": _filter,
    }[kind](has)


def _kdamond(has: frozenset[str]) -> dict[str, str]:
    return {"state": "off", "pid": "-1", "contexts/nr_contexts": "0"} | _where(has, "refresh_ms", "refresh_ms")


def _context(has: frozenset[str]) -> dict[str, str]:
    intervals = "monitoring_attrs/intervals"
    files = {
        "avail_operations": "vaddr\nfvaddr\npaddr" if "paddr" in has else "vaddr\nfvaddr",
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
    files |= _where(has, "intervals_goal", *(f"{intervals}/intervals_goal/{name}" for name in goal))
    files |= {"addr_unit": "1"} if "addr_unit" in has else {}
    files |= {"pause": "N"} if "pause" in has else {}
    return files | _where(has, "probes", "monitoring_attrs/probes/nr_probes")


def _target(has: frozenset[str]) -> dict[str, str]:
    return {"pid_target": "0", "regions/nr_regions": "0"} | (
        {"obsolete_target": "N"} if "obsolete_target" in has else {}
    )


def _scheme(has: frozenset[str]) -> dict[str, str]:
    zeros = [f"access_pattern/{what}/{end}" for what in ("sz", "nr_accesses", "age") for end in ("min", "max")]
    zeros += [f"quotas/{name}" for name in ("ms", "bytes", "reset_interval_ms", "effective_bytes", "goals/nr_goals")]
    zeros += [f"quotas/weights/{name}_permil" for name in ("sz", "nr_accesses", "age")]
    zeros += [f"watermarks/{name}" for name in ("interval_us", "high", "mid", "low")]
    zeros += [f"stats/{name}" for name in ("nr_tried", "sz_tried", "nr_applied", "sz_applied", "qt_exceeds")]
    zeros += ["apply_interval_us", "filters/nr_filters", "tried_regions/total_bytes"]
    files = {"action": "stat", "watermarks/metric": "none"} | dict.fromkeys(zeros, "0")
    files |= {"target_nid": "-1"} if "migrate" in has else {}
    files |= _where(has, "allow", "stats/sz_ops_filter_passed")
    files |= _where(has, "ops_filters", "core_filters/nr_filters", "ops_filters/nr_filters")
    files |= _where(has, "dests", "dests/nr_dests")
    files |= _where(has, "nr_snapshots", "stats/nr_snapshots", "stats/max_nr_snapshots")
    files |= _where(has, "fail_charge", "quotas/fail_charge_num", "quotas/fail_charge_denom")
    return files | ({"quotas/goal_tuner": "consist"} if "temporal" in has else {})


def _goal(has: frozenset[str]) -> dict[str, str]:
    files = {"target_metric": "user_input", "target_value": "0", "current_value": "0"}
    files |= _where(has, "node_goals", "nid")
    return files | ({"path": ""} if "memcg_goals" in has else {})


def _filter(has: frozenset[str]) -> dict[str, str]:
    files = {"type": "anon", "matching": "N", "memcg_path": "", "addr_start": "0", "addr_end": "0"}
    files |= {"damon_target_idx": "0"} | _where(has, "ops_filters", "min", "max")
    return files | ({"allow": "N"} if "allow" in has else {})


def _where(has: frozenset[str], feature: str, *names: str) -> dict[str, str]:
    """Returns these files with zeros in them, if the kernel has the feature."""
    return dict.fromkeys(names, "0") if feature in has else {}
