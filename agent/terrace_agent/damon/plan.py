"""From what is to what should be, in the least intrusive way. Pure.

Before: `desired`, `surroundings`, the journal. After: `apply`.

- Everything in force already: no step. A drift of computed values that is too small to matter is no reason to commit.
- Ours runs and differs: stage what differs and `commit` (monitoring results are kept).
- Ours is off, or was cut off while being staged: stage what is missing and `on`.
- The set of kdamonds has to change: `off`, make the tree anew, `on`.
- Somebody else's kdamond, even a staged one: nothing is touched (design.md section 5).

The unit of a change is one kdamond: two cannot be switched by one store. So each is always complete, old or new, and
the order makes the mixture safe: room is made before it is filled, and of two goals the one that moves less goes first.
"""

from collections.abc import Iterable, Iterator

from terrace_agent.damon.change import Change, changes, is_small_drift, without_lists
from terrace_agent.damon.desired import Desired
from terrace_agent.damon.ownership import owner_of
from terrace_agent.damon.read import ObservedKdamond
from terrace_agent.damon.stores import NR_KDAMONDS, kdamond_stores, state_path
from terrace_agent.damon.surroundings import DAMON_STAT, DEMOTION_ENABLED, Observed
from terrace_agent.damon.tree import Action, Kdamond
from terrace_agent.engine import Bank, Claim, Command, Confirm, Disclaim, Plan, Remember, Restore, Step, Store
from terrace_agent.errors import EngineUnavailable
from terrace_agent.journal import JournalState, Original, OwnedKdamond

_SOON_S = 2.0
_LATER_S = 5.0


def plan(observed: Observed, desired: Desired, journal: JournalState, *, may_list: bool = True) -> Plan:
    """Returns what makes `observed` into `desired`; without `may_list` lists of cgroups wait for another reason.

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
    prelude = tuple(_prelude(observed))
    return Plan(
        steps=(*prelude, *steps),
        reason=reason if steps or not prelude else "the surroundings changed",
        words=desired.words,
        effective=desired.effective,
        recheck_s=_SOON_S if steps or any(change.stores for change in found or ()) else _LATER_S,
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
        why = "kdamonds are started" if not observed.kdamonds else "the set of source nids or directions changed"
        return tuple(_rebuild(observed, desired)), why
    if all(change.is_in_force for change in found) and (
        not any(change.stores for change in found) or is_small_drift(found, desired.made_from)
    ):
        return (), "the configuration is in force"
    needed = [change for change in found if change.stores or not change.is_in_force]
    steps = [step for change in _in_order(needed) for step in _change(change, desired.made_from)]
    return tuple(steps), "; ".join(change.reason for change in needed)


def _prelude(observed: Observed) -> Iterator[Step]:
    """Yields what the surroundings need: no other kdamond, and reclaim's own demotion as the safety net (fact 15).

    Kernels before 6.16 demote pods whose cpuset excludes the slow nid (fact 28); none of them has the goals that this
    engine needs, so it is not asked here which pods are pinned.
    """
    for path, value, wanted in (
        (DAMON_STAT, observed.damon_stat, "N"),
        (DEMOTION_ENABLED, observed.demotion_enabled, "true"),
    ):
        if value is not None and value != wanted:
            yield Remember(path=path, value=value)
            yield Store(path=path, value=wanted)


def _rebuild(observed: Observed, desired: Desired) -> Iterator[Step]:
    yield from _off(observed.kdamonds)
    trees = [(index, kdamond.source_nid, kdamond.tree) for index, kdamond in enumerate(desired.kdamonds)]
    for index, source_nid, tree in trees:
        yield _claim(index, source_nid, tree, desired.made_from)
    yield Store(path=NR_KDAMONDS, value=str(len(trees)))
    for index, _, tree in trees:
        yield from kdamond_stores(tree, index)
    for index in sorted(range(len(trees)), key=lambda index: not _demotes(desired.kdamonds[index].tree)):
        yield from _on(index)


def _change(change: Change, made_from: str) -> Iterator[Step]:
    kdamond = change.kdamond
    yield _claim(kdamond.index, change.source_nid, change.wanted, made_from)
    yield from change.stores
    if not kdamond.on:
        yield from _on(kdamond.index)
        return
    if change.keeps_tuning:
        yield _command(kdamond.index, "update_tuned_intervals")
    yield _command(kdamond.index, "commit")
    yield Confirm(index=kdamond.index)


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
    return sorted(needed, key=lambda change: (change.kdamond.on, _demotes(change.wanted) == leaves_more_free))


def _restores(originals: tuple[Original, ...], *, others_on: bool) -> Iterator[Step]:
    # damon_stat cannot be enabled while anybody's kdamond runs (kernel.md fact 7): it stays remembered until then.
    for original in originals:
        if not (original.path == DAMON_STAT and others_on):
            yield Restore(path=original.path, value=original.value)


def _claim(index: int, source_nid: int, tree: Kdamond, made_from: str) -> Claim:
    return Claim(index=index, source_nid=source_nid, files=kdamond_stores(tree, index), made_from=made_from)


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
