"""Which staged trees `on` and `commit` take. Pure; paths are relative to the kdamond."""

import re
from collections.abc import Iterator, Mapping

_ATTRS = "contexts/0/monitoring_attrs"
_REGION = re.compile(r"contexts/0/targets/0/regions/(\d+)/start")
_MEMCG_FILTER = re.compile(r"(contexts/0/schemes/\d+/(?:core_|ops_)?filters/\d+)/type")
_PID = re.compile(r"contexts/0/targets/(\d+)/pid_target")
_GOAL = re.compile(r"(contexts/0/schemes/\d+/quotas/goals/\d+)/target_metric")


def is_valid(tree: Mapping[str, str]) -> bool:
    """Returns whether the kernel builds a context from the tree."""
    physical = tree.get("contexts/0/operations") == "paddr"
    if tree["contexts/nr_contexts"] != "1" or (physical and int(tree["contexts/0/targets/nr_targets"]) > 1):
        return False
    return _intervals_are_valid(tree) and _regions_are_valid(tree)


def intervals(tree: Mapping[str, str]) -> tuple[int, int]:
    """Returns the sampling and aggregation interval of the tree, in us."""
    return int(tree[f"{_ATTRS}/intervals/sample_us"]), int(tree[f"{_ATTRS}/intervals/aggr_us"])


def monitored_bytes(tree: Mapping[str, str]) -> int:
    """Returns the size of all regions of the tree."""
    regions = [match[0].removesuffix("start") for path in tree if (match := _REGION.fullmatch(path))]
    return sum(int(tree[f"{region}end"]) - int(tree[f"{region}start"]) for region in regions)


def pids(tree: Mapping[str, str]) -> set[int]:
    """Returns the processes that a tree of virtual addresses monitors."""
    if tree["contexts/0/operations"] == "paddr":
        return set()
    return {int(tree[path]) for path in tree if _PID.fullmatch(path)}


def tried(
    tree: Mapping[str, str], scheme: int, accessed: Mapping[int, tuple[tuple[int, int], ...]]
) -> Iterator[tuple[int, int]]:
    """Yields the regions that a scheme takes of what processes touch, target by target."""
    for number in range(int(tree["contexts/0/targets/nr_targets"])):
        if not any(_rejects(tree, path, number) for path in _target_filters(tree, scheme)):
            yield from accessed.get(int(tree[f"contexts/0/targets/{number}/pid_target"]), ())


def _target_filters(tree: Mapping[str, str], scheme: int) -> Iterator[str]:
    for name in ("core_filters", "filters"):
        folder = f"contexts/0/schemes/{scheme}/{name}"
        for number in range(int(tree.get(f"{folder}/nr_filters", "0"))):
            if tree[f"{folder}/{number}/type"] == "target":
                yield f"{folder}/{number}"


def _rejects(tree: Mapping[str, str], path: str, target: int) -> bool:
    matches = (int(tree[f"{path}/damon_target_idx"]) == target) == (tree[f"{path}/matching"] == "Y")
    return matches and tree.get(f"{path}/allow", "N") == "N"


def goal_nids(tree: Mapping[str, str]) -> set[int]:
    """Returns the nids that goals of node metrics name."""
    goals = (
        match[1]
        for path in tree
        if (match := _GOAL.fullmatch(path)) and tree[path].startswith(("node_mem_", "node_memcg_"))
    )
    return {int(tree[f"{goal}/nid"]) for goal in goals if tree[f"{goal}/target_value"] != "0"}


def memcg_paths(tree: Mapping[str, str]) -> set[str]:
    """Returns the cgroups that filters name."""
    filters = (match[1] for path in tree if (match := _MEMCG_FILTER.fullmatch(path)) and tree[path] == "memcg")
    return {tree[f"{directory}/memcg_path"] for directory in filters}


def goal_memcg_paths(tree: Mapping[str, str]) -> set[str]:
    """Returns the cgroups that goals of memcg metrics name."""
    goals = (match[1] for path in tree if (match := _GOAL.fullmatch(path)) and tree[path].startswith("node_memcg_"))
    return {tree[f"{goal}/path"] for goal in goals if tree[f"{goal}/target_value"] != "0"}


def _intervals_are_valid(tree: Mapping[str, str]) -> bool:
    sample_us, aggr_us = intervals(tree)
    goal = f"{_ATTRS}/intervals/intervals_goal"
    if int(tree.get(f"{goal}/aggrs", "0")):
        least, most = int(tree[f"{goal}/min_sample_us"]), int(tree[f"{goal}/max_sample_us"])
        if not least <= sample_us <= most:
            return False
    return 0 < sample_us <= aggr_us


def _regions_are_valid(tree: Mapping[str, str]) -> bool:
    least, most = (int(tree[f"{_ATTRS}/nr_regions/{end}"]) for end in ("min", "max"))
    if not 3 <= least <= most:
        return False
    numbers = sorted(int(match[1]) for path in tree if (match := _REGION.fullmatch(path)))
    end = 0
    for number in numbers:
        region = f"contexts/0/targets/0/regions/{number}"
        if not end <= int(tree[f"{region}/start"]) < int(tree[f"{region}/end"]):
            return False
        end = int(tree[f"{region}/end"])
    return True
