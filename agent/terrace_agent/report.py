"""Everything that was observed as one NodeTieringStatus, and when it is worth writing. Pure.

Before: `cycle`. After: `cluster` writes it, `metrics` shows it, `main` prints it.
"""

from dataclasses import dataclass, replace

from terrace_agent.conditions import conditions
from terrace_agent.decide import Intent, Outcome
from terrace_agent.engine import Moved
from terrace_agent.inventory import fast_used, numa_nodes, placements
from terrace_agent.pods import PodMemory
from terrace_agent.situation import Situation
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import Decision
from terrace_api.node_tiering import ConditionType, Effective, EngineName, Levels, NodeTieringStatus
from terrace_api.policy import Mode
from terrace_api.units import display_bytes

_MODES = {Intent.OBSERVE: Mode.OBSERVE, Intent.ENFORCE: Mode.ENFORCE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """What is in force in the kernel.

    Attributes:
        revision: empty for nothing.
        since: RFC 3339; None for nothing.
        mode: None for nothing, and where a single tier leaves nothing to do.
    """

    revision: str = ""
    since: str | None = None
    mode: Mode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that one turn of the loop learned.

    Attributes:
        generation: of the spec that was acted on; 0 without any.
        plan_words: what the planned configuration does.
        effective: the numbers behind it.
        levels: what mode Observe has seen.
    """

    generation: int
    unknown_fields: tuple[str, ...]
    kernel: str
    situation: Situation
    active: Active
    topology: Topology
    moved: Moved
    pods: tuple[PodMemory, ...]
    decisions: tuple[Decision, ...] = ()
    plan_words: tuple[str, ...] = ()
    effective: Effective | None = None
    levels: Levels | None = None


def activate(before: Active, *, outcome: Outcome, intent: Intent, revision: str, running: bool, now: str) -> Active:
    """Returns what is in force after a turn.

    Args:
        before: what was in force.
        outcome: what the turn did to it.
        intent: what it was to do.
        revision: for that.
        running: whether anything of ours runs or is set in the kernel.
        now: RFC 3339 in UTC.
    """
    match outcome:
        case Outcome.IN_FORCE:
            since = before.since if before.revision == revision and before.since else now
            return Active(revision=revision, since=since, mode=_MODES.get(intent))
        case Outcome.STOPPED:
            return Active()
        case Outcome.UNCHANGED:
            return Active() if intent is Intent.UNSUPPORTED and not running else before


def make_status(seen: Observed, *, before: NodeTieringStatus | None, now: str) -> NodeTieringStatus:
    """Returns the status.

    Args:
        seen: what the turn learned.
        before: the status as last made, for transition times.
        now: RFC 3339 in UTC.
    """
    observing = seen.situation.intent is Intent.OBSERVE and seen.situation.failure is None
    return NodeTieringStatus(
        observed_generation=seen.generation,
        kernel=seen.kernel,
        engine=_engine(seen),
        mode=seen.active.mode,
        active_revision=seen.active.revision,
        active_since=seen.active.since,
        fast_used=fast_used(seen.topology),
        promoted_bytes=seen.moved.promoted_bytes,
        promoted=display_bytes(seen.moved.promoted_bytes),
        demoted_bytes=seen.moved.demoted_bytes,
        demoted=display_bytes(seen.moved.demoted_bytes),
        numa_nodes=numa_nodes(seen.topology),
        engines=seen.situation.capabilities,
        kdamonds=seen.moved.kdamonds,
        effective=_with_notes(seen.effective, seen.moved.notes),
        levels=seen.levels if observing else None,
        plan=seen.plan_words if observing else (),
        pods=placements(seen.pods, seen.decisions, seen.topology, is_followed=seen.situation.intent in _MODES),
        unknown_fields=seen.unknown_fields,
        conditions=conditions(
            seen.situation, generation=seen.generation, now=now, before=before.conditions if before else ()
        ),
    )


def is_due(
    now: NodeTieringStatus,
    *,
    before: NodeTieringStatus | None,
    written: NodeTieringStatus | None,
    overdue: bool,
    totals_wait: bool,
) -> bool:
    """Returns whether the status should be written.

    At once when something changed that somebody waits for, when the totals come to rest, else as a heartbeat: totals
    and free memory change all the time, and metrics carry those.

    Args:
        now: the status of this turn.
        before: of the turn before.
        written: as last written.
        overdue: the heartbeat is due.
        totals_wait: totals were written not long ago, and a trickle comes to rest after every drop.
    """
    if written is None or overdue or _essence(now) != _essence(written):
        return True
    at_rest = before is not None and totals(now) == totals(before)
    return at_rest and not totals_wait and totals(now) != totals(written)


def ready(status: NodeTieringStatus | None) -> str | None:
    """Returns the status of the condition Ready; None before there is one."""
    conditions = status.conditions if status else ()
    return next((one.status.value for one in conditions if one.type == ConditionType.READY), None)


def totals(status: NodeTieringStatus) -> tuple[int, int]:
    """Returns what was promoted and demoted, in bytes."""
    return status.promoted_bytes, status.demoted_bytes


def _essence(status: NodeTieringStatus) -> object:
    return (
        status.observed_generation,
        status.engine,
        status.mode,
        status.active_revision,
        status.unknown_fields,
        _which(status.levels),
        tuple((node.nid, node.tier, node.total_bytes) for node in status.numa_nodes),
        tuple((engine.name, engine.available, engine.reason) for engine in status.engines),
        tuple((kdamond.index, kdamond.pid) for kdamond in status.kdamonds),
        tuple((condition.type, condition.status, condition.reason) for condition in status.conditions),
    )


def _which(levels: Levels | None) -> tuple[bool, ...] | None:
    """Returns which levels are any at all: the first ones may be of memory that was only just put to use."""
    if levels is None:
        return None
    return levels.hot_on_slow_bytes > 0, levels.cold_on_fast_bytes > 0, levels.forecast_bytes > 0


def _engine(seen: Observed) -> EngineName:
    """Returns the engine that was chosen; where none was, the one that still runs."""
    if seen.situation.intent in _MODES:
        return seen.situation.engine or EngineName.NONE
    return EngineName.DAMON if seen.moved.kdamonds else seen.moved.runs or EngineName.NONE


def _with_notes(effective: Effective | None, notes: tuple[str, ...]) -> Effective | None:
    return replace(effective, notes=effective.notes + notes) if effective else None
