"""What this node's kdamonds should be: settings and topology compiled to trees. Pure.

Before: `topology`, `features`, and the intervals that running kdamonds have been tuned to. After: `plan`.

One kdamond per source nid, whatever the number of targets; a nid of a middle tier has a promotion and a demotion
scheme in it (design.md section 4, kernel.md 5.5 and 11).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from terrace_agent.damon import cadence, control, limits, validate
from terrace_agent.damon.cadence import CurrentIntervals
from terrace_agent.damon.control import Direction, Grant
from terrace_agent.damon.describe import effective, notes, words
from terrace_agent.damon.features import Feature
from terrace_agent.damon.pairs import Pair, pairs_of
from terrace_agent.damon.schemes import Flow, schemes
from terrace_agent.damon.tree import (
    Context,
    Kdamond,
    MonitoringAttrs,
    Operations,
    Range,
    Region,
    Target,
)
from terrace_agent.damon.ways import quota_control
from terrace_agent.topology.values import Nid, Topology
from terrace_api.node_tiering import Effective, QuotaControl
from terrace_api.policy import Regions, Settings

_REFRESH_MS = 1_000
_BYTES_PER_REGION = 256 << 20
_LEAST_BYTES_PER_REGION = 4 << 20
_FEWEST_REGIONS, _MOST_FEWEST_REGIONS, _ENOUGH_REGIONS = 100, 2_000, 1_000
_FIRST_BYTE = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredKdamond:
    """One kdamond as it should be."""

    source_nid: int
    flows: tuple[Flow, ...]
    tree: Kdamond

    @property
    def directions(self) -> tuple[tuple[bool, int], ...]:
        """Whether it promotes, and the target nid, of each direction."""
        return tuple((flow.pair.promotes, flow.pair.target.nid) for flow in self.flows)

    @property
    def renewed(self) -> bool:
        """Whether its schemes have to begin anew, even if nothing of the tree differs."""
        return any(flow.allowance is not None and flow.allowance.renewed for flow in self.flows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """Everything that should run.

    Attributes:
        kdamonds: by source nid; empty on a node with a single tier.
        made_from: digest of the settings: as long as it is the same, small drifts of computed values are let be.
        turn_s: how soon the agent must look again, where it hands out allowances; None where the kernel steers.
        reclaim_demotes: whether the kernel's own demotion may be on.
    """

    kdamonds: tuple[DesiredKdamond, ...]
    effective: Effective | None
    words: tuple[str, ...]
    made_from: str
    turn_s: float | None = None
    reclaim_demotes: bool = True


def desired(
    settings: Settings,
    topology: Topology,
    features: frozenset[Feature],
    current: Mapping[int, CurrentIntervals],
    *,
    numa_balancing: int | None = None,
    grants: Mapping[Direction, Grant] | None = None,
    pinned: tuple[str, ...] = (),
) -> Desired:
    """Returns what should run.

    `current` is what running kdamonds have been tuned to, by source nid; `numa_balancing` the sysctl's bits, for a
    note; `grants` what running schemes were allowed, where the agent steers; `pinned` the pods that reclaim's own
    demotion would move against their cpusets.

    Raises:
        SettingsRejected: the tiers cannot be meant for this node, or no kernel would take what they come to.
    """
    flows = tuple(_flows(settings, topology, features, current, pinned=bool(pinned)))
    steered = quota_control(features) is QuotaControl.AGENT_LOOP
    if steered:
        flows = control.granted(flows, grants or {})
    sources = sorted({flow.pair.source.nid for flow in flows})
    kdamonds = tuple(
        _kdamond(
            settings, topology.nid(nid), tuple(f for f in flows if f.pair.source.nid == nid), features, len(sources)
        )
        for nid in sources
    )
    validate.check((kdamond.tree for kdamond in kdamonds), frozenset(nid.nid for nid in topology.nids))
    return Desired(
        kdamonds=kdamonds,
        effective=effective(
            settings, flows, current, quota_control(features), notes(settings, flows, features, numa_balancing, pinned)
        )
        if flows
        else None,
        words=words(flows),
        made_from=hashlib.sha256(repr(settings).encode()).hexdigest()[:16],
        turn_s=control.turn_s(flows, _slowest_aggr_us(settings, flows, current)) if steered else None,
        reclaim_demotes=not pinned,
    )


def _flows(
    settings: Settings,
    topology: Topology,
    features: frozenset[Feature],
    current: Mapping[int, CurrentIntervals],
    *,
    pinned: bool,
) -> Iterator[Flow]:
    pairs = pairs_of(topology)
    enabled = {True: settings.promotion.enabled, False: settings.demotion.enabled}
    apply_us, apply_cut = cadence.safe_apply_interval_us(settings, can_tune=Feature.INTERVALS_GOAL in features)
    for pair in pairs:
        if enabled[pair.promotes]:
            fast, slow = (pair.target, pair.source) if pair.promotes else (pair.source, pair.target)
            window = limits.window(settings, fast, apply_us, _turn_ms(features))
            sharers = limits.sources_into(pairs, fast, promotes=True) if pair.promotes else 1
            yield Flow(
                pair=pair,
                window=window,
                quota_bytes=max(_FIRST_BYTE, window.bytes // sharers),
                stops=limits.stops(settings, fast, window, has_safety_net=not (pinned or _same_memory_tier(pair))),
                slow_used_bp=limits.target_used_bp(
                    slow, _arriving_bytes(settings, pairs, slow, apply_us, _turn_ms(features))
                ),
                min_age=cadence.age_count(
                    _age_us(settings, pair, current), _current(settings, current, pair.source).aggr_us
                ),
                apply_interval_us=apply_us,
                apply_interval_cut=apply_cut,
                same_memory_tier=_same_memory_tier(pair),
                pinned=pinned,
            )


def _kdamond(
    settings: Settings, source: Nid, flows: tuple[Flow, ...], features: frozenset[Feature], kdamonds: int
) -> DesiredKdamond:
    context = Context(
        operations=Operations.PADDR,
        monitoring_attrs=MonitoringAttrs(
            intervals=cadence.intervals(settings.monitoring, can_tune=Feature.INTERVALS_GOAL in features),
            nr_regions=_nr_regions(settings.monitoring.regions, source),
        ),
        targets=(Target(regions=_regions(source)),),
        schemes=schemes(settings, flows, features),
    )
    return DesiredKdamond(
        source_nid=source.nid,
        flows=flows,
        tree=Kdamond(
            refresh_ms=_refresh_ms(settings, kdamonds) if Feature.REFRESH in features else None, contexts=(context,)
        ),
    )


def _refresh_ms(settings: Settings, kdamonds: int) -> int:
    """Returns how often the kernel refreshes stats and intervals files by itself; 0 leaves it to commands.

    Before 7.3 one timer serves all kdamonds and the fastest starves the others (kernel.md fact 31), so with more than
    one `verify` asks by command. Where watermarks may put schemes to sleep, commands wait for their interval and block
    everybody's (4.1): late files are better then.
    """
    return _REFRESH_MS if kdamonds == 1 or settings.watermarks else 0


def _regions(source: Nid) -> tuple[Region, ...]:
    return tuple(
        Region(start=max(_FIRST_BYTE, block.start), end=block.end) for block in source.ranges if block.end > _FIRST_BYTE
    )


def _nr_regions(wish: Regions | None, source: Nid) -> Range:
    """Returns the policy's bounds, or those of kernel.md fact 34.

    Up to 7.2 regions stop splitting at half of the maximum (kernel.md 2.3), hence twice the need. Each region costs an
    rmap walk per sample, so a small nid gets no more than one per 4 MiB.
    """
    if wish:
        return Range(min=wish.min, max=wish.max)
    span = sum(block.size for block in source.ranges)
    fewest = max(_FEWEST_REGIONS, min(span // _BYTES_PER_REGION, _MOST_FEWEST_REGIONS))
    return Range(min=fewest, max=max(2 * fewest, min(_ENOUGH_REGIONS, span // _LEAST_BYTES_PER_REGION)))


def _age_us(settings: Settings, pair: Pair, current: Mapping[int, CurrentIntervals]) -> int:
    if pair.promotes:
        return settings.promotion.min_age.us
    return cadence.demotion_age_us(settings, _current(settings, current, pair.target))


def _current(settings: Settings, current: Mapping[int, CurrentIntervals], nid: Nid) -> CurrentIntervals:
    return current.get(nid.nid) or cadence.start(settings.monitoring)


def _same_memory_tier(pair: Pair) -> bool:
    return pair.source.memory_tier is not None and pair.source.memory_tier == pair.target.memory_tier


def _arriving_bytes(settings: Settings, pairs: tuple[Pair, ...], slow: Nid, apply_us: int, turn_ms: int) -> int:
    demoters = (pair.source for pair in pairs if not pair.promotes and pair.target.nid == slow.nid)
    return sum(limits.window(settings, fast, apply_us, turn_ms).bytes for fast in demoters)


def _turn_ms(features: frozenset[Feature]) -> int:
    return control.TURN_MS if quota_control(features) is QuotaControl.AGENT_LOOP else 0


def _slowest_aggr_us(settings: Settings, flows: tuple[Flow, ...], current: Mapping[int, CurrentIntervals]) -> int:
    renewed = (flow for flow in flows if flow.allowance and flow.allowance.renewed)
    return max((_current(settings, current, flow.pair.source).aggr_us for flow in renewed), default=0)
