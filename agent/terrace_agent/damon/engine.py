"""The damon engine: joins the pure parts and the files behind `terrace_agent.engine.Engine`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from terrace_agent.damon import desired as compile_
from terrace_agent.damon import grants, lenience, observing, passing, verify
from terrace_agent.damon import plan as planning
from terrace_agent.damon.adapt import Adapter, carried
from terrace_agent.damon.alone import check_alone
from terrace_agent.damon.apply import Applier
from terrace_agent.damon.cadence import CurrentIntervals, is_tuning
from terrace_agent.damon.features import Feature, missing
from terrace_agent.damon.meter import Meter
from terrace_agent.damon.ownership import staged_in
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.probe import Prober, missing_interface, scratch_stores
from terrace_agent.damon.process_monitor import ProcessMonitor
from terrace_agent.damon.read import TreeReader
from terrace_agent.damon.seen import Seen, current_intervals, demotion_targets
from terrace_agent.damon.stores import makes_schemes
from terrace_agent.damon.surroundings import Observed, observe
from terrace_agent.damon.verify import Look
from terrace_agent.damon.watchers import Watchers
from terrace_agent.damon.ways import quota_control
from terrace_agent.engine import Moved, Plan, unavailable
from terrace_agent.errors import EngineUnavailable
from terrace_agent.flows import relief
from terrace_agent.flows.demotion import may_switch_off
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Journal, JournalState
from terrace_agent.steps import Bank, Claim, Disclaim, Store
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import EVERYTHING, Movable
from terrace_api.node_tiering import EngineCapability, EngineName, QuotaControl
from terrace_api.policy import Settings

_SOON_S = 1.0
"""Levels that are due are looked for no sooner than this."""
_LISTS_EVERY_S = 5.0
"""Pods that come and go are one reason to commit in that time, however many they are."""


class DamonEngine:
    """See `terrace_agent.engine.Engine`."""

    def __init__(
        self,
        fs: HostFs,
        journal: Journal,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        monitor: ProcessMonitor | None = None,
    ) -> None:
        """Makes one; `monitor` is who else of this agent has kdamonds, never while this one has."""
        self._fs = fs
        self._monitor = monitor
        self._journal = journal
        self._patience = patience or Patience()
        self._clock = clock
        self._listed_at = -_LISTS_EVERY_S
        self._passing: passing.Flows = {}
        self._tries: lenience.Tries = {}
        self._ledger: grants.Ledger = {}
        self._primed: frozenset[int] | None = None
        self._counted: tuple[Look, ...] = ()
        self._stats_are_new = False
        self._reader = TreeReader(fs, self._patience)
        self._meter = Meter(fs, self._reader, journal, self._patience)
        self._adapter = Adapter(fs)
        self._applier = Applier(fs, self._reader, journal, self._patience, self._bank)
        self._watchers = Watchers(fs, self._reader, self._meter, clock)
        self._intervals: Mapping[int, CurrentIntervals] = {}
        self._quiet_looks = 0
        self._relieved: frozenset[int] = frozenset()
        self._last_looks: tuple[Look, ...] = ()

    @property
    def name(self) -> EngineName:
        """See `Engine.name`."""
        return EngineName.DAMON

    @property
    def goes_on_alone(self) -> bool:
        """See `Engine.goes_on_alone`: the kernel migrates."""
        return True

    def probe(self) -> EngineCapability:
        """See `Engine.probe`."""
        try:
            if not self._is_known():
                self._features(self._checked())
        except EngineUnavailable as error:
            return unavailable(self.name, error)
        return EngineCapability(
            name=self.name, available=True, reason="Available", message="DAMON can migrate pages between nids."
        )

    def plan(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        """See `Engine.plan`; the first time on a boot it probes, as `probe` does.

        Where the agent steers the quotas, it asks the kernel for fresh counters.
        """
        self._counted = self._fresh_looks()
        return self._plan(settings, topology, movable, looks=self._counted, moves=True)

    def plan_observe(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        """See `Engine.plan_observe`."""
        return self._plan(settings, topology, movable, looks=(), moves=False)

    def plan_stop(self) -> Plan:
        """See `Engine.plan_stop`."""
        state = self._journal.load()
        if self._monitor and self._monitor.runs_alone() and not (state.owned or state.originals):
            return planning.plan_stop(Observed(kdamonds=()), state)
        return planning.plan_stop(observe(self._fs, self._reader), state)

    def apply(self, plan: Plan) -> None:
        """See `Engine.apply`."""
        # Before it: one that fails half way has made them, too.
        if any(isinstance(step, Store) and makes_schemes(step.path) for step in plan.steps):
            self._stats_are_new = True
        self._applier.apply(plan)
        if any(isinstance(step, Bank) for step in plan.steps):
            self._counted = ()
        if any(isinstance(step, Store) and "filters/" in step.path for step in plan.steps):
            self._listed_at = self._clock()

    def verify(self) -> Moved:
        """See `Engine.verify`."""
        looks = self._looks()
        self._passing = passing.advance(self._passing, looks)
        self._last_looks = looks
        state = self._journal.load()
        promoted, demoted = verify.totals(state)
        watching = self._watchers.ask(state)
        off = [claim.index for claim in state.owned if claim.in_force and not self._reader.runs(claim)]
        return Moved(
            kdamonds=(*verify.describe(state, looks, self._meter.pids(state)), *observing.watchers(watching)),
            promoted_bytes=promoted,
            demoted_bytes=demoted,
            notes=tuple(f"kdamond {index} is off though it should run" for index in off),
        )

    def _plan(
        self, settings: Settings, topology: Topology, movable: Movable, *, looks: tuple[Look, ...], moves: bool
    ) -> Plan:
        observed = self._checked()
        features = self._features(observed)
        state = self._journal.load()
        self._ledger = grants.advance(self._ledger, looks, state.owned)
        adaptation = self._adapter.look(settings, state, moves=moves, can_tune=Feature.INTERVALS_GOAL in features)
        topology = self._relieve(topology, settings, observed, state, strays=Feature.THISNODE not in features)
        seen = Seen(
            current=current_intervals(observed.kdamonds, state.owned),
            demotes_to=demotion_targets(observed.kdamonds, state.owned),
            grants=grants.grants(self._ledger),
            numa_balancing=observed.numa_balancing,
            numa_stat=observed.numa_stat,
            pinned=_pinned(features, topology, movable),
            movable=movable,
            passing=self._passing,
            tries=self._judged(settings, features) if moves else {},
            cools_down=moves and adaptation.review.cooldown is not None,
            under_pressure=moves and adaptation.review.under_pressure,
            easing=adaptation.load.easing,
        )
        wanted = compile_.desired(settings, topology, features, seen)
        self._primed = wanted.primed
        self._adapter.remember(wanted, state, adaptation.at_s)
        wanted = wanted if moves else observing.watching(wanted, settings, features)
        may_list = self._clock() - self._listed_at >= _LISTS_EVERY_S
        plan = planning.plan(observed, wanted, state, quiet_looks=self._count_quiet_looks(seen), may_list=may_list)
        plan = carried(plan, wanted, adaptation, state, settings.guardrails)
        if moves:
            return replace(plan, recheck_s=relief.within_s(topology, plan.recheck_s))
        known_after_s = observing.known_after_s(wanted, settings, seen.current)
        return _with_levels(plan, observing.seen(wanted, self._watchers.passes(state), known_after_s))

    def _relieve(
        self, topology: Topology, settings: Settings, observed: Observed, state: JournalState, *, strays: bool
    ) -> Topology:
        may_switch = may_switch_off(state, observed.demotion_enabled)
        found = relief.relieved(topology, settings, self._relieved, may_switch=may_switch, strays=strays)
        self._relieved = relief.nids_of(found)
        return found

    def _judged(self, settings: Settings, features: frozenset[Feature]) -> lenience.Tries:
        if quota_control(features) is QuotaControl.AGENT_LOOP or not settings.young_filter:
            self._tries = {}  # what fails without the filter does not fail because of it
            return {}
        min_age_s = settings.demotion.min_age.us / 1e6
        self._tries = lenience.advance(self._tries, self._last_looks, min_age_s=min_age_s, at_s=self._clock())
        return self._tries

    def _count_quiet_looks(self, seen: Seen) -> int:
        self._quiet_looks = 0 if is_tuning(self._intervals, seen.current) else self._quiet_looks + 1
        self._intervals = seen.current
        return self._quiet_looks

    def _is_known(self) -> bool:
        """Returns whether every kdamond of the tree is one that we started: then everything else has been checked."""
        if self._monitor and self._monitor.runs_alone():
            features = _journaled(self._journal.load())
            return features is not None and not missing(features)
        pids = [claim.pid for claim in self._journal.load().owned if claim.in_force]
        return bool(pids) and pids == [self._reader.pid(index) for index in range(self._reader.count())]

    def _fresh_looks(self) -> tuple[Look, ...]:
        """Returns our running schemes with counters and intervals as of now, where the agent needs them to steer."""
        features = _journaled(self._journal.load())
        steers = features is None or quota_control(features) is QuotaControl.AGENT_LOOP
        return self._meter.effective(self._meter.count(at_once=True), self._primed) if steers else ()

    def _looks(self) -> tuple[Look, ...]:
        """Returns our running schemes, as counted for the plan of this turn if that is still all of them.

        New directories of schemes that go on hold no counters until they are refreshed, which may fail.
        """
        looks, self._counted = self._counted, ()
        if looks and {look.pid for look in looks} == self._meter.pids(self._journal.load()):
            return looks
        looks = self._meter.count(at_once=self._stats_are_new)
        self._stats_are_new = self._stats_are_new and not self._meter.is_fresh
        return looks

    def _checked(self) -> Observed:
        """Returns what is there, after checking that DAMON is and that nobody else uses it.

        Raises:
            EngineUnavailable: says why not.
        """
        if why := missing_interface(self._fs):
            raise EngineUnavailable(reason=why.reason, message=why.message)
        observed = self._others(observe(self._fs, self._reader))
        check_alone(observed, self._journal.load().owned)
        return observed

    def _others(self, observed: Observed) -> Observed:
        """Returns what was observed without the kdamonds of the monitor: it is stopped before any plan is applied."""
        theirs = self._monitor.indices() if self._monitor and observed.kdamonds else frozenset()
        return replace(observed, kdamonds=tuple(one for one in observed.kdamonds if one.index not in theirs))

    def _features(self, observed: Observed) -> frozenset[Feature]:
        features = _journaled(self._journal.load())
        if features is None:
            features = self._probe_features(observed)
        if why := missing(features):
            raise EngineUnavailable(reason=why.reason, message=why.message)
        return features

    def _probe_features(self, observed: Observed) -> frozenset[Feature]:
        prober = Prober(self._fs, self._patience)
        if any(kdamond.on for kdamond in observed.kdamonds) or (self._monitor and self._monitor.claims):
            return prober.look()
        claim = replace(_SCRATCH_CLAIM, staged=staged_in(observed.kdamonds, _SCRATCH_CLAIM.index))
        self.apply(Plan(steps=(claim,), reason="probe"))
        features = prober.stage()
        self.apply(Plan(steps=(Disclaim(),), reason="probed"))
        words = tuple(feature.value if feature in features else f"-{feature.value}" for feature in Feature)
        self._journal.save(replace(self._journal.load(), features=words))
        return features

    def _bank(self) -> None:
        self._meter.count(at_once=True)


_SCRATCH_CLAIM = Claim(index=0, source_nid=None, files=scratch_stores(), made_from="probe")


def _with_levels(plan: Plan, seen: observing.Seen) -> Plan:
    """Returns the plan with what was seen, and with the next look not long after more can be known."""
    recheck_s = plan.recheck_s if seen.left_s is None else min(plan.recheck_s, max(_SOON_S, seen.left_s))
    return replace(plan, levels=seen.levels, no_levels=seen.why, recheck_s=recheck_s)


def _journaled(state: JournalState) -> frozenset[Feature] | None:
    """Returns the features as probed in this boot; None if any was not asked for then."""
    if state.features is None or any(not {f.value, f"-{f.value}"} & set(state.features) for f in Feature):
        return None
    return frozenset(feature for feature in Feature if feature.value in state.features)


def _pinned(features: frozenset[Feature], topology: Topology, movable: Movable) -> tuple[str, ...]:
    """Returns the cgroups that reclaim's own demotion would move against their cpusets: it heeds them since 6.16."""
    slow = frozenset(nid for tier in topology.tiers[1:] for nid in tier.nids)
    return () if Feature.CPUSET_DEMOTION in features else movable.confined(slow)
