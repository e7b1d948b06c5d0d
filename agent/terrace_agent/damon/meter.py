"""Brings the counters of our kdamonds up to date and journals what has arrived.

Before: `apply`, and the kernel's own refresh. After: `engine`, which plans with fresh looks and reports totals.
"""

import errno
from collections.abc import Collection
from dataclasses import replace

from terrace_agent.damon import verify
from terrace_agent.damon.look import looks_at, read_oracle
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.read import TreeReader
from terrace_agent.damon.schemes import is_open
from terrace_agent.damon.stores import state_path
from terrace_agent.damon.verify import Look
from terrace_agent.errors import StoreRefused
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Journal, JournalState

_QUIET_ERRNOS = {errno.EBUSY, errno.ECANCELED}


class Meter:
    """Counts what our kdamonds move.

    Attributes:
        is_fresh: whether the last count was one: the kernel had brought all counters up to date.
    """

    def __init__(self, fs: HostFs, reader: TreeReader, journal: Journal, patience: Patience) -> None:
        self._fs = fs
        self._reader = reader
        self._journal = journal
        self._patience = patience
        self.is_fresh = False

    def count(self, *, at_once: bool = False) -> tuple[Look, ...]:
        """Returns our running schemes with fresh counters, after journaling what has arrived.

        With `at_once` they are fresh to the moment, not only to the kernel's last refresh.
        """
        if not self._reader.exists():
            return ()
        before = self._journal.load()
        self.is_fresh = self._refresh(before, at_once=at_once)
        looks = tuple(look for claim in before.owned for look in looks_at(self._reader, before, claim.index))
        if self.is_fresh:
            oracle = read_oracle(self._fs, before.features or ())
            after = verify.advance(before, looks, oracle, self.pids(before))
            if after != before:
                self._journal.save(after)
        return looks

    def effective(self, looks: tuple[Look, ...], source_nids: Collection[int] | None) -> tuple[Look, ...]:
        """Returns the looks with what quotas have come to, where a scheme waits to be let move.

        Args:
            looks: with counters of now.
            source_nids: of the kdamonds with such schemes; None if that is not known.
        """
        waiting = {
            look.index
            for look in looks
            if not is_open(look.quotas.reset_interval_ms) and (source_nids is None or look.source_nid in source_nids)
        }
        asked = {index: self.ask(index, "update_schemes_effective_quotas") for index in sorted(waiting)}
        return tuple(self._settled(look, fresh=asked[look.index]) if look.index in asked else look for look in looks)

    def pids(self, state: JournalState) -> frozenset[int]:
        """Returns the pids of our kdamonds that run."""
        return frozenset(claim.pid for claim in state.owned if claim.pid and self._reader.runs(claim))

    def ask(self, index: int, word: str) -> bool:
        """Returns whether kdamond `index` did what `word` commands; if not, the files stay as they are.

        One that is off is not commanded: the second of such commands panics 6.17 (docs/kernel-facts.md, 48).
        """
        if not self._reader.is_on(index):
            return False
        # Somebody's long command, a kdamond that has just ended (EINVAL up to 6.19): the next look asks again.
        try:
            self._patience.store(self._fs, state_path(index), word)
        except StoreRefused as error:
            if error.errno not in _QUIET_ERRNOS and self._reader.is_on(index):
                raise
            return False
        return True

    def _refresh(self, state: JournalState, *, at_once: bool) -> bool:
        """Asks the kernel to bring the files up to date; returns whether they are, for all kdamonds of ours."""
        running = [claim.index for claim in state.owned if self._reader.runs(claim)]
        stale = [index for index in running if at_once or not self._reader.refreshes_itself(index)]
        tuned = [index for index in stale if self._reader.tunes_intervals(index)]
        return all(self.ask(index, "update_schemes_stats") for index in stale) and all(
            self.ask(index, "update_tuned_intervals") for index in tuned
        )

    def _settled(self, look: Look, *, fresh: bool) -> Look:
        quotas = self._reader.schemes(look.index)[look.scheme].quotas
        return replace(look, quotas=quotas if fresh else replace(quotas, effective_bytes=None))
