"""What must survive the agent: original values, what is ours in the kernel, and what has moved so far.

Written before each first change and after each command, so that after SIGKILL anywhere the next agent knows what it
left behind. Keyed by boot id: a reboot undoes every change that the journal could speak of, so a journal of another
boot reads as empty.

Engines get the `Journal` and are its only writers; the loop keeps its own file for the last good configuration.
`journal_file` keeps it, in the form of `journal_form`.
"""

from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The value that a host file had before our first change."""

    path: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedKdamond:
    """A kdamond directory that we made.

    Attributes:
        source_nid: the nid that it monitors; None for a scheme that only probes features.
        files: path and value of everything that was to be staged.
        made_from: digest of the settings behind `files`.
        former: what was in force when the claim was made, and may still be what runs; empty once `files` are in force.
        staged: what was staged when the claim was made, and may still be there in part; empty likewise.
        pid: of the kdamond that runs them; None until they are in force.
        in_force: False from the first staging store until the kernel took the whole of `files`.
        directions: whether it promotes, and the target nid, of each direction that it serves, with a scheme or without.
    """

    index: int
    source_nid: int | None
    files: tuple[tuple[str, str], ...]
    made_from: str
    former: tuple[tuple[str, str], ...] = ()
    staged: tuple[tuple[str, str], ...] = ()
    pid: int | None = None
    in_force: bool = False
    directions: tuple[tuple[bool, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """How far one scheme has been counted.

    Attributes:
        promotes: direction; False demotes.
        target_nid: where to.
        pid: of the kdamond that the kernel's counters belong to: another pid means that they began anew.
        applied_bytes: `sz_applied` when last looked at.
        foreign_pages: `numa_foreign` of the target nid then.
        thp_migrations: `thp_migration_success` of the node then.
        arrived_bytes: counted as arrived since the start of `pid`.
        tried_bytes: `sz_tried` when last looked at.
        quota_exceeds: `qt_exceeds` then.
    """

    index: int
    scheme: int
    promotes: bool
    target_nid: int
    pid: int
    applied_bytes: int
    foreign_pages: int
    thp_migrations: int
    arrived_bytes: int
    tried_bytes: int = 0
    quota_exceeds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What schemes of a kdamond that runs have done that it has no more: one per direction and target.

    Attributes:
        pid: of the kdamond.
    """

    index: int
    pid: int
    promotes: bool
    target_nid: int
    tried_bytes: int
    applied_bytes: int
    arrived_bytes: int
    quota_exceeds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """A guardrail that the agent holds has tripped, and nothing moves for a while.

    Attributes:
        reason: CamelCase, for conditions.
        message: what happened and what a person can do.
        until_s: seconds since boot, `/proc/uptime`.
    """

    reason: str
    message: str
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalState:
    """Everything in the journal.

    Attributes:
        promoted_bytes: arrived by kdamonds that are gone; those of `counters` and `tallies` come on top.
        demoted_bytes: likewise.
        features: what an engine probed, in its own words; it does not change within a boot. None: not probed.
        cooldown: while nothing shall move.
        easing: steps by which monitoring is cheaper than the settings ask.
        counted_pages: counters of the kernel as last counted, by name; empty while an engine that goes by them is not
            in force.
    """

    originals: tuple[Original, ...] = ()
    owned: tuple[OwnedKdamond, ...] = ()
    counters: tuple[Counter, ...] = ()
    promoted_bytes: int = 0
    demoted_bytes: int = 0
    features: tuple[str, ...] | None = None
    tallies: tuple[Tally, ...] = ()
    cooldown: Cooldown | None = None
    easing: int = 0
    counted_pages: tuple[tuple[str, int], ...] = ()


class Journal(Protocol):
    """Where the state lives."""

    def load(self) -> JournalState:
        """Returns what was last saved in this boot.

        Raises:
            UnexpectedContent: it was not written by this version or an older one.
        """

    def save(self, state: JournalState) -> None:
        """Replaces all; on return it is on disk."""


def original(state: JournalState, path: str) -> str | None:
    """Returns what a file held before our first change; None where we changed nothing."""
    return next((one.value for one in state.originals if one.path == path), None)


def remembering(state: JournalState, path: str, value: str) -> JournalState:
    """Returns the journal with the original value of a file, unless it has one already."""
    if original(state, path) is not None:
        return state
    return replace(state, originals=(*state.originals, Original(path=path, value=value)))


def forgetting(state: JournalState, path: str) -> JournalState:
    """Returns the journal without the original value of a file, which is back in place."""
    return replace(state, originals=tuple(one for one in state.originals if one.path != path))


def cooling(state: JournalState, cooldown: Cooldown | None) -> JournalState:
    """Returns the journal with a cooldown, or without any."""
    return replace(state, cooldown=cooldown)
