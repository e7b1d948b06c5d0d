"""Does the steps of a plan: looks at pages, has them moved, and counts what arrived. Decides nothing."""

from collections.abc import Callable
from dataclasses import replace

from terrace_agent.engine import Plan
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Journal, JournalState, cooling, forgetting, remembering
from terrace_agent.move_pages.batches import Outcome
from terrace_agent.move_pages.choose import is_stuck
from terrace_agent.move_pages.pace import Pace
from terrace_agent.move_pages.pids import read_pids
from terrace_agent.move_pages.pilot import Pilot
from terrace_agent.move_pages.watch import Watch as Watching
from terrace_agent.steps import CoolDown, Forget, Move, Remember, Restore, Step, Store, Watch

_FIRST_S = 1.0


class Applier:
    """Executes plans of this engine.

    Attributes:
        pace: of the looks.
        outcome: what became of all pages so far, of this agent.
    """

    def __init__(
        self,
        fs: HostFs,
        journal: Journal,
        watching: Watching,
        pilot: Pilot,
        *,
        clock: Callable[[], float],
        cpu_clock: Callable[[], float],
    ) -> None:
        self._fs = fs
        self._journal = journal
        self._watching = watching
        self._pilot = pilot
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._moved_at_s: float | None = None
        self.pace = Pace()
        self.outcome = Outcome()

    def since_moves_s(self) -> float:
        """Returns for how long nothing was moved: what the quota has saved up."""
        return _FIRST_S if self._moved_at_s is None else self._clock() - self._moved_at_s

    def apply(self, plan: Plan) -> None:
        """Does all steps of `plan`; see `Engine.apply` for what it raises.

        After a mover that was late the other orders are left to the next turn: each of them may take as long.
        """
        if any(isinstance(step, Move) for step in plan.steps):
            # What could not be journaled would move without being counted.
            self._journal.save(self._journal.load())
            self._moved_at_s = self._clock()
        late = False
        for step in plan.steps:
            if not (late and isinstance(step, Move)):
                self._do(step)
            late = late or (isinstance(step, Move) and self._pilot.was_late)

    def _do(self, step: Step) -> None:
        match step:
            case Watch():
                self._watch(step)
            case Forget():
                self._pilot.close()
                self._watching.forget()
                self.pace = self.pace.woken()
            case Move():
                self._move(step)
            case Remember():
                self._journal_with(lambda state: remembering(state, step.path, step.value))
            case Store():
                self._fs.store(step.path, step.value)
            case Restore():
                self._fs.store(step.path, step.value)
                self._journal_with(lambda state: forgetting(state, step.path))
            case CoolDown():
                self._journal_with(lambda state: cooling(state, step.cooldown))
            case _:
                raise TypeError(f"{step} is no step of this engine")

    def _watch(self, step: Watch) -> None:
        began_s, cpu_s = self._clock(), self._cpu_clock()
        self._watching.look(read_pids(self._fs, step.cgroups), every_s=step.every_s)
        self.pace = self.pace.looked(began_s, self._cpu_clock() - cpu_s, step.cpu_percent)

    def _move(self, step: Move) -> None:
        done = self._pilot.carry_out(step)
        self.outcome += done
        if done.moved:
            self.pace = self.pace.woken()
        stuck = is_stuck(done.moved, step.limit_pages)
        self._watching.moved(step.pid, self._pilot.finished, promoted=step.promotes, stuck=stuck)
        self._journal_with(lambda state: _counted(state, step, done))

    def _journal_with(self, change: Callable[[JournalState], JournalState]) -> None:
        before = self._journal.load()
        after = change(before)
        if after != before:
            self._journal.save(after)


def _counted(state: JournalState, order: Move, done: Outcome) -> JournalState:
    size = done.moved * order.page_bytes
    if order.promotes:
        return replace(state, promoted_bytes=state.promoted_bytes + size)
    return replace(state, demoted_bytes=state.demoted_bytes + size)
