"""When to look next, so that looking costs no more than its share of a CPU. Pure.

Before: what the looks so far cost. After: the engine looks when it is due.

What was not used of the share is saved up, to five minutes' worth, and spent while there is something to find: from the
start on, and as long as pages move. Of a node at rest half of the share is saved, so that it can look often when that
changes.
"""

from dataclasses import dataclass, replace

SAVED_S = 300.0
"""The share of so long may be used at once."""
_QUIET_LOOKS = 12
"""So many looks without a move are rest: more than it takes to know what is hot or cold."""
_SHARE_AT_REST = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often to look.

    Attributes:
        looked_at_s: when the last look began; None before the first.
        cost_s: CPU time of the last look.
        spent_s: CPU time that is to be made up for, as of the end of the last look.
        quiet: how many looks there were since the start, or since pages moved.
    """

    looked_at_s: float | None = None
    cost_s: float = 0.0
    spent_s: float = 0.0
    quiet: int = 0

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing has moved for a while."""
        return self.quiet > _QUIET_LOOKS

    def pause_s(self, asked_s: float, cpu_percent: int) -> float:
        """Returns how long to wait from one look to the next: as asked, or longer where that would cost too much."""
        share = max(1, cpu_percent) / 100
        if self.is_at_rest:
            return max(asked_s, self.cost_s / (share * _SHARE_AT_REST), self._until_affordable_s(share))
        return max(asked_s, self._until_affordable_s(share))

    def is_due(self, now_s: float, asked_s: float, cpu_percent: int) -> bool:
        """Returns whether it is time for a look."""
        return self.looked_at_s is None or now_s - self.looked_at_s >= self.pause_s(asked_s, cpu_percent)

    def looked(self, began_s: float, cost_s: float, cpu_percent: int) -> "Pace":
        """Returns it after one more look, which began then and took so much CPU time."""
        elapsed_s = 0.0 if self.looked_at_s is None else began_s - self.looked_at_s
        owed_s = max(0.0, self.spent_s - elapsed_s * max(1, cpu_percent) / 100)
        return Pace(looked_at_s=began_s, cost_s=cost_s, spent_s=owed_s + cost_s, quiet=self.quiet + 1)

    def woken(self) -> "Pace":
        """Returns it with something to find: pages moved, or everything was forgotten."""
        return replace(self, quiet=0)

    def _until_affordable_s(self, share: float) -> float:
        """Returns how long until one more look fits into what may be saved; if it never does, until nothing is owed."""
        return max(0.0, self.spent_s - max(0.0, SAVED_S * share - self.cost_s)) / share
