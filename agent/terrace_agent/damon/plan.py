"""From what is to what should be, in the least intrusive way. Pure.

Before: `desired`, `surroundings`, the journal. After: `apply`.

- Everything in force already: no step. A drift of computed values that is too small to matter is no reason to commit.
- Only targets of goals differ: stage and commit those, which leaves clocks and windows alone.
- Ours runs and differs: stage what differs and `commit` (monitoring results are kept).
- Its schemes have to begin anew: commit none, then the new ones (what monitoring has learnt is the context's).
- Ours is off, or was cut off while being staged: stage what is missing and `on`.
- The set of kdamonds has to change: `off`, make the tree anew, `on`.
- Somebody else's kdamond, even a staged one: nothing is touched.

The unit of a change is one kdamond: two cannot be switched by one store. So each is always complete, old or new, and
the order makes the mixture safe: room is made before it is filled, and of two goals the one that moves less goes first.
"""

from collections.abc import Iterable, Iterator

from terrace_agent.damon.change import Change, changes, is_small_drift, without_lists
from terrace_agent.damon.desired import Desired, DesiredKdamond
from terrace_agent.damon.ownership import owner_of
from terrace_agent.damon.read import ObservedKdamond
from terrace_agent.damon.stores import NR_KDAMONDS, kdamond_stores, nr_schemes_path, state_path
from terrace_agent.damon.surroundings import DAMON_STAT, Observed
from terrace_agent.damon.tree import Action, Kdamond
from terrace_agent.engine import (
    Bank,
    Claim,
    Command,
    Confirm,
    Disclaim,
    Plan,
    Recount,
    Remember,
    Restore,
    Step,
    Store,
)
from terrace_agent.errors import EngineUnavailable
from terrace_agent.flows.demotion import DEMOTION_ENABLED
from terrace_agent.journal import JournalState, Original, OwnedKdamond

_SOON_S = 1.0
_LATER_S = 5.0


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
    before, behind = tuple(_prelude(observed, desired, journal.originals)), tuple(_restored(journal, desired))
    return Plan(
        steps=(*before, *steps, *behind),
        reason=reason if steps or not (before or behind) else "the surroundings changed",
        words=desired.words,
        effective=desired.effective,
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
        *_restores(journal.originals, others_on=others_on),
    )
    return Plan(steps=steps, reason="nothing of ours shall run" if steps else "nothing of ours is here")


def check_alone(observed: Observed, owned: tuple[OwnedKdamond, ...]) -> None:
    """Checks that nobody else uses DAMON here.

    Raises:
        EngineUnavailable: says who does.
    """
    foreign = [kdamond for kdamond in observed.kdamonds if owner_of(kdamond, owned) is None]
    if foreign:
        raise EngineUnavailable(
            reason="ForeignKdamonds",
            message=(
                f"Somebody else uses DAMON on this node: {'; '.join(map(_name, foreign))}. It was left alone. Terrace "
                "starts when it is stopped and nr_kdamonds is 0."
            ),
        )
    if observed.exclusive:
        raise EngineUnavailable(
            reason="ExclusiveModule",
            message=(
                f"{', '.join(observed.exclusive)} is enabled and tolerates no other user of DAMON. Terrace starts when "
                f"N is stored in /sys/module/{observed.exclusive[0]}/parameters/enabled."
            ),
        )


def _steps(observed: Observed, desired: Desired, found: tuple[Change, ...] | None) -> tuple[tuple[Step, ...], str]:
    if found is None:
        why = "kdamonds are started" if not observed.kdamonds else "the set of source nids changed"
        return tuple(_rebuild(observed, desired)), why
    needed = [change for change in found if not (change.is_done or is_small_drift(change, desired.made_from))]
    if not needed:
        return (), "the configuration is in force"
    steps = [step for change in _in_order(needed) for step in _change(change, desired.made_from)]
    return tuple(steps), "; ".join(change.reason for change in needed)


def _recheck_s(quiet_looks: int, *, busy: bool) -> float:
    """Returns longer pauses the longer nothing has changed: a tuning step takes three aggregations, up to 12 s."""
    return _SOON_S if busy else min(_SOON_S * (1 + quiet_looks), _LATER_S)


def _prelude(observed: Observed, desired: Desired, originals: tuple[Original, ...]) -> Iterator[Step]:
    """Yields what the surroundings need: no other kdamond, and reclaim's own demotion as the safety net.

    What only watches needs no safety net. Where it would move pods against their cpusets it is left as it was found, or
    brought back to that.
    """
    yield from _switched(DAMON_STAT, observed.damon_stat, "N")
    if desired.moves and desired.reclaim_demotes:
        yield from _switched(DEMOTION_ENABLED, observed.demotion_enabled, "true")
    elif desired.moves:
        yield from (Restore(path=one.path, value=one.value) for one in originals if one.path == DEMOTION_ENABLED)


def _switched(path: str, value: str | None, wanted: str) -> Iterator[Step]:
    if value is not None and value != wanted:
        yield Remember(path=path, value=value)
        yield Store(path=path, value=wanted)


def _restored(journal: JournalState, desired: Desired) -> Iterator[Step]:
    """Yields what brings back the values that only moving needs; after the last kdamond that moves has gone."""
    for original in () if desired.moves else journal.originals:
        if original.path != DAMON_STAT:
            yield Restore(path=original.path, value=original.value)


def _rebuild(observed: Observed, desired: Desired) -> Iterator[Step]:
    yield from _off(observed.kdamonds)
    wanted = list(enumerate(desired.kdamonds))
    for index, kdamond in wanted:
        yield _claim(index, kdamond, desired.made_from)
    yield Store(path=NR_KDAMONDS, value=str(len(wanted)))
    for index, kdamond in wanted:
        yield from kdamond_stores(kdamond.tree, index)
    for index, _ in sorted(wanted, key=lambda one: not _demotes(one[1].tree)):
        yield from _on(index)


def _change(change: Change, made_from: str) -> Iterator[Step]:
    index = change.kdamond.index
    yield _claim(index, change.desired, made_from)
    if change.remakes:
        yield Bank()
        yield Store(path=nr_schemes_path(index), value="0")
        yield from _commit(change)
        yield Recount(index=index)
    yield from change.stores
    if not change.kdamond.on:
        yield from _on(index)
        return
    if change.is_of_goals_only:
        yield _command(index, "commit_schemes_quota_goals")
    elif change.stores or not change.remakes:
        yield from _commit(change)
    yield Confirm(index=index)


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


def _restores(originals: tuple[Original, ...], *, others_on: bool) -> Iterator[Step]:
    # damon_stat cannot be enabled while anybody's kdamond runs (kernel fact 7): it stays remembered until then.
    for original in originals:
        if not (original.path == DAMON_STAT and others_on):
            yield Restore(path=original.path, value=original.value)


def _claim(index: int, kdamond: DesiredKdamond, made_from: str) -> Claim:
    return Claim(
        index=index,
        source_nid=kdamond.source_nid,
        files=kdamond_stores(kdamond.tree, index),
        made_from=made_from,
        directions=kdamond.directions,
    )


def _command(index: int, word: str) -> Command:
    return Command(index=index, path=state_path(index), word=word, then_on=True)


def _demotes(tree: Kdamond) -> bool:
    return any(scheme.action == Action.MIGRATE_COLD for context in tree.contexts for scheme in context.schemes)


def _name(kdamond: ObservedKdamond) -> str:
    name = f"kdamond {kdamond.index}"
    contexts = kdamond.tree.contexts if kdamond.tree else ()
    actions = ", ".join(scheme.action for context in contexts for scheme in context.schemes) or "none"
    what = f"{contexts[0].operations}, schemes: {actions}" if contexts else "content unknown" if kdamond.on else "empty"
    return f"{name} (pid {kdamond.pid}, {what}) runs" if kdamond.on else f"{name} ({what}) is staged"
