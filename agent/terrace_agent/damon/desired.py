"""What this node's kdamonds should be: settings and topology compiled to trees. Pure.

Before: `topology`, `features`, `seen`. After: `plan`.

One kdamond per source nid, whatever the number of targets; a nid of a middle tier has a promotion and a demotion
scheme in it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon import apart, cadence, control, validate
from terrace_agent.damon.cadence import CurrentIntervals
from terrace_agent.damon.describe import effective, notes, words
from terrace_agent.damon.easing import eased, region_halvings
from terrace_agent.damon.features import Feature
from terrace_agent.damon.flow import Flow, Phase, held
from terrace_agent.damon.lenience import is_lenient
from terrace_agent.damon.passing import is_uniform
from terrace_agent.damon.pod_schemes import pod_schemes
from terrace_agent.damon.regions import check, monitored, nr_regions
from terrace_agent.damon.schemes import schemes
from terrace_agent.damon.scope import too_many
from terrace_agent.damon.seen import NOTHING_SEEN, Seen
from terrace_agent.damon.tree import (
    Context,
    Kdamond,
    MonitoringAttrs,
    Operations,
    Target,
)
from terrace_agent.damon.ways import can_limit, quota_control
from terrace_agent.flows import fullness, limits, relief
from terrace_agent.flows.limits import BP, Window
from terrace_agent.flows.pairs import Pair, pairs_of
from terrace_agent.topology.values import Nid, Topology
from terrace_agent.workloads.problem import Problem
from terrace_agent.workloads.values import Selection
from terrace_api.node_tiering import Effective, QuotaControl
from terrace_api.policy import Settings

_REFRESH_MS = 1_000
_PAGE_BYTES = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredKdamond:
    """One kdamond as it should be.

    Attributes:
        moves: whether it moves memory; False only watches.
        general: how many schemes are not of single pods; those come behind.
    """

    source_nid: int
    flows: tuple[Flow, ...]
    tree: Kdamond
    moves: bool = True
    general: int = 0

    @property
    def directions(self) -> tuple[tuple[bool, int], ...]:
        """Whether it promotes, and the target nid, of each direction; none where it only watches."""
        return tuple((flow.pair.promotes, flow.pair.target.nid) for flow in self.flows if self.moves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """Everything that should run.

    Attributes:
        kdamonds: by source nid; empty on a node with a single tier.
        made_from: digest of the settings: as long as it is the same, small drifts of computed values are let be.
        turn_s: how soon the agent must look again, where it hands out allowances; None where the kernel steers.
        reclaim_demotes: whether the kernel's own demotion may be on.
        problem: see `Plan.problem`.
    """

    kdamonds: tuple[DesiredKdamond, ...]
    effective: Effective | None
    words: tuple[str, ...]
    made_from: str
    turn_s: float | None = None
    reclaim_demotes: bool = True
    problem: Problem | None = None

    @property
    def primed(self) -> frozenset[int]:
        """The source nids that wait for the kernel to take an amount over."""
        return frozenset(
            kdamond.source_nid
            for kdamond in self.kdamonds
            for flow in kdamond.flows
            if flow.allowance and flow.allowance.phase is Phase.PRIMED
        )

    @property
    def moves(self) -> bool:
        """Whether any of it moves memory; False only watches."""
        return any(kdamond.moves for kdamond in self.kdamonds)


def desired(settings: Settings, topology: Topology, features: frozenset[Feature], seen: Seen = NOTHING_SEEN) -> Desired:
    """Returns what should run.

    Raises:
        SettingsRejected: the tiers or the ranges cannot be meant for this node, or no kernel would take what they come
            to.
    """
    settings = eased(settings, seen.easing, can_tune=Feature.INTERVALS_GOAL in features)
    steered = quota_control(features) is QuotaControl.AGENT_LOOP
    flows = tuple(
        _scoped(flow, seen, _limited_nids(topology, features)) for flow in _flows(settings, topology, features, seen)
    )
    flows = _steered(flows, seen) if steered else _left_to_goals(flows, seen)
    sources = sorted({flow.pair.source.nid for flow in flows})
    check(map(topology.nid, sources), settings.monitoring.ranges)
    kdamonds = tuple(
        _kdamond(
            settings,
            tuple(flow for flow in flows if flow.pair.source.nid == nid),
            features,
            kdamonds=len(sources),
            easing=seen.easing,
        )
        for nid in sources
    )
    validate.check((kdamond.tree for kdamond in kdamonds), frozenset(nid.nid for nid in topology.nids))
    return Desired(
        kdamonds=kdamonds,
        effective=effective(
            settings, flows, seen.current, quota_control(features), notes(settings, flows, features, seen)
        )
        if flows
        else None,
        words=words(flows),
        made_from=hashlib.sha256(repr(settings).encode()).hexdigest()[:16],
        turn_s=control.turn_s(flows, seen.grants, _slowest_aggr_us(settings, flows, seen.current)) if steered else None,
        reclaim_demotes=not (seen.pinned or relief.nids_of(topology)),
        problem=too_many((_held_to(flow, seen) for flow in flows), features),
    )


def _scoped(flow: Flow, seen: Seen, limited_nids: tuple[int, ...]) -> Flow:
    fast = flow.pair.target if flow.pair.promotes else flow.pair.source
    pods = seen.movable.limited if fast.nid in limited_nids else ()
    parts = max(1, len(limited_nids))
    found = apart.apart(flow.pair, pods, flow.window, parts=parts)
    unpromoted = apart.unpromoted(flow.pair, pods, parts=parts)
    selection = seen.movable.towards(flow.pair.target.nid, (*apart.left_out(found), *unpromoted))
    uniform = selection is not None and is_uniform(seen.passing, flow.pair.source.nid, promotes=flow.pair.promotes)
    # The verdict is one about all pods: of those that are demoted apart nothing is known.
    lenient = not (flow.pair.promotes or found) and is_lenient(seen.tries, flow.pair.source.nid)
    return replace(flow, selection=selection, uniform=uniform, lenient=lenient, apart=found, unpromoted=unpromoted)


def _held_to(flow: Flow, seen: Seen) -> Selection | None:
    """Returns what of all pods may move; None where a list is made only to leave out those that are moved apart."""
    return flow.selection if seen.movable.towards(flow.pair.target.nid) else None


def _limited_nids(topology: Topology, features: frozenset[Feature]) -> tuple[int, ...]:
    """Returns the nids on which pods have bounds: those of the fastest tier, where the kernel can keep them."""
    return topology.tiers[0].nids if topology.tiers and can_limit(features) else ()


def _left_to_goals(flows: tuple[Flow, ...], seen: Seen) -> tuple[Flow, ...]:
    return tuple(map(held, flows)) if seen.cools_down else flows


def _steered(flows: tuple[Flow, ...], seen: Seen) -> tuple[Flow, ...]:
    """Returns the flows with their allowances; under pressure there are none, since no goal ends them then."""
    if seen.cools_down or seen.under_pressure:
        return control.withdrawn(tuple(map(held, flows)), seen.grants)
    return control.granted(flows, seen.grants)


def _flows(settings: Settings, topology: Topology, features: frozenset[Feature], seen: Seen) -> Iterator[Flow]:
    current, pinned, least_ms = seen.current, bool(seen.pinned), _least_window_ms(settings, features)
    apply_us, apply_cut = cadence.safe_apply_interval_us(settings, can_tune=Feature.INTERVALS_GOAL in features)
    windows = {nid.nid: limits.window(settings, nid, apply_us, least_ms) for nid in topology.nids}
    pairs = _enabled_pairs(settings, topology, windows, seen)
    full_at_bp = fullness.full_at_bp(settings, pairs, windows)
    for pair in pairs:
        fast, slow = (pair.target, pair.source) if pair.promotes else (pair.source, pair.target)
        window, same_memory_tier = windows[fast.nid], _same_memory_tier(pair)
        sharers = limits.sources_into(pairs, fast, promotes=True) if pair.promotes else 1
        yield Flow(
            pair=pair,
            window=window,
            quota_bytes=max(_PAGE_BYTES, window.bytes // sharers),
            rate_bytes=max(_PAGE_BYTES, window.asked_bytes // sharers),
            stops=limits.stops(
                settings,
                fast,
                window,
                has_safety_net=not (pinned or same_memory_tier),
                least_free_bp=fullness.kept_bp(full_at_bp, fast),
            ),
            slow_used_bp=full_at_bp.get(slow.nid, BP),
            min_age=cadence.age_count(
                _age_us(settings, pair, current), _current(settings, current, pair.source).aggr_us
            ),
            apply_interval_us=apply_us,
            apply_interval_cut=apply_cut,
            same_memory_tier=same_memory_tier,
            pinned=pinned,
        )


def _enabled_pairs(
    settings: Settings, topology: Topology, windows: Mapping[int, Window], seen: Seen
) -> tuple[Pair, ...]:
    """Returns the directions that the policy wants; which target is full does not depend on who demotes to it now."""
    least_free_bytes = fullness.least_free_bytes(settings, topology.nids, windows)
    enabled = {True: settings.promotion.enabled, False: settings.demotion.enabled}
    pairs = pairs_of(topology, seen.demotes_to, least_free_bytes=least_free_bytes)
    return tuple(pair for pair in pairs if enabled[pair.promotes])


def _kdamond(
    settings: Settings, flows: tuple[Flow, ...], features: frozenset[Feature], *, kdamonds: int, easing: int
) -> DesiredKdamond:
    source = flows[0].pair.source
    regions = monitored(source, settings.monitoring.ranges)
    general = schemes(settings, flows, features)
    context = Context(
        operations=Operations.PADDR,
        monitoring_attrs=MonitoringAttrs(
            intervals=cadence.intervals(settings.monitoring, can_tune=Feature.INTERVALS_GOAL in features),
            nr_regions=nr_regions(settings.monitoring.regions, regions, region_halvings(easing)),
        ),
        targets=(Target(regions=regions),),
        schemes=(*general, *pod_schemes(settings, flows, features)),
    )
    return DesiredKdamond(
        source_nid=source.nid,
        flows=flows,
        general=len(general),
        tree=Kdamond(
            refresh_ms=_refresh_ms(settings, kdamonds) if Feature.REFRESH in features else None, contexts=(context,)
        ),
    )


def _refresh_ms(settings: Settings, kdamonds: int) -> int:
    """Returns how often the kernel refreshes stats and intervals files by itself; 0 leaves it to commands.

    Before 7.3 one timer serves all kdamonds and the fastest starves the others (kernel fact 31), so with more than
    one `verify` asks by command. Where watermarks may put schemes to sleep, commands wait for their interval and block
    everybody's (4.1): late files are better then.
    """
    return _REFRESH_MS if kdamonds == 1 or settings.watermarks else 0


def _age_us(settings: Settings, pair: Pair, current: Mapping[int, CurrentIntervals]) -> int:
    if pair.promotes:
        return settings.promotion.min_age.us
    return cadence.demotion_age_us(settings, _current(settings, current, pair.target))


def _current(settings: Settings, current: Mapping[int, CurrentIntervals], nid: Nid) -> CurrentIntervals:
    return current.get(nid.nid) or cadence.start(settings.monitoring)


def _same_memory_tier(pair: Pair) -> bool:
    return pair.source.memory_tier is not None and pair.source.memory_tier == pair.target.memory_tier


def _least_window_ms(settings: Settings, features: frozenset[Feature]) -> int:
    if quota_control(features) is QuotaControl.AGENT_LOOP:
        return control.TURN_MS
    return cadence.longest_sample_ms(settings, can_tune=Feature.INTERVALS_GOAL in features)


def _slowest_aggr_us(settings: Settings, flows: tuple[Flow, ...], current: Mapping[int, CurrentIntervals]) -> int:
    opened = (flow for flow in flows if flow.allowance and flow.allowance.phase is Phase.OPENED)
    return max((_current(settings, current, flow.pair.source).aggr_us for flow in opened), default=0)
