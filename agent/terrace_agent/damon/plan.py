"""From what is to what should be, in the least intrusive way. Pure.

Before: `desired`, `surroundings`, `alone`, `originals`, the journal. After: `apply`.

- Everything in force already: no step. A drift of computed values that is too small to matter is no reason to commit.
- Only targets of goals differ: stage and commit those, which leaves clocks and windows alone.
- Ours runs and differs: stage what differs and `commit` (monitoring results are kept).
- Its schemes have to begin anew: commit none, then the new ones (what monitoring has learnt is the context's).
- Ours is off, or was cut off while being staged: stage what is missing and `on`.
- The set of kdamonds has to change, or files of ours hold what is not known: `off`, make the tree anew, `on`.
- Somebody else's kdamond, even a staged one: nothing is touched.

The unit of a change is one kdamond: two cannot be switched by one store. So each is always complete, old or new, and
the order makes the mixture safe: room is made before it is filled, and of two goals the one that moves less goes first.
"""

from collections.abc import Iterable, Iterator

from terrace_agent.damon import originals
from terrace_agent.damon.alone import check_alone
from terrace_agent.damon.change import Change, changes, is_small_drift, without_lists
from terrace_agent.damon.desired import Desired, DesiredKdamond
from terrace_agent.damon.ownership import owner_of, staged_in
from terrace_agent.damon.read import ObservedKdamond
from terrace_agent.damon.stores import NR_KDAMONDS, nr_schemes_path, refresh_path, state_path, wanted_stores
from terrace_agent.damon.surroundings import Observed
from terrace_agent.damon.tree import Action, Kdamond
from terrace_agent.engine import Plan
from terrace_agent.journal import JournalState
from terrace_agent.steps import Bank, Claim, Command, Confirm, Disclaim, Recount, Step, Store, ended

_SOON_S = 1.0
_LATER_S = 10.0


def plan(
    observed: Observed, desired: Desired, journal: JournalState, *, quiet_looks: int = 0, may_list: bool = True
) -> Plan:
    """Returns what makes `observed` into `desired`; without `may_list` lists of cgroups wait for another reason.

    `quiet_looks` is how many looks ago intervals were last seen to change a lot. A count of aggregations that was right
    for one of 1.6 s asks for twice the age at 3.2 s, so the next look comes soon while they are on their way.

    Raises:
        EngineUnavailable: somebody else's kdamonds or an exclusive module are in the way.
    """
    check_alone(observed, journal.owned)
    if not desired.kdamonds:
        return plan_stop(observed, journal)
    found = changes(observed.kdamonds, desired, journal.owned)
    if found and not may_list:
        found = tuple(without_lists(change, desired.made_from) for change in found)
    steps, reason = _steps(observed, desired, found)
    before = tuple(originals.prelude(observed, desired, journal.originals))
    behind = (*originals.moving_undone(journal.originals, desired), *_disclaimed(journal, len(desired.kdamonds)))
    return Plan(
        steps=(*before, *steps, *behind),
        reason=reason if steps or not (before or behind) else "the surroundings changed",
        words=desired.words,
        effective=desired.effective,
        problem=desired.problem,
        recheck_s=desired.turn_s
        or _recheck_s(quiet_looks, busy=bool(steps or any(change.stores for change in found or ()))),
    )


def plan_stop(observed: Observed, journal: JournalState) -> Plan:
    """Returns what leaves the node as it was found: no kdamond of ours, every remembered value back."""
    ours = [kdamond for kdamond in observed.kdamonds if owner_of(kdamond, journal.owned)]
    others_on = any(kdamond.on for kdamond in observed.kdamonds if kdamond not in ours)
    steps: tuple[Step, ...] = (
        *_off(ours),
        *([Store(path=NR_KDAMONDS, value="0")] if ours and len(ours) == len(observed.kdamonds) else []),
        *([Disclaim()] if journal.owned else []),
        *originals.restored(journal.originals, alone=not (others_on or observed.exclusive)),
        *ended(journal.cooldown),
    )
    return Plan(steps=steps, reason="nothing of ours shall run" if steps else "nothing of ours is here")


def _steps(observed: Observed, desired: Desired, found: tuple[Change, ...] | None) -> tuple[tuple[Step, ...], str]:
    if found is None:
        return tuple(_rebuild(observed, desired)), _why_anew(observed.kdamonds)
    needed = [change for change in found if not (change.is_done or is_small_drift(change, desired.made_from))]
    if not needed:
        return (), "the configuration is in force"
    steps = [step for change in _in_order(needed) for step in _change(change, desired.made_from)]
    return tuple(steps), "; ".join(change.reason for change in needed)


def _why_anew(kdamonds: tuple[ObservedKdamond, ...]) -> str:
    unknown = next((kdamond.index for kdamond in kdamonds if kdamond.tree is None), None)
    if unknown is not None:
        return f"kdamond {unknown} holds what this version does not know"
    return "the set of source nids changed" if kdamonds else "kdamonds are started"


def _recheck_s(quiet_looks: int, *, busy: bool) -> float:
    """Returns longer pauses the longer nothing has changed: a tuning step takes three aggregations, up to 12 s."""
    return _SOON_S if busy else min(_SOON_S * (1 + quiet_looks), _LATER_S)


def _disclaimed(journal: JournalState, kdamonds: int) -> Iterator[Step]:
    """Yields what forgets kdamonds that have no directory any more; after the store that took it away."""
    if any(claim.index >= kdamonds for claim in journal.owned):
        yield Disclaim(from_index=kdamonds)


def _rebuild(observed: Observed, desired: Desired) -> Iterator[Step]:
    yield from _off(observed.kdamonds)
    wanted = list(enumerate(desired.kdamonds))
    for index, kdamond in wanted:
        yield _claim(
            index, kdamond, desired.made_from, wanted_stores(kdamond.tree, index), staged_in(observed.kdamonds, index)
        )
    yield Store(path=NR_KDAMONDS, value=str(len(wanted)))
    for index, kdamond in wanted:
        yield from wanted_stores(kdamond.tree, index)
    for index, _ in sorted(wanted, key=lambda one: not _demotes(one[1].tree)):
        yield from _on(index)


def _change(change: Change, made_from: str) -> Iterator[Step]:
    index = change.kdamond.index
    yield _claim(index, change.desired, made_from, change.files, tuple(change.before.items()))
    if change.remakes:
        yield Bank()
        yield Store(path=nr_schemes_path(index), value="0")
        yield from _commit(change)
        yield Recount(index=index)
    elif change.drops:
        yield Bank()
    yield from _staged(change)
    if not change.kdamond.on:
        yield from _on(index)
        return
    yield from _taken_over(change)
    yield Confirm(index=index)


def _staged(change: Change) -> Iterator[Step]:
    """Yields the stores; intervals to start from while the kernel does not write the running ones over them.

    It asks `refresh_ms` before each time, without a command (`damon_sysfs_repeat_call_fn()`, mm/damon/sysfs.c, 6.17).
    """
    refresh = refresh_path(change.kdamond.index)
    if not change.restarts_tuning:
        yield from change.stores
        return
    if change.before.get(refresh, "0") != "0":
        yield Store(path=refresh, value="0")
    yield from (store for store in change.stores if store.path != refresh)


def _taken_over(change: Change) -> Iterator[Step]:
    index = change.kdamond.index
    if change.is_of_goals_only:
        yield _command(index, "commit_schemes_quota_goals")
    elif change.stores or not change.remakes:
        yield from _commit(change)
    if change.restarts_tuning:
        yield from (store for store in change.files if store.path == refresh_path(index))


def _commit(change: Change) -> Iterator[Step]:
    if change.keeps_tuning:
        yield _command(change.kdamond.index, "update_tuned_intervals")
    yield _command(change.kdamond.index, "commit")


def _on(index: int) -> Iterator[Step]:
    yield _command(index, "on")
    yield Confirm(index=index)


def _off(kdamonds: Iterable[ObservedKdamond]) -> Iterator[Step]:
    running = [kdamond for kdamond in kdamonds if kdamond.on]
    if running:
        yield Bank()
    for kdamond in sorted(running, key=lambda kdamond: bool(kdamond.tree and _demotes(kdamond.tree))):
        yield Command(index=kdamond.index, path=state_path(kdamond.index), word="off", then_on=False)


def _in_order(needed: list[Change]) -> list[Change]:
    """Returns starts before commits; promotion first when goals leave more free, demotion first when they do not."""
    leaves_more_free = any(change.leaves_more_free for change in needed)
    return sorted(needed, key=lambda change: (change.kdamond.on, _demotes(change.desired.tree) == leaves_more_free))


def _claim(
    index: int,
    kdamond: DesiredKdamond,
    made_from: str,
    files: tuple[Store, ...],
    staged: tuple[tuple[str, str], ...],
) -> Claim:
    return Claim(
        index=index,
        source_nid=kdamond.source_nid,
        files=files,
        made_from=made_from,
        directions=kdamond.directions,
        staged=staged,
    )


def _command(index: int, word: str) -> Command:
    return Command(index=index, path=state_path(index), word=word, then_on=True)


def _demotes(tree: Kdamond) -> bool:
    return any(scheme.action == Action.MIGRATE_COLD for context in tree.contexts for scheme in context.schemes)
