"""The kdamonds that only watch: asks them for passes, and keeps how long they have watched. Concludes nothing.

Before: the journal's claims. After: `observing`. How long is told by the kdamond's own start where the host's `/proc`
is there; otherwise it is counted from when this agent first saw it, so that another agent waits once more. A commit
keeps what the kdamond has learnt, ages included.
"""

from collections.abc import Callable, Iterable

from terrace_agent.damon import observing
from terrace_agent.damon.cputime import read_start_s
from terrace_agent.damon.meter import Meter
from terrace_agent.damon.observing import Passes, Watched
from terrace_agent.damon.read import TreeReader
from terrace_agent.flows.health import read_uptime_s
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import JournalState, OwnedKdamond

_Name = tuple[int, int | None]
"""Index and pid."""


class Watchers:
    """Remembers when each began, and at which age it last made a pass."""

    def __init__(self, fs: HostFs, reader: TreeReader, meter: Meter, clock: Callable[[], float]) -> None:
        self._fs = fs
        self._reader = reader
        self._meter = meter
        self._clock = clock
        self._began_s: dict[_Name, float] = {}
        self._passed_s: dict[_Name, float] = {}

    def ask(self, state: JournalState) -> tuple[OwnedKdamond, ...]:
        """Asks for one pass of every kdamond of ours that only watches, and returns those that run."""
        watching = tuple(claim for claim in state.owned if observing.watches(claim) and self._reader.runs(claim))
        self._meet(watching)
        self._passed_s = {}
        for claim in watching:
            # A pass knows what was so when it was asked for.
            at_s = self._watched_s(claim)
            if self._meter.ask(claim.index, "update_schemes_tried_bytes"):
                self._passed_s[_name(claim)] = at_s
        return watching

    def passes(self, state: JournalState) -> Passes:
        """Returns what the kdamonds that watch have seen, as of the last `ask` of this agent."""
        return {
            claim.source_nid: Watched(
                since_s=self._watched_s(claim),
                passed_s=self._passed_s.get(_name(claim), 0.0),
                matched=self._reader.tried_bytes(claim.index) if _name(claim) in self._passed_s else (),
            )
            for claim in state.owned
            if claim.source_nid is not None and _name(claim) in self._began_s
        }

    def _meet(self, watching: Iterable[OwnedKdamond]) -> None:
        known = self._began_s
        self._began_s = {
            _name(claim): known[_name(claim)] if _name(claim) in known else self._clock() - self._age_s(claim)
            for claim in watching
        }

    def _age_s(self, claim: OwnedKdamond) -> float:
        """Returns for how long it has run already; 0 where that cannot be seen."""
        started_s = read_start_s(self._fs, claim.pid) if claim.pid else None
        return max(0.0, read_uptime_s(self._fs) - started_s) if started_s is not None else 0.0

    def _watched_s(self, claim: OwnedKdamond) -> float:
        return self._clock() - self._began_s[_name(claim)]


def _name(claim: OwnedKdamond) -> _Name:
    return claim.index, claim.pid
