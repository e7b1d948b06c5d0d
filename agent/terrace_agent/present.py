"""Statuses and plans as text for a terminal. Pure.

Before: the values of `report` and `engine`. After: `byhand` and `run` print it.
"""

from collections.abc import Iterable, Sequence

from terrace_agent.engine import Plan, stores
from terrace_api.conditions import Condition
from terrace_api.node_tiering import ConditionType, NodeTieringStatus
from terrace_api.units import display_bytes


def probe_text(status: NodeTieringStatus) -> str:
    """Returns topology, engines and reasons as tables."""
    numa = table(
        ("NID", "TIER", "KIND", "TOTAL", "FREE", "CPUS", "WHY"),
        (
            (
                str(node.nid),
                node.tier or "-",
                node.kind.value,
                display_bytes(node.total_bytes),
                display_bytes(node.free_bytes),
                str(node.cpus),
                node.why,
            )
            for node in status.numa_nodes
        ),
    )
    engines = table(
        ("ENGINE", "AVAILABLE", "REASON", "MESSAGE"),
        (
            (engine.name.value, "yes" if engine.available else "no", engine.reason, engine.message)
            for engine in status.engines
        ),
    )
    running = [
        f"kdamond {one.index} (pid {one.pid}) of Terrace is on: {one.direction} of nid {one.source_nid}"
        for one in status.kdamonds
    ]
    return "\n".join([f"kernel {status.kernel}", "", *numa, "", *engines, *([""] if running else []), *running])


def plan_text(plan: Plan) -> str:
    """Returns what a plan does, and the stores that it would make, one a line."""
    lines = [f"# {plan.reason}", *(f"# {word}" for word in plan.words)]
    lines += [f"# guardrail {one.reason}: {one.message}" for one in plan.tripped]
    lines += [f"# {plan.problem.message}"] if plan.problem else []
    if plan.effective:
        lines += [f"# {note}" for note in plan.effective.notes]
    made = [str(store) for store in stores(plan)]
    done = [] if plan.steps else ["# nothing to store: this is in force already"]
    return "\n".join([*lines, *(made or done)])


def status_line(status: NodeTieringStatus) -> str:
    """Returns a status in one line, without a time."""
    ready = find(status.conditions, ConditionType.READY)
    pids = ",".join(str(kdamond.pid) for kdamond in status.kdamonds)
    parts = [
        f"Ready={ready.status} ({ready.reason})" if ready else "",
        f"engine {status.engine.value}",
        f"kdamonds {pids}" if pids else "no kdamond",
        f"fast {status.fast_used} used" if status.fast_used else "",
        f"promoted {status.promoted}, demoted {status.demoted}",
        ready.message if ready else "",
    ]
    return " | ".join(filter(None, parts))


def find(conditions: Iterable[Condition], type_: ConditionType) -> Condition | None:
    """Returns the condition of that type, if there is one."""
    return next((condition for condition in conditions if condition.type == type_.value), None)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns lines with aligned columns; the last column is as wide as it likes."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    ]
