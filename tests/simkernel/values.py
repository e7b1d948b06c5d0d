"""Which text each file takes. Pure."""

from simkernel.directories import ACTIONS, CORE_TYPES, LATER_OPS_TYPES, METRICS, MIGRATIONS, NODE_METRICS, OPS_TYPES

_SIGNED = ("target_nid", "nid")


def accepted(path: str, value: str, has: frozenset[str]) -> str | None:
    """Returns the content of the file at `path` after storing `value`; None where the kernel says EINVAL."""
    keywords = _keywords(path, has)
    if keywords is not None:
        return value if value in keywords else None
    name = path.rpartition("/")[2]
    if name in {"matching", "allow", "enabled"}:
        return {"Y": "Y", "y": "Y", "1": "Y", "N": "N", "n": "N", "0": "N"}.get(value)
    if name == "demotion_enabled":
        return {"true": "true", "1": "true", "Y": "true", "false": "false", "0": "false", "N": "false"}.get(value)
    if name == "memcg_path":
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
            return ACTIONS + (MIGRATIONS if "migrate" in has else ())
        case "target_metric":
            return METRICS + (NODE_METRICS if "node_goals" in has else ())
        case "goal_tuner":
            return ("consist", "temporal")
        case "metric":
            return ("none", "free_mem_rate")
        case "type" if "/core_filters/" in path:
            return CORE_TYPES
        case "type":
            ops_types = OPS_TYPES + (LATER_OPS_TYPES if "ops_filters" in has else ())
            return ops_types if "/ops_filters/" in path else CORE_TYPES + ops_types
        case _:
            return None
