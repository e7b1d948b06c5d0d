"""Does the steps of a plan, one by one; decides only who stands in for a cgroup that has gone (`stand_in`).

Before: `plan`. After: `verify`. Whatever is journaled is journaled before the store that it speaks of, so SIGKILL
between any two steps leaves a journal that claims at least what is there.
"""

import errno
from collections.abc import Callable, Mapping
from dataclasses import replace

from terrace_agent.damon import verify
from terrace_agent.damon.look import looks_at, read_oracle
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.read import TreeReader
from terrace_agent.damon.stand_in import listed, stand_ins
from terrace_agent.engine import Plan
from terrace_agent.errors import KdamondDied, KdamondStays, SchemesRefused, StoreRefused
from terrace_agent.hostfs import HostFs, read_optional
from terrace_agent.journal import Journal, JournalState, OwnedKdamond, cooling, forgetting, remembering
from terrace_agent.steps import (
    Bank,
    Claim,
    Command,
    Confirm,
    CoolDown,
    Disclaim,
    Ease,
    Recount,
    Remember,
    Restore,
    Step,
    Store,
)
from terrace_agent.workloads.cgroups import is_charged

_UNBUILT = {"commit_schemes_quota_goals": errno.EINVAL}
_SWITCHES = frozenset({"on", "off"})
_LOOK_CGROUPS_UP = frozenset({"on", "commit"})
_TRIES = 8
"""Of a command whose cgroups go: each may wait for a sample, and some cgroup or other goes in that time."""


class Applier:
    """Executes plans.

    Args:
        count: reads all counters into the journal, as `engine` does for `verify`.
    """

    def __init__(
        self, fs: HostFs, reader: TreeReader, journal: Journal, patience: Patience, count: Callable[[], object]
    ) -> None:
        self._fs = fs
        self._reader = reader
        self._journal = journal
        self._patience = patience
        self._count = count
        self._before_first: dict[int, verify.Oracle] = {}

    def apply(self, plan: Plan) -> None:
        """Does all steps of `plan`; see `Engine.apply` for what it raises."""
        for step in plan.steps:
            self._do(step)

    def _do(self, step: Step) -> None:
        match step:
            case Store():
                self._patience.store(self._fs, step.path, step.value)
            case Command():
                self._command(step)
            case Remember():
                self._journal_with(lambda state: remembering(state, step.path, step.value))
            case Restore():
                self._patience.store(self._fs, step.path, step.value)
                self._journal_with(lambda state: forgetting(state, step.path))
            case Claim():
                self._journal_with(lambda state: _claiming(state, step))
            case Confirm():
                self._confirm(step.index)
            case Bank():
                self._count()
            case Recount():
                self._before_first[step.index] = self._oracle()
                self._journal_with(lambda state: verify.recount(state, step.index))
            case Disclaim():
                self._journal_with(lambda state: _disclaiming(state, step.from_index))
            case CoolDown():
                self._journal_with(lambda state: cooling(state, step.cooldown))
            case Ease():
                self._journal_with(lambda state: replace(state, easing=step.steps))
            case _:
                raise TypeError(f"{step} is no step of this engine")

    def _confirm(self, index: int) -> None:
        pid, before = self._reader.pid(index), self._before_first.pop(index, None)
        self._journal_with(lambda state: _confirming(state, index, pid))
        if before:
            self._journal_with(lambda state: verify.begin(state, index, looks_at(self._reader, state, index), before))

    def _command(self, step: Command) -> None:
        # The second command to one that is off panics 6.17 (docs/kernel-facts.md, 48).
        if step.word not in _SWITCHES and not self._reader.is_on(step.index):
            raise KdamondDied(index=step.index, command=step.word)
        if step.word == "on":
            self._before_first[step.index] = self._oracle()
        self._store_command(step)
        # A commit that the kernel dislikes may kill the kdamond and still return 0 (6.12).
        is_on = self._reader.is_on(step.index)
        if step.then_on and not is_on:
            raise KdamondDied(index=step.index, command=step.word)
        if is_on and not step.then_on:
            raise KdamondStays(index=step.index)

    def _oracle(self) -> verify.Oracle:
        return read_oracle(self._fs, self._journal.load().features or ())

    def _store_command(self, step: Command) -> None:
        """Stores a command; ENOMEM is what any scheme that cannot be built comes to (`damon_sysfs_add_schemes()`).

        A goal for a cgroup that has gone is EINVAL where goals are all that is committed
        (`damon_sysfs_memcg_path_to_id()`, mm/damon/sysfs-schemes.c). For one that has gone from a list of filters
        another stands in, before the first try as well: Linux 6.12 would end the kdamond.
        """
        self._stand_in(step)
        for tries_left in reversed(range(_TRIES)):
            try:
                self._patience.store(self._fs, step.path, step.word)
            except StoreRefused as error:
                if error.errno != _UNBUILT.get(step.word, errno.ENOMEM):
                    raise
                if not (tries_left and self._stand_in(step)):
                    raise SchemesRefused(path=error.path, value=error.value, errno=error.errno) from error
            else:
                return

    def _stand_in(self, step: Command) -> bool:
        """Names other cgroups where those that have gone are staged; returns whether there were any."""
        claim = next((one for one in self._journal.load().owned if one.index == step.index), None)
        if claim is None or step.word not in _LOOK_CGROUPS_UP:
            return False
        files = dict(claim.files)
        gone = {cgroup for cgroup in set(listed(files).values()) if not is_charged(self._fs, cgroup)}
        # Schemes that begin anew are claimed before they are staged.
        staged = [s for s in stand_ins(files, gone) if read_optional(self._fs, s.path) == files[s.path]]
        if staged:
            self._journal_with(lambda state: _restaging(state, step.index, {one.path: one.value for one in staged}))
        for store in staged:
            self._patience.store(self._fs, store.path, store.value)
        return bool(staged)

    def _journal_with(self, change: Callable[[JournalState], JournalState]) -> None:
        before = self._journal.load()
        after = change(before)
        if after != before:
            self._journal.save(after)


def _claiming(state: JournalState, step: Claim) -> JournalState:
    before = next((owned for owned in state.owned if owned.index == step.index), None)
    claim = OwnedKdamond(
        index=step.index,
        source_nid=step.source_nid,
        files=tuple((store.path, store.value) for store in step.files),
        made_from=step.made_from,
        former=_former(before),
        staged=step.staged,
        pid=before.pid if before else None,
        directions=step.directions,
    )
    others = tuple(owned for owned in state.owned if owned.index != step.index)
    return replace(state, owned=tuple(sorted((*others, claim), key=lambda owned: owned.index)))


def _restaging(state: JournalState, index: int, values: Mapping[str, str]) -> JournalState:
    """Returns the journal with other values for some of the claimed files; what they held may still be staged."""
    return replace(
        state,
        owned=tuple(
            replace(
                owned,
                files=tuple((path, values.get(path, value)) for path, value in owned.files),
                staged=(*owned.staged, *(item for item in owned.files if item[0] in values)),
            )
            if owned.index == index
            else owned
            for owned in state.owned
        ),
    )


def _disclaiming(state: JournalState, from_index: int) -> JournalState:
    return replace(state, owned=tuple(owned for owned in state.owned if owned.index < from_index))


def _former(before: OwnedKdamond | None) -> tuple[tuple[str, str], ...]:
    if before is None:
        return ()
    return before.files if before.in_force else before.former


def _confirming(state: JournalState, index: int, pid: int | None) -> JournalState:
    return replace(
        state,
        owned=tuple(
            replace(owned, pid=pid, in_force=True, former=(), staged=()) if owned.index == index else owned
            for owned in state.owned
        ),
    )
