"""What a policy file would change on which nodes, once its rollout has come to all of them. Pure.

The operator's own modules decide it: which policies select a node, which of them wins, what it is compiled to.

Before: `fleet`, and the policy as the API server would have it. After: `show.diff`, or JSON.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from terrace_api.node_tiering import NodeTieringSpec
from terrace_api.policy import TieringPolicy
from terrace_kubectl.fleet import Fleet
from terrace_kubectl.forewarn import forewarn
from terrace_kubectl.rows import node_row
from terrace_kubectl.settings import lines, sparse
from terrace_operator.assign import Assignment, assign, held_specs
from terrace_operator.compile import RESTORE, compile_spec, revision, settings_of
from terrace_operator.fleet import InvalidPolicy
from terrace_operator.standing import State
from terrace_operator.trial import is_over
from terrace_operator.waves import Limits

NOTHING = ""
"""The policy of a node that follows none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting that changes; an absent value is empty."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Nodes on which the same changes.

    Attributes:
        before: name of the policy that they are to follow now; `NOTHING` for none.
        after: likewise.
        why: what decides it, on the first of them.
        idle: how many of them cannot run an engine, so that nothing moves there either way.
    """

    before: str
    after: str
    why: str
    settings: tuple[Setting, ...]
    nodes: tuple[str, ...]
    idle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Untouched:
    """Nodes that the policy selects and does not get, for one reason."""

    why: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffView:
    """What would change.

    Attributes:
        exists: whether there is a policy of that name already.
        revision: of the file; equal revisions ask nodes for the same.
        selected: how many nodes the policy selects.
        same: how many nodes would not change.
        pace: how the change would reach them, in words.
        unvalidated: why the API server did not check the file; empty if it did.
        warnings: what is in the way of the change, or to mind of it.
    """

    policy: str
    exists: bool
    revision: str
    selected: int
    changes: tuple[Change, ...]
    untouched: tuple[Untouched, ...]
    same: int
    pace: str
    unvalidated: str
    warnings: tuple[str, ...]

    @property
    def changed_nodes(self) -> int:
        """How many nodes would change."""
        return sum(len(change.nodes) for change in self.changes)


def compare(fleet: Fleet, policy: TieringPolicy, now: datetime, *, unvalidated: str = "") -> DiffView:
    """Returns what applying `policy` would change, compared with what the present policies come to."""
    others = tuple(one for one in fleet.policies.valid if one.name != policy.name)
    unreadable = tuple(one for one in fleet.policies.invalid if one.name != policy.name)
    before = _goals(fleet, fleet.policies.valid, fleet.policies.invalid, now)
    after = _goals(fleet, (*others, policy), unreadable, now)
    changes = _changes(fleet, before, after)
    ours = [one.assignment for one in after if policy.name in {ref.name for ref in one.assignment.selected_by}]
    followers = tuple(one.node.name for one in ours if one.follows == policy.name)
    return DiffView(
        policy=policy.name,
        exists=any(known.name == policy.name for known in fleet.policies.all),
        revision=revision(settings_of(policy.spec)),
        selected=len(ours),
        changes=changes,
        untouched=_untouched(policy, ours),
        same=len(after) - sum(len(change.nodes) for change in changes),
        pace=_pace(policy, len(followers)),
        unvalidated=unvalidated,
        warnings=tuple(forewarn(fleet, policy, followers, unreadable, now, selects=bool(ours))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Goal:
    """What a node is to have in the end."""

    assignment: Assignment
    spec: NodeTieringSpec


def _goals(
    fleet: Fleet, policies: Iterable[TieringPolicy], unreadable: Iterable[InvalidPolicy], now: datetime
) -> tuple[_Goal, ...]:
    running = {one.name: one for one in policies if not is_over(one, now)}
    targets = {name: compile_spec(one) for name, one in running.items()}
    held = held_specs(unreadable, fleet.tierings.values())
    return tuple(
        _Goal(assignment=one, spec=one.held or targets.get(one.follows or "", RESTORE))
        for one in assign(running.values(), fleet.nodes, held)
    )


def _changes(fleet: Fleet, before: Iterable[_Goal], after: Iterable[_Goal]) -> tuple[Change, ...]:
    alike: defaultdict[tuple[str, str, str, tuple[Setting, ...]], list[Assignment]] = defaultdict(list)
    for old, new in zip(before, after, strict=True):
        settings = _settings(old.spec, new.spec)
        if settings or _policy(old.spec) != _policy(new.spec):
            alike[_policy(old.spec), _policy(new.spec), new.assignment.reason, settings].append(new.assignment)
    return tuple(
        Change(
            before=was,
            after=becomes,
            why=why,
            settings=settings,
            nodes=tuple(one.node.name for one in group),
            idle=sum(_is_idle(fleet, one) for one in group),
        )
        for (was, becomes, why, settings), group in sorted(alike.items(), key=lambda item: (-len(item[1]), item[0][:3]))
    )


def _settings(before: NodeTieringSpec, after: NodeTieringSpec) -> tuple[Setting, ...]:
    """Returns what changes between two policies; where a node had none, the mode and what is not the default."""
    if after.settings is None or before.settings == after.settings:
        return ()
    if before.settings is None:
        return tuple(Setting(path=path, before="", after=value) for path, value in sparse(after.settings).items())
    old, new = lines(before.settings), lines(after.settings)
    return tuple(
        Setting(path=path, before=old.get(path, ""), after=new.get(path, ""))
        for path in dict.fromkeys((*old, *new))
        if old.get(path) != new.get(path)
    )


def _policy(spec: NodeTieringSpec) -> str:
    return spec.policy.name if spec.policy else NOTHING


def _is_idle(fleet: Fleet, one: Assignment) -> bool:
    row = node_row(one.node, fleet.seen.get(one.node.name))
    return row.state == State.UNSUPPORTED.value or 0 < len(row.tiers) < 2


def _untouched(policy: TieringPolicy, selected: Iterable[Assignment]) -> tuple[Untouched, ...]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for one in selected:
        if one.follows != policy.name:
            found[one.reason].append(one.node.name)
    return tuple(Untouched(why=why, nodes=tuple(nodes)) for why, nodes in found.items())


def _pace(policy: TieringPolicy, nodes: int) -> str:
    if policy.spec.paused:
        return "spec.paused is true: no node takes a new revision until it is false"
    if not nodes:
        return ""
    limits = Limits.of(policy.spec.rollout, nodes)
    bake = policy.spec.rollout.bake
    if limits.canary >= nodes:
        return "all at once"
    return f"{limits.canary} first, then {limits.wave} at a time, each well for {bake} before the next"
