"""What this node's kdamonds should be: settings and topology compiled to trees. Pure.

Before: `topology`, `features`, and the intervals that running kdamonds have been tuned to. After: `plan`.

One kdamond per source nid, whatever the number of targets; a nid of a middle tier has a promotion and a demotion
scheme in it (design.md section 4, kernel.md 5.5 and 11).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from terrace_agent.damon import cadence, limits
from terrace_agent.damon.cadence import CurrentIntervals
from terrace_agent.damon.describe import effective, notes, words
from terrace_agent.damon.easing import eased, region_halvings
from terrace_agent.damon.features import Feature
from terrace_agent.damon.pairs import Pair, pairs_of
from terrace_agent.damon.regions import check, monitored, nr_regions
from terrace_agent.damon.schemes import Flow, held, schemes
from terrace_agent.damon.tree import (
    Context,
    Kdamond,
    MonitoringAttrs,
    Operations,
    Target,
)
from terrace_agent.topology.values import Nid, Topology
from terrace_api.node_tiering import Effective
from terrace_api.policy import Settings

_REFRESH_MS = 1_000
_PAGE_BYTES = 4_096
_NOWHERE: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredKdamond:
    """One kdamond as it should be."""

    source_nid: int
    flows: tuple[Flow, ...]
    tree: Kdamond


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """Everything that should run.

    Attributes:
        kdamonds: by source nid; empty on a node with a single tier.
        made_from: digest of the settings: as long as it is the same, small drifts of computed values are let be.
        moves: whether any of it moves memory; False only watches.
    """

    kdamonds: tuple[DesiredKdamond, ...]
    effective: Effective | None
    words: tuple[str, ...]
    made_from: str
    moves: bool = True


def desired(
    settings: Settings,
    topology: Topology,
    features: frozenset[Feature],
    current: Mapping[int, CurrentIntervals],
    *,
    numa_balancing: int | None = None,
    demotes_to: Mapping[int, int] = _NOWHERE,
    cools_down: bool = False,
    easing: int = 0,
) -> Desired:
    """Returns what should run.

    `current` is what running kdamonds have been tuned to, by source nid, `demotes_to` their demotion targets;
    `numa_balancing` the sysctl's bits, for a note. While it `cools_down`, monitoring goes on and next to nothing moves.
    With `easing` monitoring costs less.

    Raises:
        SettingsRejected: the tiers or the ranges cannot be meant for this node.
    """
    settings = eased(settings, easing)
    flows = tuple(_flows(settings, topology, features, current, demotes_to))
    flows = tuple(map(held, flows)) if cools_down else flows
    sources = sorted({flow.pair.source.nid for flow in flows})
    check(map(topology.nid, sources), settings.monitoring.ranges)
    kdamonds = tuple(
        _kdamond(
            settings,
            tuple(flow for flow in flows if flow.pair.source.nid == nid),
            features,
            kdamonds=len(sources),
            easing=easing,
        )
        for nid in sources
    )
    return Desired(
        kdamonds=kdamonds,
        effective=effective(settings, flows, current, notes(settings, flows, features, numa_balancing))
        if flows
        else None,
        words=words(flows),
        made_from=hashlib.sha256(repr(settings).encode()).hexdigest()[:16],
    )


def _flows(
    settings: Settings,
    topology: Topology,
    features: frozenset[Feature],
    current: Mapping[int, CurrentIntervals],
    demotes_to: Mapping[int, int],
) -> Iterator[Flow]:
    enabled = {True: settings.promotion.enabled, False: settings.demotion.enabled}
    apply_us, apply_cut = cadence.safe_apply_interval_us(settings, can_tune=Feature.INTERVALS_GOAL in features)
    windows_bytes = sum(limits.window(settings, nid, apply_us).bytes for nid in topology.nids)
    pairs = pairs_of(topology, demotes_to, arriving_bytes=windows_bytes)
    for pair in pairs:
        if enabled[pair.promotes]:
            fast, slow = (pair.target, pair.source) if pair.promotes else (pair.source, pair.target)
            window = limits.window(settings, fast, apply_us)
            sharers = limits.sources_into(pairs, fast, promotes=True) if pair.promotes else 1
            yield Flow(
                pair=pair,
                window=window,
                quota_bytes=max(_PAGE_BYTES, window.bytes // sharers),
                stops=limits.stops(settings, fast, window, same_memory_tier=_same_memory_tier(pair)),
                slow_used_bp=limits.target_used_bp(settings, slow, _arriving_bytes(settings, pairs, slow, apply_us)),
                min_age=cadence.age_count(
                    _age_us(settings, pair, current), _current(settings, current, pair.source).aggr_us
                ),
                apply_interval_us=apply_us,
                apply_interval_cut=apply_cut,
                same_memory_tier=_same_memory_tier(pair),
            )


def _kdamond(
    settings: Settings, flows: tuple[Flow, ...], features: frozenset[Feature], *, kdamonds: int, easing: int
) -> DesiredKdamond:
    source = flows[0].pair.source
    regions = monitored(source, settings.monitoring.ranges)
    # What moves comes first: a commit that only adds or drops what helps keeps the schemes that move, and their stats.
    made = [schemes(settings, flow, features) for flow in flows]
    context = Context(
        operations=Operations.PADDR,
        monitoring_attrs=MonitoringAttrs(
            intervals=cadence.intervals(settings.monitoring, can_tune=Feature.INTERVALS_GOAL in features),
            nr_regions=nr_regions(settings.monitoring.regions, regions, region_halvings(easing)),
        ),
        targets=(Target(regions=regions),),
        schemes=tuple(found[0] for found in made) + tuple(scheme for found in made for scheme in found[1:]),
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


def _age_us(settings: Settings, pair: Pair, current: Mapping[int, CurrentIntervals]) -> int:
    if pair.promotes:
        return settings.promotion.min_age.us
    return cadence.demotion_age_us(settings, _current(settings, current, pair.target))


def _current(settings: Settings, current: Mapping[int, CurrentIntervals], nid: Nid) -> CurrentIntervals:
    return current.get(nid.nid) or cadence.start(settings.monitoring)


def _same_memory_tier(pair: Pair) -> bool:
    return pair.source.memory_tier is not None and pair.source.memory_tier == pair.target.memory_tier


def _arriving_bytes(settings: Settings, pairs: tuple[Pair, ...], slow: Nid, apply_us: int) -> int:
    demoters = (pair.source for pair in pairs if not pair.promotes and pair.target.nid == slow.nid)
    return sum(limits.window(settings, fast, apply_us).bytes for fast in demoters)
