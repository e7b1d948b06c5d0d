"""The move_pages engine: joins the pure parts, the tracker and the mover behind `terrace_agent.engine.Engine`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from terrace_agent.engine import Moved, Plan, levels_wait, unavailable
from terrace_agent.errors import EngineUnavailable, HostFileMissing
from terrace_agent.flows import directions, relief
from terrace_agent.flows.balancing import NUMA_BALANCING
from terrace_agent.flows.demotion import DEMOTION_ENABLED, confined, may_switch_off
from terrace_agent.flows.directions import Flow
from terrace_agent.flows.guarding import Guarding
from terrace_agent.flows.guards import full_nids, sample
from terrace_agent.hostfs import HostFs, read_optional
from terrace_agent.journal import Journal, JournalState, original
from terrace_agent.monitor import Monitor
from terrace_agent.move_pages import desired, privilege
from terrace_agent.move_pages.allowance import allowed_pages, memory_limit_bytes
from terrace_agent.move_pages.apply import Applier
from terrace_agent.move_pages.choose import first_looks, interval_s
from terrace_agent.move_pages.desired import Condition
from terrace_agent.move_pages.idle_pages import Frames, frames_of
from terrace_agent.move_pages.monitored import MonitoredTracker
from terrace_agent.move_pages.pilot import Pilot
from terrace_agent.move_pages.privilege import Privilege
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.trackers import TrackerLadder, ladder
from terrace_agent.move_pages.watch import Watch as Watching
from terrace_agent.steps import Forget, Remember, Restore, Step, Store, Watch, ended
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import EVERYTHING, Movable
from terrace_api.node_tiering import EngineCapability, EngineName
from terrace_api.policy import Settings

_AT_ONCE_S = 0.1
"""What a look has found is moved in the next turn."""
_SOON_S = 1.0
_AT_REST_S = 5.0
"""Free memory that goes meanwhile is the business of the kernel's own demotion."""
_HOSTS_FIRST = "/proc/1/stat"
"""Of the host's first process: there only where the agent was given the host's processes."""


@dataclass(kw_only=True)
class Tools:
    """What the engine reaches outside with; tests put others in.

    Attributes:
        privilege: what this process may do, looked at until nothing is missing.
        most_pages: how many pages may be known; None for as many as the agent's own memory allows.
    """

    procfs: Procfs = field(default_factory=Procfs)
    pilot: Pilot = field(default_factory=Pilot)
    privilege: Callable[[Procfs, Frames], Privilege] = privilege.look
    clock: Callable[[], float] = time.monotonic
    cpu_clock: Callable[[], float] = time.thread_time
    most_pages: int | None = None


class MovePagesEngine:
    """See `terrace_agent.engine.Engine`."""

    def __init__(
        self, fs: HostFs, journal: Journal, tools: Tools | None = None, *, monitor: Monitor | None = None
    ) -> None:
        """Makes one; `monitor` sees accesses for it, where there is one."""
        self._fs = fs
        self._journal = journal
        self._tools = tools or Tools()
        self._frames = frames_of(fs, self._tools.procfs)
        self._tracker: TrackerLadder = ladder(self._tools.procfs, self._frames, monitor, self._tools.clock)
        most_pages = allowed_pages(memory_limit_bytes()) if self._tools.most_pages is None else self._tools.most_pages
        self._watching = Watching(self._tools.procfs, self._tracker, most_pages=most_pages)
        self._guarding = Guarding(fs)
        self._applier = Applier(
            fs,
            journal,
            self._watching,
            self._tools.pilot,
            clock=self._tools.clock,
            cpu_clock=self._tools.cpu_clock,
        )
        self._privilege: Privilege | None = None
        self._relieved: frozenset[int] = frozenset()

    @property
    def name(self) -> EngineName:
        """See `Engine.name`."""
        return EngineName.MOVE_PAGES

    @property
    def goes_on_alone(self) -> bool:
        """See `Engine.goes_on_alone`: the agent looks and orders each move."""
        return False

    def probe(self) -> EngineCapability:
        """See `Engine.probe`."""
        try:
            self._check()
        except EngineUnavailable as error:
            return unavailable(self.name, error)
        return EngineCapability(
            name=self.name,
            available=True,
            reason="Available",
            message=f"The agent can move pages, which it tracks by {self._tracker.name}.",
        )

    def plan(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        """See `Engine.plan`."""
        self._check()
        topology = self._relieve(settings, topology)
        state = self._journal.load()
        at_s, review = self._guarding.look(settings, state.cooldown, moves=True)
        flows = self._flows(settings, topology, movable)
        self._guarding.remember(sample(flows, (state.promoted_bytes, state.demoted_bytes), at_s))
        moves = () if review.halts else self._moves(settings, flows, movable)
        steps = (*review.journaled(state.cooldown), *self._net(topology, movable, state), *moves)
        plan = self._plan(settings, flows, movable, steps, unwatched=review.note)
        tripped = (*review.tripped, *full_nids(settings.guardrails, flows))
        return replace(plan, tripped=tripped, recheck_s=relief.within_s(topology, plan.recheck_s))

    def plan_observe(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        """See `Engine.plan_observe`."""
        self._check()
        flows = self._flows(settings, self._relieve(settings, topology), movable)
        state = self._journal.load()
        steps = (*_restores(state), *ended(state.cooldown))
        plan = self._plan(settings, flows, movable, steps)
        needed = first_looks(settings, self._tracker.blind_looks)
        if self._watching.looks < needed:
            pause_s = self._applier.pace.pause_s(interval_s(settings), settings.monitoring.cpu_percent)
            return replace(plan, no_levels=levels_wait((needed - 1) * pause_s))
        return replace(plan, levels=desired.levels(settings, flows, self._watching.tracked))

    def plan_stop(self) -> Plan:
        """See `Engine.plan_stop`."""
        active = bool(self._watching.tracked) or self._tools.pilot.runs or self._tracker.holds
        state = self._journal.load()
        steps = (*_restores(state), *ended(state.cooldown), *((Forget(),) if active else ()))
        return Plan(steps=steps, reason="what was set is brought back" if steps else "nothing of ours is here")

    def apply(self, plan: Plan) -> None:
        """See `Engine.apply`."""
        self._applier.apply(plan)

    def verify(self) -> Moved:
        """See `Engine.verify`: pages that are where they were to go, as the kernel said of each."""
        state, problem = self._journal.load(), self._tools.pilot.problem
        return Moved(
            kdamonds=(),
            promoted_bytes=state.promoted_bytes,
            demoted_bytes=state.demoted_bytes,
            notes=(problem,) if problem else (),
            runs=self.name if self._watching.tracked else None,
        )

    def _plan(
        self,
        settings: Settings,
        flows: tuple[Flow, ...],
        movable: Movable,
        steps: tuple[Step, ...],
        *,
        unwatched: str = "",
    ) -> Plan:
        asked_s, cpu_percent = interval_s(settings), settings.monitoring.cpu_percent
        pace, now_s = self._applier.pace, self._tools.clock()
        pause_s = pace.pause_s(asked_s, cpu_percent)
        left_s = max(_AT_ONCE_S, (pace.looked_at_s or 0.0) + pause_s - now_s)
        looks = pace.is_due(now_s, asked_s, cpu_percent)
        if looks:
            cgroups = tuple(cgroup.path for cgroup in movable.allowed)
            steps = (*steps, Watch(cgroups=cgroups, every_s=asked_s, cpu_percent=cpu_percent))
        condition = Condition(
            tracker=self._tracker.name,
            blind_spot=self._tracker.blind_spot,
            pause_s=pause_s,
            problem=self._tools.pilot.problem,
            outcome=self._applier.outcome,
            too_large=self._watching.too_large,
            no_room=self._watching.no_room,
            closed=self._watching.closed,
            longest_stall_s=self._tracker.longest_stall_s,
            left_out=self._tracker.left_out,
            unwatched=unwatched,
            numa_balancing=self._numa_balancing(),
        )
        return Plan(
            steps=steps,
            reason="pages are looked at and moved" if steps else "nothing is due",
            words=desired.words(flows),
            effective=desired.effective(settings, flows, condition, movable),
            recheck_s=_AT_ONCE_S if looks else min(_AT_REST_S if pace.is_at_rest else _SOON_S, left_s),
        )

    def _moves(self, settings: Settings, flows: tuple[Flow, ...], movable: Movable) -> tuple[Step, ...]:
        elapsed_s = self._applier.since_moves_s()
        return tuple(desired.moves(settings, flows, self._watching.tracked, movable, elapsed_s))

    def _numa_balancing(self) -> int | None:
        bits = read_optional(self._fs, NUMA_BALANCING)
        return int(bits) if bits and bits.isdecimal() else None

    def _flows(self, settings: Settings, topology: Topology, movable: Movable) -> tuple[Flow, ...]:
        has_safety_net = not confined(topology, movable) and self._fs.exists(DEMOTION_ENABLED)
        return directions.flows(settings, topology, has_safety_net=has_safety_net, chooses_target=True)

    def _relieve(self, settings: Settings, topology: Topology) -> Topology:
        may_switch = may_switch_off(self._journal.load(), read_optional(self._fs, DEMOTION_ENABLED))
        found = relief.relieved(topology, settings, self._relieved, may_switch=may_switch)
        self._relieved = relief.nids_of(found)
        return found

    def _net(self, topology: Topology, movable: Movable, state: JournalState) -> tuple[Step, ...]:
        """Returns what switches the kernel's own demotion on, for a fast nid that others fill, else back."""
        if confined(topology, movable) or relief.nids_of(topology):
            return _restores(state)
        try:
            found = self._fs.read(DEMOTION_ENABLED)
        except HostFileMissing:
            return ()
        if found == "true":
            return ()
        return Remember(path=DEMOTION_ENABLED, value=found), Store(path=DEMOTION_ENABLED, value="true")

    def _check(self) -> None:
        """Checks what this process may do, until nothing is missing.

        Raises:
            EngineUnavailable: says what is.
        """
        if not self._fs.exists(_HOSTS_FIRST):
            raise privilege.no_host_proc()
        found = self._privilege = self._privilege or self._tools.privilege(self._tools.procfs, self._frames)
        if self._may_monitor(found):
            found = replace(found, tells_pages=True)
        if gap := privilege.missing(found):
            self._privilege = None
            raise gap

    def _may_monitor(self, found: Privilege) -> bool:
        """Chooses the tracker of this turn, where it may be asked for at all; returns whether it is DAMON."""
        return found.sees_processes and isinstance(self._tracker.settle(), MonitoredTracker)


def _restores(state: JournalState) -> tuple[Step, ...]:
    found = original(state, DEMOTION_ENABLED)
    return () if found is None else (Restore(path=DEMOTION_ENABLED, value=found),)
