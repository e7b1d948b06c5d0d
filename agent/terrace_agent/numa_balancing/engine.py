"""The numa_balancing engine: joins the pure parts and the files behind `terrace_agent.engine.Engine`."""

import errno
from collections.abc import Iterator
from dataclasses import replace

from terrace_agent.engine import Moved, Plan, unavailable
from terrace_agent.errors import EngineUnavailable, PrivilegeLost, StoreRefused, StoreWithheld
from terrace_agent.flows.balancing import NUMA_BALANCING
from terrace_agent.flows.guarding import Guarding
from terrace_agent.flows.guards import full_nids, sample
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Journal, JournalState, original
from terrace_agent.numa_balancing import plan as planning
from terrace_agent.numa_balancing import room
from terrace_agent.numa_balancing.apply import Applier
from terrace_agent.numa_balancing.cgroups import read_memory, reclaim_path
from terrace_agent.numa_balancing.desired import Desired, desired
from terrace_agent.numa_balancing.fitness import unfit_kernel, unfit_node
from terrace_agent.numa_balancing.observe import RATE_LIMIT, Observed, node_reclaim_path, observe
from terrace_agent.steps import Reclaim
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import EVERYTHING, Movable
from terrace_api.node_tiering import EngineCapability, EngineName
from terrace_api.policy import PageCache, Settings

_NOT_ALLOWED = {errno.EPERM, errno.EACCES, errno.EROFS}

_NO_LEVELS = "NUMA balancing sees no hotness, so there are no levels."


class NumaBalancingEngine:
    """See `terrace_agent.engine.Engine`."""

    def __init__(self, fs: HostFs, journal: Journal) -> None:
        self._fs = fs
        self._journal = journal
        self._applier = Applier(fs, journal)
        self._guarding = Guarding(fs)
        self._may_store = False

    @property
    def name(self) -> EngineName:
        """See `Engine.name`."""
        return EngineName.NUMA_BALANCING

    @property
    def goes_on_alone(self) -> bool:
        """See `Engine.goes_on_alone`: the kernel tiers."""
        return True

    def probe(self) -> EngineCapability:
        """See `Engine.probe`."""
        try:
            self._checked()
        except EngineUnavailable as error:
            return unavailable(self.name, error)
        return EngineCapability(
            name=self.name,
            available=True,
            reason="Available",
            message="NUMA balancing and reclaim can move pages between nids.",
        )

    def plan(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        """See `Engine.plan`."""
        observed, state = self._checked(), self._journal.load()
        at_s, review = self._guarding.look(settings, state.cooldown, moves=True)
        wanted = self._desired(settings, topology, movable, observed, state, halted=review.halts)
        self._guarding.remember(sample(wanted.flows, (state.promoted_bytes, state.demoted_bytes), at_s))
        orders = () if review.halts else tuple(self._orders(settings, wanted, movable, observed))
        plan = planning.plan(observed, wanted, state, orders)
        notes = (*wanted.effective.notes, *filter(None, (wanted.cost, review.note)))
        effective = replace(wanted.effective, notes=notes)
        demoting = [flow for flow in wanted.flows if not flow.pair.promotes]  # promotion stops at no guardrail
        tripped = (*review.tripped, *full_nids(settings.guardrails, demoting))
        return replace(
            plan, steps=(*review.journaled(state.cooldown), *plan.steps), effective=effective, tripped=tripped
        )

    def plan_observe(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        """See `Engine.plan_observe`; this engine sees no hotness, so it has no levels to tell."""
        observed, state = self._checked(), self._journal.load()
        wanted = self._desired(settings, topology, movable, observed, state, halted=False)
        return replace(self.plan_stop(), words=wanted.words, effective=wanted.effective, no_levels=_NO_LEVELS)

    def plan_stop(self) -> Plan:
        """See `Engine.plan_stop`."""
        return planning.plan_stop(self._journal.load())

    def apply(self, plan: Plan) -> None:
        """See `Engine.apply`."""
        try:
            self._applier.apply(plan)
        except StoreRefused as error:
            self._may_store = False
            if error.path not in {NUMA_BALANCING, RATE_LIMIT}:
                raise
            raise PrivilegeLost(path=error.path, value=error.value, errno=error.errno) from error

    def verify(self) -> Moved:
        """See `Engine.verify`."""
        self._applier.count()
        state = self._journal.load()
        return Moved(
            kdamonds=(),
            promoted_bytes=state.promoted_bytes,
            demoted_bytes=state.demoted_bytes,
            runs=self.name if state.counted_pages else None,
        )

    def _desired(
        self,
        settings: Settings,
        topology: Topology,
        movable: Movable,
        observed: Observed,
        state: JournalState,
        *,
        halted: bool,
    ) -> Desired:
        if unfit := unfit_node(topology, movable):
            raise unfit
        found = original(state, NUMA_BALANCING)
        mode = int(found) if found is not None else observed.mode or 0
        return desired(settings, topology, movable, observed, found_mode=mode, halted=halted)

    def _orders(self, settings: Settings, wanted: Desired, movable: Movable, observed: Observed) -> Iterator[Reclaim]:
        only_anon = settings.demotion.page_cache is not PageCache.INCLUDE
        for lack in room.wanted(wanted.flows):
            if lack.nid in observed.node_reclaim:
                yield Reclaim(path=node_reclaim_path(lack.nid), bytes=lack.bytes, only_anon=only_anon)
            elif wanted.asks_cgroups:
                cgroups = read_memory(self._fs, room.leaves(cgroup.path for cgroup in movable.allowed))
                for cgroup, size in room.shares(lack, cgroups):
                    yield Reclaim(path=reclaim_path(cgroup.path), bytes=size)

    def _checked(self) -> Observed:
        """Returns what is there, after checking that the kernel can and that we may.

        Raises:
            EngineUnavailable: says why not.
        """
        observed = observe(self._fs)
        if unfit := unfit_kernel(observed):
            raise unfit
        self._check_permission(observed.mode or 0)
        return observed

    def _check_permission(self, mode: int) -> None:
        """Checks that the switch takes a store, by storing what it holds.

        `sysctl_numa_balancing()` (Linux kernel/sched/core.c) asks for CAP_SYS_ADMIN, and an equal value changes
        nothing.

        Raises:
            EngineUnavailable: it does not.
        """
        if self._may_store:
            return
        try:
            self._fs.store(NUMA_BALANCING, str(mode))
        except StoreWithheld:
            return  # Who only looks cannot tell.
        except StoreRefused as error:
            raise _not_permitted(error) from error
        self._may_store = True


def _not_permitted(error: StoreRefused) -> EngineUnavailable:
    if error.errno in _NOT_ALLOWED:
        return EngineUnavailable(
            reason="NoSysAdmin",
            message=(
                "kernel.numa_balancing takes stores with CAP_SYS_ADMIN only, which the agent does not have. The "
                "chart's value numaBalancing.enabled adds a sidecar that has it and does nothing else; by hand, run "
                "as root."
            ),
        )
    return EngineUnavailable(
        reason="SidecarSilent",
        message=f"The sidecar of numaBalancing.enabled does not take stores ({error}). Look at its container's log.",
    )
