"""Watches processes by a kdamond of its own, for an engine that moves pages by itself; moves nothing.

Rule: this and the damon engine are never in force together, and each has its own journal. What the other one has
running is somebody else's to both, but for the engine's look at whether DAMON is free, which asks `indices`.

Before: an engine's tracker, by `terrace_agent.monitor`. After: `processes` has the tree and the steps.
"""

import errno
from collections.abc import Iterable

from terrace_agent.damon.alone import check_alone
from terrace_agent.damon.apply import Applier
from terrace_agent.damon.ownership import owner_of
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.plan import plan_stop
from terrace_agent.damon.probe import missing_interface
from terrace_agent.damon.processes import MOST_TARGETS, ProcessKdamond, start, tree
from terrace_agent.damon.read import TreeReader
from terrace_agent.damon.stores import kdamond_path, state_path
from terrace_agent.damon.surroundings import observe
from terrace_agent.engine import Plan
from terrace_agent.errors import EngineUnavailable, HostFileError, HostFileMissing, KdamondDied, StoreRefused
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Journal
from terrace_agent.monitor import Touched

_TELL = "update_schemes_tried_regions"


class ProcessMonitor:
    """See `terrace_agent.monitor.Monitor`."""

    most = MOST_TARGETS

    def __init__(self, fs: HostFs, journal: Journal, patience: Patience | None = None) -> None:
        self._fs = fs
        self._journal = journal
        self._patience = patience or Patience()
        self._reader = TreeReader(fs, self._patience, ProcessKdamond)
        self._applier = Applier(fs, self._reader, journal, self._patience, lambda: None)
        self._core_filters = True
        self._lacking = ""
        self._pids: tuple[int, ...] = ()

    @property
    def claims(self) -> bool:
        """See `Monitor.claims`: `damon_stat` waits, remembered, until nobody has kdamonds (kernel fact 7)."""
        state = self._journal.load()
        return bool(state.owned or (state.originals and self._stop_plan().steps))

    def obstacle(self) -> str:
        """See `Monitor.obstacle`."""
        if self._lacking or self.runs_alone():
            return self._lacking
        if why := missing_interface(self._fs):
            return why.message
        owned = self._journal.load().owned
        if self._reader.count() and not owned:
            return "somebody else, or the damon engine, has kdamonds"
        try:
            check_alone(observe(self._fs, self._reader), owned)
        except EngineUnavailable as error:
            return str(error)
        return ""

    def watch(self, pids: Iterable[int], *, window_s: float) -> None:
        """See `Monitor.watch`: the kdamond is started anew, since only `on` takes new processes on every kernel."""
        wanted, self._pids = tuple(pids)[:MOST_TARGETS], ()
        try:
            self._start(wanted, window_s)
        except HostFileError as error:
            if not (self._core_filters and self._is_lacking(error)):
                raise
            self._core_filters = False
            self._start_without_core_filters(wanted, window_s)
        self._pids = wanted

    def runs(self) -> bool:
        """See `Monitor.runs`."""
        return any(self._reader.runs(claim) for claim in self._journal.load().owned)

    def touched(self) -> Touched:
        """See `Monitor.touched`: waits for a pass of the schemes."""
        if not self._reader.is_on(0):
            raise KdamondDied(index=0, command=_TELL)
        self._patience.store(self._fs, state_path(0), _TELL)
        return {pid: self._reader.tried_regions(0, number) for number, pid in enumerate(self._pids)}

    def stop(self) -> None:
        """See `Monitor.stop`."""
        self._pids = ()
        if self.claims:
            self._applier.apply(self._stop_plan())

    def runs_alone(self) -> bool:
        """Returns whether the only kdamond of the tree is the one that was started here."""
        return self._reader.exists() and self._reader.count() == 1 and self.runs()

    def indices(self) -> frozenset[int]:
        """Returns the kdamonds that are this monitor's; whoever wants DAMON for himself has it stopped first."""
        owned = self._journal.load().owned
        if not owned:
            return frozenset()
        return frozenset(kdamond.index for kdamond in self._reader.kdamonds() if owner_of(kdamond, owned))

    def _stop_plan(self) -> Plan:
        return plan_stop(observe(self._fs, self._reader), self._journal.load())

    def _start_without_core_filters(self, pids: tuple[int, ...], window_s: float) -> None:
        try:
            self._start(pids, window_s)
        except HostFileError as error:
            if self._is_lacking(error):
                self._lacking = f"this kernel's DAMON cannot tell processes apart: {error}"
            raise

    def _start(self, pids: tuple[int, ...], window_s: float) -> None:
        observed, state = observe(self._fs, self._reader), self._journal.load()
        check_alone(observed, state.owned)
        wanted = tree(pids, window_us=round(window_s * 1e6), core_filters=self._core_filters)
        self._applier.apply(Plan(steps=tuple(start(observed, state, wanted)), reason="other processes are watched"))

    def _is_lacking(self, error: HostFileError) -> bool:
        """Returns whether this kernel lacks a file or a keyword, and not somebody has taken the tree away."""
        if not self._fs.exists(f"{kdamond_path(0)}/contexts"):
            return False
        refused = isinstance(error, StoreRefused) and error.errno == errno.EINVAL
        return isinstance(error, HostFileMissing) or (refused and error.path != state_path(0))
