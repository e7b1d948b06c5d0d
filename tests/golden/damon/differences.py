"""Where a policy differs from a recipe, file by file, and why: scheme against scheme, whichever kdamond it is in."""

from terrace_agent.damon.stores import kdamond_stores
from terrace_agent.damon.tree import Kdamond

WHY = {
    "quotas/goal_tuner": "consist would start from one byte and stall (kernel fact 1)",
    "quotas/goals/0/target_value": "a wish, bounded by what the kernel needs free (fact 21)",
    "quotas/goals/nr_goals": "demotion also stops where its target needs its memory (fact 22)",
    "quotas/goals/1/": "demotion also stops where its target needs its memory (fact 22)",
    "apply_interval_us": "one second would starve the schemes while intervals are tuned (fact 17)",
    "quotas/reset_interval_ms": "shorter windows of the same rate overshoot less",
    "quotas/bytes": "shorter windows of the same rate overshoot less",
    "quotas/fail_charge_": "what the young filter turns away is charged an eighth (section 11)",
    "access_pattern/age/min": "no page is cold before the slow nid has looked twice (fact 19)",
    "access_pattern/age/max": "the largest count that the kernel holds",
    "access_pattern/nr_accesses/max": "the largest count that the kernel holds",
    "access_pattern/sz/min": "no region is smaller than a page",
    "targets/0/regions/0/": "one kdamond per source nid (section 5.5)",
    "refresh_ms": "commands would wait for the watermarks' interval (4.1)",
    "intervals/update_us": "unused with physical addresses (fact 13)",
}
"""By the end of a path: the closed list of what may differ."""

ADDED = {"stat": "clears accessed bits before regions are old enough to move (section 11)"}
"""By action: schemes that recipes do not have."""


def explain(recipe: tuple[Kdamond, ...], ours: tuple[Kdamond, ...]) -> str:
    """Returns one line per differing file: direction, file, both values, the reason.

    Raises:
        KeyError: something differs for no stated reason.
    """
    theirs, mine = _by_direction(recipe), _by_direction(ours)
    assert set(mine) - set(theirs) <= set(ADDED)
    added = [f"{action}: a scheme of ours  # {ADDED[action]}" for action in mine if action not in theirs]
    found = [
        f"{direction} {path}: {theirs[direction].get(path, '-')} -> {value}  # {_reason(path)}"
        for direction in sorted(theirs)
        for path, value in mine[direction].items()
        if theirs[direction].get(path) != value
    ]
    return "\n".join(found + added) + "\n"


def _reason(path: str) -> str:
    for key, why in WHY.items():
        if path.endswith(key) or (key.endswith(("/", "_")) and key in path):
            return why
    raise KeyError(path)


def _by_direction(kdamonds: tuple[Kdamond, ...]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for kdamond in kdamonds:
        for number, scheme in enumerate(kdamond.contexts[0].schemes):
            root, mine = "/sys/kernel/mm/damon/admin/kdamonds/0/", f"contexts/0/schemes/{number}/"
            files = {store.path.removeprefix(root): store.value for store in kdamond_stores(kdamond, 0)}
            found[scheme.action] = {
                path.replace(mine, "schemes/S/").removeprefix("contexts/0/"): value
                for path, value in files.items()
                if "/schemes/" not in path or path.startswith(mine)
            }
            found[scheme.action].pop("schemes/nr_schemes", None)
    return {
        action: {path: value for path, value in files.items() if not path.endswith("/nr_schemes")}
        for action, files in found.items()
    }
