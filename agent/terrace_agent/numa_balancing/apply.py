"""Does the steps of a plan, one by one; decides nothing. What is journaled is journaled before the store."""

import errno
import os
from collections.abc import Callable, Mapping

from terrace_agent.engine import Plan
from terrace_agent.errors import HostFileError, HostFileMissing, StoreRefused
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Journal, JournalState, cooling, forgetting, remembering
from terrace_agent.numa_balancing import counters
from terrace_agent.numa_balancing.observe import observe
from terrace_agent.steps import Begin, CoolDown, End, Reclaim, Remember, Restore, Step, Store

_LESS_THAN_ASKED = {errno.EAGAIN, errno.EINTR, errno.EBUSY}
"""How an order to reclaim ends that took less (`user_proactive_reclaim()`, Linux mm/vmscan.c): EBUSY while another one
is at the nid."""


class Applier:
    """Executes plans of this engine."""

    def __init__(self, fs: HostFs, journal: Journal) -> None:
        self._fs = fs
        self._journal = journal

    def apply(self, plan: Plan) -> None:
        """Does all steps of `plan`; see `Engine.apply` for what it raises.

        What cannot be brought back keeps no other value from it, but for those behind it, and ends the plan after that.
        """
        owed: dict[str, HostFileError] = {}
        for step in plan.steps:
            if isinstance(step, Restore):
                owed |= self._owed(step, owed)
            elif owed:
                break
            else:
                self._do(step)
        for failure in owed.values():
            raise failure

    def count(self) -> None:
        """Journals what has moved so far."""
        self._count_with(counters.advance)

    def _do(self, step: Step) -> None:
        match step:
            case Remember():
                self._journal_with(lambda state: remembering(state, step.path, step.value))
            case Store():
                self._fs.store(step.path, step.value)
            case Begin():
                self._count_with(counters.begin)
            case End():
                self._count_with(counters.end)
            case CoolDown():
                self._journal_with(lambda state: cooling(state, step.cooldown))
            case Reclaim():
                self._reclaim(step)
            case _:
                raise TypeError(f"{step} is no step of this engine")

    def _owed(self, step: Restore, owed: Mapping[str, HostFileError]) -> dict[str, HostFileError]:
        """Brings a value back; returns why it could not, by its path."""
        if failure := owed.get(step.behind):
            return {step.path: failure}
        try:
            self._fs.store(step.path, step.value)
        except HostFileError as error:
            return {step.path: error}
        self._journal_with(lambda state: forgetting(state, step.path))
        return {}

    def _reclaim(self, step: Reclaim) -> None:
        try:
            self._fs.store(step.path, step.value)
        except HostFileMissing:
            return  # The cgroup has gone meanwhile.
        except StoreRefused as error:
            if error.errno not in _LESS_THAN_ASKED:
                raise

    def _count_with(self, change: Callable[[JournalState, Mapping[str, int], int], JournalState]) -> None:
        pages, page_bytes = observe(self._fs).pages, os.sysconf("SC_PAGE_SIZE")
        self._journal_with(lambda state: change(state, pages, page_bytes))

    def _journal_with(self, change: Callable[[JournalState], JournalState]) -> None:
        before = self._journal.load()
        after = change(before)
        if after != before:
            self._journal.save(after)
