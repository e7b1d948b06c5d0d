"""The damon engine: joins the pure parts and the files behind `terrace_agent.engine.Engine`."""

import errno
from collections.abc import Mapping
from dataclasses import replace

from terrace_agent.damon import desired as compile_
from terrace_agent.damon import plan as planning
from terrace_agent.damon import verify
from terrace_agent.damon.apply import Applier
from terrace_agent.damon.cadence import CurrentIntervals, is_tuning
from terrace_agent.damon.features import Feature, missing
from terrace_agent.damon.grants import grants
from terrace_agent.damon.look import looks_at, read_oracle
from terrace_agent.damon.ownership import owner_of
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.pinned import read_pinned
from terrace_agent.damon.probe import Prober, missing_interface, scratch_stores
from terrace_agent.damon.read import ObservedKdamond, TreeReader
from terrace_agent.damon.stores import state_path
from terrace_agent.damon.surroundings import Observed, observe
from terrace_agent.damon.verify import Look
from terrace_agent.damon.ways import quota_control
from terrace_agent.engine import Claim, Disclaim, Moved, Plan
from terrace_agent.errors import EngineUnavailable, StoreRefused
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Journal, JournalState
from terrace_agent.topology.values import Topology
from terrace_api.node_tiering import EngineCapability, EngineName, QuotaControl
from terrace_api.policy import Settings

_QUIET_ERRNOS = {errno.EBUSY, errno.ECANCELED}


class DamonEngine:
    """See `terrace_agent.engine.Engine`."""

    def __init__(self, fs: HostFs, journal: Journal, patience: Patience | None = None) -> None:
        self._fs = fs
        self._journal = journal
        self._patience = patience or Patience()
        self._reader = TreeReader(fs, self._patience)
        self._applier = Applier(fs, self._reader, journal, self._patience, self._bank)
        self._intervals: Mapping[int, CurrentIntervals] = {}
        self._quiet_looks = 0

    @property
    def name(self) -> EngineName:
        """See `Engine.name`."""
        return EngineName.DAMON

    def probe(self) -> EngineCapability:
        """See `Engine.probe`."""
        try:
            if not self._runs_alone():
                self._features(self._checked())
        except EngineUnavailable as error:
            return EngineCapability(name=self.name, available=False, reason=error.reason, message=error.message)
        return EngineCapability(
            name=self.name, available=True, reason="Available", message="DAMON can migrate pages between nids."
        )

    def plan(self, settings: Settings, topology: Topology) -> Plan:
        """See `Engine.plan`; the first time on a boot it probes, as `probe` does.

        Where the agent steers the quotas, it asks the kernel for fresh counters.
        """
        looks = self._fresh_looks()
        observed = self._checked()
        features = self._features(observed)
        state = self._journal.load()
        current = _current(observed.kdamonds, state)
        wanted = compile_.desired(
            settings,
            topology,
            features,
            current,
            numa_balancing=observed.numa_balancing,
            grants=grants(observed.kdamonds, state.owned, looks),
            pinned=self._pinned(features, topology),
        )
        self._quiet_looks = 0 if is_tuning(self._intervals, current) else self._quiet_looks + 1
        self._intervals = current
        return planning.plan(observed, wanted, state, quiet_looks=self._quiet_looks)

    def plan_stop(self) -> Plan:
        """See `Engine.plan_stop`."""
        return planning.plan_stop(observe(self._fs, self._reader), self._journal.load())

    def apply(self, plan: Plan) -> None:
        """See `Engine.apply`."""
        self._applier.apply(plan)

    def verify(self) -> Moved:
        """See `Engine.verify`."""
        looks = self._count()
        state = self._journal.load()
        promoted, demoted = verify.totals(state)
        off = [claim.index for claim in state.owned if claim.in_force and not self._reader.runs(claim)]
        return Moved(
            kdamonds=verify.describe(state, looks, self._pids(state)),
            promoted_bytes=promoted,
            demoted_bytes=demoted,
            notes=tuple(f"kdamond {index} is off though it should run" for index in off),
        )

    def _runs_alone(self) -> bool:
        """Returns whether every kdamond of the tree is one that we started: then everything else has been checked."""
        pids = [claim.pid for claim in self._journal.load().owned if claim.in_force]
        return bool(pids) and pids == [self._reader.pid(index) for index in range(self._reader.count())]

    def _fresh_looks(self) -> tuple[Look, ...]:
        """Returns our running schemes with counters and intervals as of now, where the agent needs them to steer."""
        features = _journaled(self._journal.load())
        steers = features is None or quota_control(features) is QuotaControl.AGENT_LOOP
        return self._count(at_once=True) if steers else ()

    def _pinned(self, features: frozenset[Feature], topology: Topology) -> tuple[str, ...]:
        slow = frozenset(nid for tier in topology.tiers[1:] for nid in tier.nids)
        return () if Feature.CPUSET_DEMOTION in features else read_pinned(self._fs, slow)

    def _checked(self) -> Observed:
        """Returns what is there, after checking that DAMON is and that nobody else uses it.

        Raises:
            EngineUnavailable: says why not.
        """
        if why := missing_interface(self._fs):
            raise EngineUnavailable(reason=why.reason, message=why.message)
        observed = observe(self._fs, self._reader)
        planning.check_alone(observed, self._journal.load().owned)
        return observed

    def _features(self, observed: Observed) -> frozenset[Feature]:
        features = _journaled(self._journal.load())
        if features is None:
            features = self._probe_features(observed)
        if why := missing(features):
            raise EngineUnavailable(reason=why.reason, message=why.message)
        return features

    def _probe_features(self, observed: Observed) -> frozenset[Feature]:
        prober = Prober(self._fs, self._patience)
        if any(kdamond.on for kdamond in observed.kdamonds):
            return prober.look()
        self.apply(Plan(steps=(_SCRATCH_CLAIM,), reason="probe"))
        features = prober.stage()
        self.apply(Plan(steps=(Disclaim(),), reason="probed"))
        words = tuple(feature.value if feature in features else f"-{feature.value}" for feature in Feature)
        self._journal.save(replace(self._journal.load(), features=words))
        return features

    def _bank(self) -> None:
        self._count(at_once=True)

    def _count(self, *, at_once: bool = False) -> tuple[Look, ...]:
        """Returns our running schemes with fresh counters, after journaling what has arrived.

        With `at_once` they are fresh to the moment, not only to the kernel's last refresh.
        """
        if not self._reader.exists():
            return ()
        before = self._journal.load()
        is_fresh = self._refresh(before, at_once=at_once)
        looks = tuple(look for claim in before.owned for look in looks_at(self._reader, before, claim.index))
        if is_fresh:
            oracle = read_oracle(self._fs, before.features or ())
            after = verify.advance(before, looks, oracle, self._pids(before))
            if after != before:
                self._journal.save(after)
        return looks

    def _pids(self, state: JournalState) -> frozenset[int]:
        return frozenset(claim.pid for claim in state.owned if claim.pid and self._reader.runs(claim))

    def _refresh(self, state: JournalState, *, at_once: bool) -> bool:
        """Asks the kernel to bring the files up to date; returns whether they are, for all kdamonds of ours."""
        running = [claim.index for claim in state.owned if self._reader.runs(claim)]
        stale = [index for index in running if at_once or not self._reader.refreshes_itself(index)]
        tuned = [index for index in stale if self._reader.tunes_intervals(index)]
        return all(self._ask(index, "update_schemes_stats") for index in stale) and all(
            self._ask(index, "update_tuned_intervals") for index in tuned
        )

    def _ask(self, index: int, word: str) -> bool:
        # Somebody's long command, a kdamond that has just ended: the files stay as they are, the next look asks again.
        try:
            self._patience.store(self._fs, state_path(index), word)
        except StoreRefused as error:
            if error.errno not in _QUIET_ERRNOS:
                raise
            return False
        return True


_SCRATCH_CLAIM = Claim(index=0, source_nid=None, files=scratch_stores(), made_from="probe")


def _journaled(state: JournalState) -> frozenset[Feature] | None:
    """Returns the features as probed in this boot; None if any was not asked for then."""
    if state.features is None or any(not {f.value, f"-{f.value}"} & set(state.features) for f in Feature):
        return None
    return frozenset(feature for feature in Feature if feature.value in state.features)


def _current(kdamonds: tuple[ObservedKdamond, ...], state: JournalState) -> Mapping[int, CurrentIntervals]:
    found: dict[int, CurrentIntervals] = {}
    for kdamond in kdamonds:
        claim = owner_of(kdamond, state.owned)
        if claim and claim.source_nid is not None and kdamond.on and kdamond.tree and kdamond.tree.contexts:
            intervals = kdamond.tree.contexts[0].monitoring_attrs.intervals
            if intervals.sample_us and intervals.aggr_us:
                found[claim.source_nid] = CurrentIntervals(sample_us=intervals.sample_us, aggr_us=intervals.aggr_us)
    return found
