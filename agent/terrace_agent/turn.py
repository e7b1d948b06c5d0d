"""What one turn of the loop saw and did.

Before: `cycle` fills it in. After: `report` makes a status of it, and the next turn begins with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from terrace_agent.decide import Intent, Outcome
from terrace_agent.engine import Engine, Moved, Plan
from terrace_agent.errors import EngineUnavailable, SettingsRejected
from terrace_agent.ladder import choose, passed_over, without
from terrace_agent.order import Order
from terrace_agent.pods import PodMemory
from terrace_agent.report import Active, Observed
from terrace_agent.situation import Situation
from terrace_agent.steplog import StepLog
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.resolve import Workloads
from terrace_api.errors import InvalidObject, TerraceError
from terrace_api.node_tiering import EngineCapability, EngineName, Levels
from terrace_api.policy import EngineChoice
from terrace_api.units import display_bytes

NO_ORDER = Order()
_NO_TOPOLOGY = Topology(nids=(), tiers=())
_NO_WORKLOADS = Workloads()
_NOTHING_MOVED = Moved(kdamonds=(), promoted_bytes=0, demoted_bytes=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one turn saw and did.

    Attributes:
        order: what is asked.
        refused: why that cannot be followed.
        followed: the last order that was not refused, which is followed instead of one that is; without settings where
            there was none.
        intent: what following it came to.
        choice: which engines it allows.
        engine: the one that was chosen; None if none can run, or none was asked for.
        plan: None where nothing was planned.
        steps: how many steps were applied.
        left: there is something that would have to be stopped; looked for where nothing was brought into force.
        outcome: of the steps; what failed afterwards, in counting what moved, does not take it back.
        failure: what ended the turn early, where the fields that it did not get to are those of the turn before; or
            what could not be done beside it.
    """

    order: Order
    refused: InvalidObject | SettingsRejected | None = None
    followed: Order = NO_ORDER
    intent: Intent = Intent.WAIT
    kernel: str = ""
    topology: Topology = _NO_TOPOLOGY
    capabilities: tuple[EngineCapability, ...] = ()
    choice: EngineChoice = EngineChoice.AUTO
    engine: EngineName | None = None
    pods: tuple[PodMemory, ...] = ()
    workloads: Workloads = _NO_WORKLOADS
    plan: Plan | None = None
    moved: Moved = _NOTHING_MOVED
    steps: int = 0
    left: bool = False
    outcome: Outcome = Outcome.UNCHANGED
    failure: Exception | None = None

    @property
    def revision(self) -> str:
        """The revision that is followed; empty for none."""
        return (self.followed.spec.revision if self.followed.spec else None) or ""

    @property
    def running(self) -> bool:
        """Whether anything of ours runs or is set in the kernel."""
        return bool(self.moved.kdamonds) or self.moved.runs is not None or self.left

    def observed(self, active: Active) -> Observed:
        """Returns the turn as the status wants it, with what is in force after it."""
        plan = self.plan
        return Observed(
            generation=self.order.generation,
            unknown_fields=self.order.unknown_fields,
            kernel=self.kernel,
            situation=self.situation(active.revision),
            active=active,
            topology=self.topology,
            moved=self.moved,
            pods=self.pods,
            decisions=self.workloads.decisions,
            plan_words=plan.words if plan else (),
            effective=plan.effective if plan else None,
            levels=plan.levels if plan else None,
        )

    def situation(self, active_revision: str) -> Situation:
        """Returns the turn as the conditions' table wants it."""
        return Situation(
            intent=self.intent,
            capabilities=self.capabilities,
            refused=self.refused,
            engine=self.engine,
            passed_over=passed_over(self.choice, self.capabilities, self.engine),
            failure=self.failure,
            outcome=self.outcome,
            running=self.running,
            active_revision=active_revision,
            problem=self.workloads.problem or (self.plan.problem if self.plan else None),
            details=self._details(),
            tripped=self.plan.tripped if self.plan and self.intent is Intent.ENFORCE else (),
            against_kernel=self.topology.against_kernel,
        )

    def _details(self) -> str:
        if self.plan is None:
            return ""
        if self.intent is Intent.OBSERVE:
            return levels_text(self.plan.levels) if self.plan.levels else self.plan.no_levels
        return "; ".join(self.plan.words) if self.intent is Intent.ENFORCE else ""


class Running:
    """A turn under way: the order that it tries to follow, what it saw so far, and the first thing that failed."""

    def __init__(self, turn: Turn, log: StepLog) -> None:
        """Begins one."""
        self._log = log
        self.turn = turn
        self.order = turn.order

    def see(self, **values: object) -> None:
        """Notes fields of the turn."""
        self.turn = replace(self.turn, **values)  # type: ignore[arg-type]

    def apply(self, engine: Engine, plan: Plan) -> None:
        """Has an engine do the steps of a plan, if it has any."""
        if plan.steps:
            self.see(steps=self.turn.steps + len(plan.steps))
            engine.apply(plan)
            self._log.step("apply", engine=engine.name.value, steps=len(plan.steps), reason=plan.reason)

    def pass_over(self, name: EngineName, error: EngineUnavailable) -> None:
        """Notes that an engine cannot after all, and which one is next."""
        capabilities = without(self.turn.capabilities, name, error)
        self.see(capabilities=capabilities, engine=choose(self.turn.choice, capabilities))

    def owe(self, failure: Exception) -> None:
        """Keeps a failure that does not end the turn; the first one stays."""
        if self.turn.failure is None:
            self.see(failure=failure)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Keeps whatever fails inside the block as the turn's failure; the first one stays."""
        try:
            yield
        except Exception as error:
            # A defect of ours must end in a condition, too.
            self.owe(error)


def without_trace(error: Exception | None) -> None:
    """Lets go of the frames behind an error: they hold the turn before, which holds its own error, and so on."""
    if error is not None:
        error.__traceback__ = error.__cause__ = error.__context__ = None


def anew(before: Turn, order: Order) -> Turn:
    """Returns what a turn begins with: what the turn before saw, until this one sees it, and nothing that it did."""
    return replace(
        before, order=order, refused=None, plan=None, steps=0, left=False, outcome=Outcome.UNCHANGED, failure=None
    )


def levels_text(levels: Levels) -> str:
    """Returns the levels for people."""
    hot, cold, forecast = (
        display_bytes(size) for size in (levels.hot_on_slow_bytes, levels.cold_on_fast_bytes, levels.forecast_bytes)
    )
    return f"About {hot} are hot on slow nids and {cold} cold on fast ones: Enforce would promote about {forecast}."


def is_defect(failure: Exception | None) -> bool:
    """Returns whether a failure was not raised by Terrace on purpose."""
    return failure is not None and not isinstance(failure, TerraceError)
