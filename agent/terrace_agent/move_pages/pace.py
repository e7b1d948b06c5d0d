"""When to look next, so that looking costs no more than its share of a CPU. Pure.

Before: what the last look cost. After: the engine looks when it is due.
"""

from dataclasses import dataclass

_LONGEST_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often to look.

    Attributes:
        looked_at_s: when the last look began; None before the first.
        cost_s: CPU time of the last look.
    """

    looked_at_s: float | None = None
    cost_s: float = 0.0

    def pause_s(self, asked_s: float, cpu_percent: int) -> float:
        """Returns how long to wait from one look to the next: as asked, or longer where that would cost too much."""
        return max(asked_s, min(_LONGEST_S, self.cost_s * 100 / max(1, cpu_percent)))

    def is_due(self, now_s: float, asked_s: float, cpu_percent: int) -> bool:
        """Returns whether it is time for a look."""
        return self.looked_at_s is None or now_s - self.looked_at_s >= self.pause_s(asked_s, cpu_percent)
