"""The figures of the fleet's benchmark: kept by name, shown beside each other, and how they grow. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

AIMS = {"initial_sync_seconds": 5.0, "apply_to_answers_seconds": 60.0, "operator_peak_rss_mib": 150.0}
"""At most, at 5,000 nodes."""
LINEAR = {"operator_cpu_seconds": "cpu", "apply_to_answers_seconds": "time"}


@dataclass(kw_only=True)
class Figures:
    """What was measured for one fleet.

    Attributes:
        figures: by name, with its unit.
        requests: what the API server answered while a policy went to all nodes, by verb and resource.
    """

    nodes: int
    figures: dict[str, float] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)

    def add(self, **figures: float) -> None:
        """Keeps figures."""
        self.figures |= {name: round(value, 3) for name, value in figures.items()}


def growth(runs: Sequence[Figures]) -> dict[str, float]:
    """Returns how much more a node costs in the largest fleet than in one of at least a fifth of it: 1 is linear."""
    large = max(runs, key=lambda run: run.nodes)
    smaller = [run for run in runs if large.nodes / 5 <= run.nodes < large.nodes]
    if not smaller:
        return {}
    small = min(smaller, key=lambda run: run.nodes)
    return {
        f"{word}_per_node_{large.nodes}_to_{small.nodes}": round(
            (large.figures[name] / large.nodes) / (small.figures[name] / small.nodes), 3
        )
        for name, word in LINEAR.items()
    }


def table(runs: Sequence[Figures]) -> str:
    """Returns all figures as text, one column a fleet."""
    names = list(dict.fromkeys(name for run in runs for name in run.figures))
    requests = sorted({name for run in runs for name in run.requests})
    lines = [_row("nodes", [str(run.nodes) for run in runs], "aim at 5000")]
    lines += [_row(name, [_cell(run.figures.get(name)) for run in runs], _aim(name)) for name in names]
    lines += ["", "requests while a policy goes to all nodes"]
    lines += [_row(f"  {name}", [str(run.requests[name]) for run in runs], "") for name in requests]
    return "\n".join(lines)


def _row(name: str, cells: list[str], aim: str) -> str:
    return f"{name:<36}{''.join(f'{cell:>12}' for cell in cells)}   {aim}".rstrip()


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def _aim(name: str) -> str:
    return f"<= {AIMS[name]:g}" if name in AIMS else ""
