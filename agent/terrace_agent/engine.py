"""What an engine is: the protocol between the loop and whatever moves pages, and the values that cross it.

Before: `topology` and the settings of a NodeTiering. After: `report`, which makes status out of these values. An
engine's own files are known in its own folder only.

One turn of the loop::

    capability = engine.probe()
    plan = engine.plan(settings, topology, movable)          # mode Enforce; nothing is stored, the plan says why
    plan = engine.plan_observe(settings, topology, movable)  # mode Observe: watches, and says what Enforce would do
    plan = engine.plan_stop()                                # Restore
    engine.apply(plan)                                       # an empty plan does nothing
    moved = engine.verify()                                  # what really changed nid
"""

from dataclasses import dataclass
from typing import Protocol

from terrace_agent.journal import Cooldown
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import EVERYTHING, Movable
from terrace_api.node_tiering import Effective, EngineCapability, EngineName, Kdamond, Levels
from terrace_api.policy import Settings


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
    """Store a remembered value back, and forget it."""

    path: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclaim:
    """Journal that no kdamond from this index on is ours any more."""

    from_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """Journal that a guardrail tripped, and until when nothing moves; None ends it."""

    cooldown: Cooldown | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ease:
    """Journal how many steps cheaper than the settings ask monitoring is."""

    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripped:
    """One guardrail of the policy that is hit now.

    Attributes:
        reason: CamelCase, for conditions.
        message: what happened, what is done about it, what a person can do.
    """

    reason: str
    message: str


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
    """Look which pages of the processes in these cgroups were touched since the look before."""

    cgroups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Move pages of a process that are on one of `sources` to `nid`, as many as `limit_pages`.

    Attributes:
        started: when the process started, in ticks since boot: its pid may be another one's by now.
        runs: addresses of pages.
    """

    pid: int
    started: int
    promotes: bool
    sources: tuple[int, ...]
    nid: int
    runs: tuple[range, ...]
    limit_pages: int


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
    | Move
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has to be done, in order, and why. Nothing to do: no steps.

    Attributes:
        reason: one sentence for logs and conditions.
        words: what the planned configuration does, one line per source nid and direction, for people.
        effective: the numbers behind it; None when the plan is to stop.
        tripped: guardrails that are hit now.
        levels: how much memory is on the wrong tier, where that is watched.
        recheck_s: look again after this many seconds; short while the kernel is still tuning its intervals.
    """

    steps: tuple[Step, ...]
    reason: str
    words: tuple[str, ...] = ()
    effective: Effective | None = None
    tripped: tuple[Tripped, ...] = ()
    levels: Levels | None = None
    recheck_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What an engine runs now, and what arrived since the policy began; never what was only tried.

    Attributes:
        kdamonds: those of ours that are on; their counters begin at their own start.
        promoted_bytes: over restarts of the agent and of kdamonds, of this boot.
        demoted_bytes: likewise.
        notes: what a person should know about what is running, for example a kdamond that died.
        runs: the engine, if anything of it is in force beside kdamonds.
    """

    kdamonds: tuple[Kdamond, ...]
    promoted_bytes: int
    demoted_bytes: int
    notes: tuple[str, ...] = ()
    runs: EngineName | None = None


class Engine(Protocol):
    """One way to move pages."""

    @property
    def name(self) -> EngineName:
        """The engine's name in the API."""

    def probe(self) -> EngineCapability:
        """Returns whether this node can run the engine now; if not, why and what would help. Leaves all as it was."""

    def plan(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        """Returns what makes this node do to what is `movable` what `settings` ask.

        Changes nothing; idempotent once applied.

        Raises:
            SettingsRejected: they cannot be meant for this node.
            EngineUnavailable: this kernel cannot, or somebody else is in the way. What runs of the engine goes on.
            EngineMustStop: likewise, and it may not.
        """

    def plan_observe(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        """Returns what makes this node watch as `settings` ask and move nothing; see `plan` for what it raises.

        `Plan.words` and `Plan.effective` are what mode Enforce would do, `Plan.levels` what was seen so far.
        """

    def plan_stop(self) -> Plan:
        """Returns what leaves the node as it was found. Stores nothing; empty if there is nothing of ours.

        Never touches what is not ours, and needs no `Topology`.
        """

    def apply(self, plan: Plan) -> None:
        """Does the steps of `plan`; after SIGKILL anywhere in between, planning anew completes or undoes them.

        Raises:
            StoreRefused: the kernel refused a store, and went on refusing where a retry makes sense.
            HostFileMissing: a file vanished.
            KdamondDied: a kdamond is off after a command that leaves it on.
            KdamondStays: a kdamond is on after it was switched off.
        """

    def verify(self) -> Moved:
        """Returns what arrived, never what was only tried. Call it at least as often as `Plan.recheck_s` says."""


def stores(plan: Plan) -> tuple[Store, ...]:
    """Returns the stores that `apply` would make, in order, as `terrace-agent plan FILE` prints them."""
    return tuple(store for step in plan.steps if (store := _store(step)))


def _store(step: Step) -> Store | None:
    match step:
        case Store():
            return step
        case Restore() | Reclaim():
            return Store(path=step.path, value=step.value)
        case Command():
            return Store(path=step.path, value=step.word)
        case _:
            return None
