"""One turn of the loop: observe, decide, plan, apply, verify. Whatever fails ends in the result, never in a crash.

Before: `inbox` (what is wanted). After: `report` makes a status of the result. Each turn is a function of the whole
present state: nothing is remembered between turns but what the last one saw, to show when this one sees less, and the
last order that was not refused, to follow when this one is.
"""

from terrace_agent import stopping
from terrace_agent.decide import Intent, Outcome, decide
from terrace_agent.engine import Engine, Moved, Plan
from terrace_agent.errors import EngineMustStop, EngineUnavailable, KdamondDied, SchemesRefused, SettingsRejected
from terrace_agent.hostfs import HostFs
from terrace_agent.ladder import choose
from terrace_agent.order import Order
from terrace_agent.pods import read_pods
from terrace_agent.steplog import StepLog
from terrace_agent.topology.blocks import OnlineBlocks
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from terrace_agent.turn import NO_ORDER, Running, Turn, anew
from terrace_agent.workloads.cgroups import read_cgroups
from terrace_agent.workloads.resolve import resolve
from terrace_agent.workloads.roster import Roster
from terrace_agent.workloads.values import Found, Known, Limited, Selection
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import Action
from terrace_api.policy import EngineChoice

_TRIES = 3
_RELEASE = "/proc/sys/kernel/osrelease"
_OUTCOMES = {
    Intent.SINGLE_TIER: Outcome.IN_FORCE,
    Intent.OBSERVE: Outcome.IN_FORCE,
    Intent.ENFORCE: Outcome.IN_FORCE,
}
"""Of a turn in which nothing failed before the counters were read."""


class Cycle:
    """Takes turns on one host; `roster` is None where nobody names pods."""

    def __init__(self, host: HostFs, engines: tuple[Engine, ...], log: StepLog, roster: Roster | None = None) -> None:
        self._host = host
        self._engines = engines
        self._log = log
        self._roster = roster
        self._blocks = OnlineBlocks(host)

    def turn(self, order: Order, before: Turn | None) -> Turn:
        """Returns what this turn saw and did; `before` is the turn before."""
        run = Running(anew(before, order) if before else Turn(order=order), self._log)
        with run.recording():
            self._follow_what_can_be(run, _in_force(before))
        with run.recording():
            run.see(moved=_verify(self._engines))
        if run.turn.outcome is Outcome.UNCHANGED:
            with run.recording():
                stopping.see_whether_anything_is_left(run, self._engines)
        self._log.step("verify")
        return run.turn

    def _follow_what_can_be(self, run: Running, before: Order) -> None:
        """Follows the order; where that is refused, the one before, whose guardrails and exclusions must go on to hold.

        Where that one is refused as well, say because a nid went offline, the kernel goes on by itself.
        """
        for order in (run.turn.order, before, NO_ORDER):
            try:
                self._follow(run, order)
            except (InvalidObject, SettingsRejected) as refusal:
                run.see(refused=run.turn.refused or refusal, followed=before, plan=None)
            else:
                return

    def _follow(self, run: Running, order: Order) -> None:
        if order.invalid:
            raise order.invalid.with_traceback(None)
        run.order = order
        if order.spec and order.spec.action is Action.RESTORE:
            self._restore(run)
            return
        self._observe(run)
        if order.spec:
            run.see(followed=order)
        self._act(run)
        run.see(outcome=_OUTCOMES.get(run.turn.intent, run.turn.outcome))

    def _restore(self, run: Running) -> None:
        """Stops everything, and looks afterwards: what cannot be read or probed keeps nothing in force."""
        run.see(followed=run.order, intent=Intent.RESTORE)
        with run.recording():
            stopping.stop(run, self._engines)
            run.see(outcome=Outcome.STOPPED)
        self._observe(run)

    def _observe(self, run: Running) -> None:
        run.see(kernel=self._host.read(_RELEASE))
        facts = read_facts(self._host, blocks=self._blocks)
        settings = run.order.settings
        topology = discover(facts, settings.tiers if settings else None)
        run.see(topology=topology)
        self._look_at_workloads(run)
        self._log.step("observe", nids=len(facts.nids), pods=len(run.turn.pods))
        capabilities = tuple(engine.probe() for engine in self._engines)
        choice = settings.engine if settings else EngineChoice.AUTO
        run.see(capabilities=capabilities, choice=choice, engine=choose(choice, capabilities))
        self._log.step("probe")
        run.see(intent=decide(run.order.spec, topology, run.turn.engine))

    def _look_at_workloads(self, run: Running) -> None:
        found, known = self._read_workloads()
        settings = run.order.settings
        rules = (settings.workloads if settings else None) or ()
        run.see(pods=read_pods(self._host, found.pods), workloads=resolve(rules, known, found, run.turn.topology.tiers))

    def _read_workloads(self) -> tuple[Found, Known | None]:
        """Returns cgroups and pods, in this order: of a cgroup that is found its pod is heard by then, most likely.

        Of those that go meanwhile, nobody looked whether their cgroups have: they are forgotten at the next look.
        """
        if self._roster is None:
            return read_cgroups(self._host), None
        gone = self._roster.known().gone
        found = read_cgroups(self._host)
        self._roster.forget(gone.keys() - {pod.uid for pod in found.pods})
        return found, self._roster.known()

    def _act(self, run: Running) -> None:
        """Does what the intent asks; `Wait` asks nothing, and `Restore` never comes here."""
        match run.turn.intent:
            case Intent.UNSUPPORTED:
                stopping.stop_what_may_not_go_on(run, self._engines)
            case Intent.SINGLE_TIER:
                stopping.stop(run, self._engines)
            case Intent.OBSERVE:
                try:
                    engine, plan = self._take_over(run)
                except EngineUnavailable:
                    stopping.stop(run, self._engines)
                    run.see(outcome=Outcome.STOPPED)
                    raise
                run.apply(engine, plan)
            case Intent.ENFORCE:
                try:
                    engine, plan = self._take_over(run)
                except EngineUnavailable:
                    stopping.stop_what_may_not_go_on(run, self._engines)
                    raise
                self._persist(run, engine, plan)

    def _take_over(self, run: Running) -> tuple[Engine, Plan]:
        """Returns the plan of the engine that can do it, after the others were stopped.

        What they left is not what was planned on, so where there was something to stop it is planned anew.
        """
        engine, plan = self._choose(run)
        if stopping.make_way(run, engine, self._engines):
            engine, plan = self._choose(run)
        return engine, plan

    def _choose(self, run: Running) -> tuple[Engine, Plan]:
        """Plans with the chosen engine; where it cannot after all, with the next one.

        Raises:
            EngineUnavailable: none can, with the first one's reason.
        """
        first: EngineUnavailable | None = None
        while run.turn.engine is not None:
            engine = next(one for one in self._engines if one.name is run.turn.engine)
            try:
                return engine, self._plan(run, engine)
            except EngineUnavailable as error:
                first = first or error
                if isinstance(error, EngineMustStop):
                    stopping.stop(run, (engine,))
                    stopping.see_whether_all_is_stopped(run, self._engines)
                run.pass_over(engine.name, error)
        raise first or ValueError("there is no engine to plan with")

    def _plan(self, run: Running, engine: Engine) -> Plan:
        settings = run.order.settings
        if settings is None:
            raise ValueError("there are no settings to plan for")
        planned = engine.plan_observe if run.turn.intent is Intent.OBSERVE else engine.plan
        plan = planned(settings, run.turn.topology, run.turn.workloads.movable)
        run.see(plan=plan)
        self._log.step("plan", engine=engine.name.value, steps=len(plan.steps))
        return plan

    def _persist(self, run: Running, engine: Engine, plan: Plan) -> None:
        """Applies `plan`, and where cgroups came or went meanwhile plans anew: one that has gone can refuse them all.

        An engine lets others stand in for it where it can. Linux 6.12 does not even refuse: its kdamond ends. What
        fails although no cgroup changed is a failure, and so is what fails at every try: nothing of it is in force. The
        next turn goes on.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                run.apply(engine, plan)
            except (SchemesRefused, KdamondDied):
                before = _selections(run.turn)
                self._look_at_workloads(run)
                if not tries_left or _selections(run.turn) == before:
                    raise
                plan = self._plan(run, engine)
            else:
                return


def _in_force(before: Turn | None) -> Order:
    """Returns the order that the turn before followed, unless nothing came of it: then it says nothing of this one."""
    if before is None or (before.intent is Intent.UNSUPPORTED and not before.running):
        return NO_ORDER
    return before.followed


def _selections(turn: Turn) -> tuple[Selection | Limited | None, ...]:
    """Returns what may move to each nid that anything moves to, and which pods are moved apart from the rest."""
    movable = turn.workloads.movable
    return *(movable.towards(nid) for tier in turn.topology.tiers for nid in tier.nids), *movable.limited


def _verify(engines: tuple[Engine, ...]) -> Moved:
    moved = [engine.verify() for engine in engines]
    return Moved(
        kdamonds=tuple(kdamond for one in moved for kdamond in one.kdamonds),
        promoted_bytes=sum(one.promoted_bytes for one in moved),
        demoted_bytes=sum(one.demoted_bytes for one in moved),
        notes=tuple(note for one in moved for note in one.notes),
        runs=next((one.runs for one in moved if one.runs), None),
    )
