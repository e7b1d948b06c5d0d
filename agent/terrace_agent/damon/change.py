"""How kdamonds that may stay differ from what they should be. Pure.

Before: `ownership`, `desired`. After: `plan`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon.desired import Desired, DesiredKdamond
from terrace_agent.damon.kinds import SCHEME_FILE, begin_anew, kinds, memcg_goals
from terrace_agent.damon.ownership import files_in_force, files_of, owner_of
from terrace_agent.damon.read import ObservedKdamond
from terrace_agent.damon.stores import differing, makes_schemes, wanted_stores, without_schemes
from terrace_agent.damon.tree import Action, GoalMetric, Kdamond
from terrace_agent.journal import OwnedKdamond
from terrace_agent.steps import Store

_GOAL = "/target_value"
_GOAL_FILE = re.compile(r"/quotas/goals/\d+/target_value$")
_AGE = ("/age/min", "/age/max")
_SMALL_GOAL_BP = 10
"""Half of the least that the two directions' stops are apart (`limits`): drifts must not make them meet."""
_SMALL_AGE_RATIO = 1.5
_SPARED = {GoalMetric.NODE_MEM_USED_BP.value: 1, GoalMetric.NODE_MEM_FREE_BP.value: -1}
"""What a goal leaves free beyond one that is higher by 1."""
_TUNED = ("/intervals/sample_us", "/intervals/aggr_us")
_TUNING = "/intervals/intervals_goal/"
_OF_NUMBER = ("/quotas/bytes", "/quotas/fail_charge_num", "/quotas/fail_charge_denom", "/schemes/nr_schemes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One kdamond of ours against its desired tree.

    Attributes:
        stores: what differs; empty if nothing does.
        before: the files as they are.
        is_in_force: it is on, and runs what its files say.
        keeps_tuning: the kernel tunes the intervals and shall go on from where it is.
        remakes: the schemes have to be taken away and added anew: a commit matches them by number, and keeps what a
            scheme has counted and the window of its quota (`damon_commit_schemes()`, mm/damon/core.c).
        made_from: digest of the settings that the claimed files were computed from.
        claimed: path and value of the claimed files.
        lists_wait: only goals shall be committed now, and all else stay as claimed.
        drops: a scheme that moves will be gone, and with it what it has counted.
    """

    kdamond: ObservedKdamond
    desired: DesiredKdamond
    stores: tuple[Store, ...]
    before: dict[str, str]
    is_in_force: bool
    keeps_tuning: bool
    remakes: bool
    made_from: str
    claimed: tuple[tuple[str, str], ...]
    lists_wait: bool = False
    drops: bool = False

    @property
    def files(self) -> tuple[Store, ...]:
        """All files as they shall be staged."""
        if not self.lists_wait:
            return wanted_stores(self.desired.tree, self.kdamond.index)
        goals = {store.path: store for store in self.stores}
        return tuple(goals.get(path, Store(path=path, value=value)) for path, value in self.claimed)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        return self.is_in_force and not self.stores and not self.remakes

    @property
    def is_of_goals_only(self) -> bool:
        """Whether only targets of goals differ: those have a command of their own, which leaves all else alone."""
        return self.is_in_force and not self.remakes and all(_GOAL_FILE.search(store.path) for store in self.stores)

    @property
    def restarts_tuning(self) -> bool:
        """Whether a running kdamond gets intervals to start from anew."""
        return self.kdamond.on and any(store.path.endswith(_TUNED) for store in self.stores)

    @property
    def leaves_more_free(self) -> bool:
        """Whether promotion will stop earlier than it does now."""
        return self.kdamond.tree is not None and (_used_bp(self.desired.tree) or 0) < (_used_bp(self.kdamond.tree) or 0)

    @property
    def reason(self) -> str:
        """Why something has to be done."""
        where = f"kdamond {self.kdamond.index}"
        if not self.kdamond.on:
            return f"{where} is off"
        if self.remakes:
            return f"{where}: its schemes begin anew"
        files = ", ".join(store.path.rpartition("/contexts/0/")[2] for store in self.stores[:3])
        return f"{where}: {files} changed" if files else f"{where}: a commit was cut off"


def changes(
    kdamonds: tuple[ObservedKdamond, ...], desired: Desired, owned: tuple[OwnedKdamond, ...]
) -> tuple[Change, ...] | None:
    """Returns one change per kdamond; None if the set of kdamonds must change, or if one of them cannot be compared."""
    if any(kdamond.tree is None for kdamond in kdamonds):
        return None
    claims = [owner_of(kdamond, owned) for kdamond in kdamonds]
    # What moved must be gone before what only watches begins, and the other way round: counters have no relation.
    there = [(claim.source_nid, bool(claim.directions)) for claim in claims if claim]
    if there != [(wanted.source_nid, bool(wanted.directions)) for wanted in desired.kdamonds]:
        return None
    pairs = [(k, claim, want) for k, claim, want in zip(kdamonds, claims, desired.kdamonds, strict=True) if claim]
    return tuple(_compare(kdamond, claim, want) for kdamond, claim, want in pairs)


def is_small_drift(change: Change, made_from: str) -> bool:
    """Returns whether the settings are the same and only computed values moved, by too little to commit for.

    A floor breathes with what is free in the lower zones: what leaves a little more free than is wanted now is let be,
    what would leave less is not. An age count breathes with the aggregation interval: it is taken over when it changed
    by more than 1.5 x, since the kernel does not rescale it (docs/kernel-facts.md, 18).
    """
    return (
        change.is_in_force
        and not change.remakes
        and change.made_from == made_from
        and all(_is_small(store, change.before) for store in change.stores)
    )


def without_lists(change: Change, made_from: str) -> Change:
    """Returns the change without what brings lists of cgroups up to date, if beside that only goals differ.

    Pods come and go faster than it is wise to commit: each commit interrupts what is being sampled. A list that is a
    little old leaves new pods alone, and so do schemes of single pods. But goals are not committed while any of them
    names a cgroup that has gone: the kernel would refuse all of them.
    """
    runs_as_made = change.is_in_force and not change.remakes and change.made_from == made_from
    former, latter = memcg_goals(change.claimed), memcg_goals(_pairs(change.files))
    differ = [store for store in change.stores if change.before.get(store.path) != store.value]
    comes_or_goes = former != latter and any(makes_schemes(store.path) for store in differ)
    rest = tuple(
        store
        for store in differ
        if not (comes_or_goes and _is_of_pods(store, change.desired))
        and "filters/" not in store.path
        and not _is_small(store, change.before)
    )
    only_goals = all(_GOAL_FILE.search(store.path) for store in rest)
    gone = former - latter
    if not runs_as_made or not only_goals or (rest and gone):
        return change
    return replace(change, stores=rest, lists_wait=True)


def _is_of_pods(store: Store, wanted: DesiredKdamond) -> bool:
    """Returns whether the store is for schemes of single pods, or for what their number changes in the others."""
    found = SCHEME_FILE.search(store.path)
    return (found is not None and int(found[1]) >= wanted.general) or store.path.endswith(_OF_NUMBER)


def _is_small(store: Store, before: Mapping[str, str]) -> bool:
    text = before.get(store.path, "")
    if not (text.isdecimal() and store.value.isdecimal()):
        return False
    old, new = int(text), int(store.value)
    if store.path.endswith(_GOAL):
        spared = _SPARED.get(before.get(f"{store.path.removesuffix(_GOAL)}/target_metric", ""))
        return spared is not None and 0 <= spared * (new - old) <= _SMALL_GOAL_BP
    return store.path.endswith(_AGE) and min(old, new) > 0 and max(old, new) <= _SMALL_AGE_RATIO * min(old, new)


def _compare(kdamond: ObservedKdamond, claim: OwnedKdamond, want: DesiredKdamond) -> Change:
    wanted, before = wanted_stores(want.tree, kdamond.index), files_of(kdamond)
    # Not what is staged says what runs: staging may have been cut off.
    former, latter = kinds(files_in_force(kdamond, claim)), kinds(_pairs(wanted))
    remakes = kdamond.on and begin_anew(former, latter)
    keeps_tuning = kdamond.on and _tuned_alike(claim, wanted) and _same_start(kdamond, claim, wanted)
    compared = [store for store in wanted if not (keeps_tuning and store.path.endswith(_TUNED))]
    return Change(
        kdamond=kdamond,
        desired=want,
        stores=differing(compared, without_schemes(before) if remakes else before),
        before=before,
        is_in_force=kdamond.on and claim.in_force and claim.pid == kdamond.pid,
        keeps_tuning=keeps_tuning,
        remakes=remakes,
        made_from=claim.made_from,
        claimed=claim.files,
        drops=kdamond.on and not remakes and any(one.moves for one in former[len(latter) :]),
    )


def _pairs(stores: Iterable[Store]) -> tuple[tuple[str, str], ...]:
    return tuple((store.path, store.value) for store in stores)


def _tuned_alike(claim: OwnedKdamond, wanted: tuple[Store, ...]) -> bool:
    """Returns whether the kernel tunes within the wanted bounds, whatever of the claim it runs.

    After a commit that was cut off it may run any of these, and refuses what was tuned within other bounds for ever.
    """
    goal = {item for item in _pairs(wanted) if _TUNING in item[0]}
    known = {item for item in (*claim.files, *claim.former, *claim.staged) if _TUNING in item[0]}
    return known == goal and any(path.endswith("/aggrs") and value != "0" for path, value in goal)


def _same_start(kdamond: ObservedKdamond, claim: OwnedKdamond, wanted: tuple[Store, ...]) -> bool:
    started = {(path, value) for path, value in files_in_force(kdamond, claim) if path.endswith(_TUNED)}
    return started == {item for item in _pairs(wanted) if item[0].endswith(_TUNED)}


def _used_bp(tree: Kdamond) -> int | None:
    goals = [
        goal.target_value
        for context in tree.contexts
        for scheme in context.schemes
        if scheme.action == Action.MIGRATE_HOT
        for goal in scheme.quotas.goals
        if goal.target_metric == GoalMetric.NODE_MEM_USED_BP
    ]
    return min(goals, default=None)
