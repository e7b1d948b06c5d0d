"""Which text each file takes. Pure."""

_SIGNED = ("target_nid", "nid", "damon_target_idx")
_ACTIONS = ("willneed", "cold", "pageout", "hugepage", "nohugepage", "lru_prio", "lru_deprio", "stat")
_MIGRATIONS = ("migrate_hot", "migrate_cold")
_METRICS = ("user_input", "some_mem_psi_us")
_CORE_TYPES = ("addr", "target")
_OPS_TYPES = ("anon", "memcg", "young")
_LATER_OPS_TYPES = ("active", "unmapped", "hugepage_size")


def accepted(path: str, value: str, has: frozenset[str]) -> str | None:
    """Returns the content of the file at `path` after storing `value`; None where the kernel says EINVAL."""
    keywords = _keywords(path, has)
    if keywords is not None:
        return value if value in keywords else None
    name = path.rpartition("/")[2]
    if name in {"matching", "allow", "enabled", "pause", "obsolete_target"}:
        return {"Y": "Y", "y": "Y", "1": "Y", "N": "N", "n": "N", "0": "N"}.get(value)
    if name == "demotion_enabled":
        return {"true": "true", "1": "true", "Y": "true", "false": "false", "0": "false", "N": "false"}.get(value)
    if name in {"memcg_path", "path"}:
        return value
    return _number(name, value)


def _number(name: str, value: str) -> str | None:
    try:
        number = int(value)
    except ValueError:
        return None
    return str(number) if number >= 0 or name in _SIGNED else None


def _keywords(path: str, has: frozenset[str]) -> tuple[str, ...] | None:
    name = path.rpartition("/")[2]
    match name:
        case "operations":
            return ("vaddr", "fvaddr", "paddr")
        case "action":
            return _ACTIONS + (_MIGRATIONS if "migrate" in has else ()) + (("collapse",) if "collapse" in has else ())
        case "target_metric":
            return _metrics(has)
        case "goal_tuner":
            return ("consist", "temporal")
        case "metric":
            return ("none", "free_mem_rate")
        case "type":
            return _filter_types(path, has)
        case _:
            return None


def _metrics(has: frozenset[str]) -> tuple[str, ...]:
    found: tuple[str, ...] = _METRICS
    for feature, metrics in (
        ("node_goals", ("node_mem_used_bp", "node_mem_free_bp")),
        ("memcg_goals", ("node_memcg_used_bp", "node_memcg_free_bp")),
        ("nr_snapshots", ("active_mem_bp", "inactive_mem_bp")),
        ("fail_charge", ("node_eligible_mem_bp",)),
    ):
        found += metrics if feature in has else ()
    return found


def _filter_types(path: str, has: frozenset[str]) -> tuple[str, ...]:
    ops_types = _OPS_TYPES + (_LATER_OPS_TYPES if "ops_filters" in has else ())
    if "/probes/" in path:
        return ("anon", "memcg")
    if "/core_filters/" in path:
        return _CORE_TYPES
    return ops_types if "/ops_filters/" in path else _CORE_TYPES + ops_types
