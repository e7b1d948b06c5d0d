"""What an engine can do to a node, step by step; a plan is a sequence of them.

Before: an engine's `plan`. After: its `apply`, which does them, and `terrace-agent plan`, which prints the stores.
"""

from dataclasses import dataclass

from terrace_agent.journal import Cooldown


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One write(2) to a host file."""

    path: str
    value: str

    def __str__(self) -> str:
        return f"{self.path} <- {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """Journal the value that `path` had before our first change of it; later ones do not overwrite it."""

    path: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Journal what is about to be staged in one kdamond's directory, before the first store there.

    Attributes:
        source_nid: the nid that it will monitor; None for a scheme that only probes features.
        files: what is about to be staged.
        made_from: digest of the settings that the files were computed from.
        staged: what the directory holds before.
        directions: whether it promotes, and the target nid, of each direction that it serves, with a scheme or without.
    """

    index: int
    source_nid: int | None
    files: tuple[Store, ...]
    made_from: str
    directions: tuple[tuple[bool, int], ...] = ()
    staged: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A store to the `state` file of kdamond `index`, which afterwards must read on or off as `then_on` says."""

    index: int
    path: str
    word: str
    then_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Journal that the claimed files are in force in kdamond `index`, under the pid that it has now."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Read what has moved so far and journal it, before counters that restart at zero are lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """Journal that the kernel counts from zero again in kdamond `index`: its schemes are gone."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Store a remembered value back, and forget it.

    Attributes:
        behind: another path: while that cannot be brought back, this one stays. Empty: it depends on none.
    """

    path: str
    value: str
    behind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclaim:
    """Journal that no kdamond from this index on is ours any more."""

    from_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """Journal that a guardrail tripped, and until when nothing moves; None ends it."""

    cooldown: Cooldown | None


def ended(cooldown: Cooldown | None) -> tuple[CoolDown, ...]:
    """Returns the step that ends a cooldown, if there is one: where nothing moves there is nothing to hold."""
    return (CoolDown(cooldown=None),) if cooldown else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ease:
    """Journal how many steps cheaper than the settings ask monitoring is."""

    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Journal that the engine is in force, and from where its counters count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Count for the last time, and journal that the engine is not in force any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reclaim:
    """Ask the kernel to reclaim so much, which it demotes where it can; less than asked is no failure.

    Attributes:
        path: of a nid or a cgroup.
        only_anon: leave page cache alone (`swappiness=max`, Linux 6.16).
    """

    path: str
    bytes: int
    only_anon: bool = False

    @property
    def value(self) -> str:
        """What is stored."""
        return f"{self.bytes} swappiness=max" if self.only_anon else str(self.bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Look which pages of the processes in these cgroups were touched since the look before.

    Attributes:
        every_s: how often such looks are asked for; they are rarer where they cost too much.
        cpu_percent: what they may cost, of one CPU.
    """

    cgroups: tuple[str, ...]
    every_s: float
    cpu_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Forget which pages were touched, and end the process that moves them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Move pages of a process that are on one of `sources` to `nid`, as many as `limit_pages`.

    Attributes:
        started: when the process started, in ticks since boot: its pid may be another one's by now.
        runs: addresses of pages, as far apart as a page is large.
    """

    pid: int
    started: int
    promotes: bool
    sources: tuple[int, ...]
    nid: int
    runs: tuple[range, ...]
    limit_pages: int

    @property
    def page_bytes(self) -> int:
        """Returns how large a page is; 0 of no pages."""
        return self.runs[0].step if self.runs else 0


Step = (
    Remember
    | Claim
    | Store
    | Command
    | Confirm
    | Bank
    | Recount
    | Restore
    | Disclaim
    | CoolDown
    | Ease
    | Begin
    | End
    | Reclaim
    | Watch
    | Forget
    | Move
)


def store_of(step: Step) -> Store | None:
    """Returns the store that a step makes; None if it makes none."""
    match step:
        case Store():
            return step
        case Restore() | Reclaim():
            return Store(path=step.path, value=step.value)
        case Command():
            return Store(path=step.path, value=step.word)
        case _:
            return None
