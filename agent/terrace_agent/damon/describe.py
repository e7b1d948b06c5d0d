"""The numbers behind the trees, for `NodeTiering.status` and for people. Pure."""

from collections.abc import Iterator, Mapping

from terrace_agent.damon import page_cache, ways
from terrace_agent.damon.apart import Apart, step_bytes
from terrace_agent.damon.cadence import CurrentIntervals, start
from terrace_agent.damon.features import Feature
from terrace_agent.damon.flow import Flow
from terrace_agent.damon.scope import REJECTS_ONLY
from terrace_agent.damon.seen import Seen
from terrace_agent.flows import balancing
from terrace_agent.flows.limits import BP, Stops, share_bp, share_bytes
from terrace_agent.flows.relief import words as reliefs
from terrace_agent.topology.values import Nid
from terrace_api.node_tiering import Effective, QuotaControl
from terrace_api.policy import Settings
from terrace_api.units import Duration, Percent, display_bytes

_NAMED_CGROUPS = 3


def effective(
    settings: Settings,
    flows: tuple[Flow, ...],
    current: Mapping[int, CurrentIntervals],
    control: QuotaControl,
    remarks: tuple[str, ...],
) -> Effective:
    """Returns what was computed; with several fast nids the one that is bounded most, and the slowest intervals."""
    tightest = max(flows, key=lambda flow: flow.stops.promotion_free_bp)
    slowest = max(
        (current.get(flow.pair.source.nid) or start(settings.monitoring) for flow in flows if flow.pair.promotes),
        default=start(settings.monitoring),
        key=lambda intervals: intervals.aggr_us,
    )
    return Effective(
        fast_used_target=str(Percent(tightest.stops.promotion_used_bp)),
        fast_free_target=str(Percent(tightest.stops.demotion_free_bp)),
        fast_floor_bytes=tightest.stops.floor_bytes,
        quota_bytes_per_second=_per_second(tightest, tightest.window.bytes, tightest.window.asked_bytes),
        apply_interval=str(Duration(tightest.apply_interval_us)),
        sample_interval=str(Duration(slowest.sample_us)),
        aggregation_interval=str(Duration(slowest.aggr_us)),
        quota_control=control,
        notes=remarks,
    )


def words(flows: tuple[Flow, ...]) -> tuple[str, ...]:
    """Returns one line per source and direction, and one per pod that is moved apart there."""
    return tuple(line for flow in flows for line in (_sentence(flow), *_of_pods(flow)))


def notes(settings: Settings, flows: tuple[Flow, ...], features: frozenset[Feature], seen: Seen) -> tuple[str, ...]:
    """Returns where a wish was bounded, and what else moves memory here; each once."""
    found = [
        *_bounds(settings, flows),
        *ways.remarks(features),
        *_pressure(settings, features),
        *balancing.words(seen.numa_balancing),
        *_uncounted(seen.numa_stat, features),
        *_pinned(seen.pinned, doubled=not any(flow.stops.relieved for flow in flows)),
        *(line for flow in flows for line in reliefs((flow.pair.source, flow.pair.target))),
    ]
    if settings.monitoring.auto_tune.enabled and Feature.INTERVALS_GOAL not in features:
        found.append("monitoring.autoTune: this kernel cannot tune intervals (no intervals_goal); they stay fixed")
    wish = settings.demotion.page_cache
    if settings.demotion.enabled and page_cache.effective(wish, features) is not wish:
        found.append(page_cache.CANNOT_TELL_MAPPED)
    found += [
        f"workloads: most of what is hottest on nid {flow.pair.source.nid} is left alone, so regions are not weighed"
        for flow in flows
        if flow.uniform and flow.pair.promotes
    ]
    found += [
        f"youngFilter: hardly anything of what looks cold on nid {flow.pair.source.nid} could be demoted; pages that "
        "were touched a moment ago may go, too"
        for flow in flows
        if flow.lenient and settings.young_filter
    ]
    if seen.movable.limited and not ways.can_limit(features):
        found.append(ways.no_limits(len(seen.movable.limited), features))
    found += [
        f"workloads[].fastMemory: the kernel counts what a pod has of nid {flow.pair.target.nid} in steps of "
        f"{display_bytes(step_bytes(flow.pair.target))}; nothing is promoted of {len(flow.unpromoted)} pods with a "
        "smaller max, and they keep up to that"
        for flow in flows
        if flow.unpromoted
    ]
    found += [
        f"workloads: {flow.selection.unlisted} cgroups too many to be listed beside pods with fastMemory stay where "
        f"they are on nid {flow.pair.source.nid}"
        for flow in flows
        if (flow.apart or flow.unpromoted) and flow.selection and flow.selection.unlisted
    ]
    if Feature.OPS_FILTERS not in features and any(flow.selection for flow in flows):
        found.append(REJECTS_ONLY)
    return tuple(dict.fromkeys(found))


def _bounds(settings: Settings, flows: tuple[Flow, ...]) -> Iterator[str]:
    for flow in flows:
        fast = flow.pair.target if flow.pair.promotes else flow.pair.source
        stops = flow.stops
        if stops.promotion_used_bp < settings.promotion.fast_used_target.bp:
            yield (
                f"promotion.fastUsedTarget {settings.promotion.fast_used_target} is bounded to "
                f"{Percent(stops.promotion_used_bp)} on nid {fast.nid}: {_why_bounded(stops, fast)}"
            )
        if flow.window.cut and not flow.allowance:
            rate = display_bytes(_per_second(flow, flow.window.bytes, flow.window.asked_bytes))
            yield f"quota: nid {fast.nid} is small; {rate}/s are committed per direction"
        if flow.apply_interval_cut:
            yield (
                f"applyInterval {settings.apply_interval} would starve the schemes while intervals are tuned; "
                f"{Duration(flow.apply_interval_us)} is committed"
            )
        if flow.same_memory_tier and not stops.relieved:
            yield (
                f"nids {flow.pair.source.nid} and {flow.pair.target.nid} share one memory tier, so the kernel's own "
                "demotion (demotion_enabled) is no safety net; the floor is doubled"
            )


def _why_bounded(stops: Stops, fast: Nid) -> str:
    if stops.relieved:
        return f"the kernel drops page cache to hold {display_bytes(stops.floor_bytes)} free"
    if share_bp(stops.floor_bytes, fast.total_bytes) >= stops.promotion_free_bp:
        return f"the kernel and one quota window need {display_bytes(stops.floor_bytes)} free"
    needed = display_bytes(share_bytes(fast.total_bytes, stops.promotion_free_bp))
    return f"guardrails, or what comes down from a faster tier, need {needed} free"


def _pressure(settings: Settings, features: frozenset[Feature]) -> Iterator[str]:
    if settings.guardrails.memory_pressure_max.enabled and ways.quota_control(features) is QuotaControl.AGENT_LOOP:
        yield (
            "guardrails.memoryPressureMax: goals do not stop this kernel, so the agent holds it, by the last minute's "
            "pressure"
        )


def _pinned(cgroups: tuple[str, ...], *, doubled: bool) -> Iterator[str]:
    if cgroups:
        floor = ", and the floor is doubled" if doubled else ""
        named = ", ".join(cgroups[:_NAMED_CGROUPS]) + (", ..." if len(cgroups) > _NAMED_CGROUPS else "")
        yield (
            f"cpusets keep {len(cgroups)} cgroups off a slow nid ({named}), which reclaim before Linux 6.16 would not "
            f"heed: the kernel's own demotion (demotion_enabled) is not switched on{floor}"
        )


def _uncounted(numa_stat: bool | None, features: frozenset[Feature]) -> Iterator[str]:
    # `zone_statistics()` returns early then (Linux mm/page_alloc.c).
    if numa_stat is False and Feature.THISNODE not in features:
        yield (
            "vm.numa_stat is 0, and this kernel's DAMON counts pages as moved that landed elsewhere: where a nid is "
            "full, promoted and demoted bytes are too many; store 1 there"
        )


def _sentence(flow: Flow) -> str:
    source, target = flow.pair.source.nid, flow.pair.target.nid
    rate = display_bytes(_per_second(flow, flow.quota_bytes, flow.rate_bytes))
    if flow.pair.promotes:
        until = f"until {Percent(flow.stops.promotion_used_bp)} of nid {target} are used"
        return f"promote hot pages of nid {source} to nid {target}, at most {rate}/s, {until}"
    until = f"while less than {Percent(flow.stops.demotion_free_bp)} of nid {source} are free"
    bound = "" if flow.slow_used_bp == BP else f" and {_room_below(flow)}"
    return f"demote cold pages of nid {source} to nid {target}, at most {rate}/s, {until}{bound}"


def _room_below(flow: Flow) -> str:
    return f"less than {Percent(flow.slow_used_bp)} of nid {flow.pair.target.nid} are used"


def _of_pods(flow: Flow) -> Iterator[str]:
    yield from (_apart(flow, one) for one in flow.apart)
    for pod in flow.unpromoted:
        step = display_bytes(step_bytes(flow.pair.target))
        yield (
            f"promote nothing of {pod.path}: the kernel counts what it has of nid {flow.pair.target.nid} in steps of "
            f"{step}, and its max is less"
        )


def _apart(flow: Flow, one: Apart) -> str:
    size = display_bytes(one.bytes)
    if flow.pair.promotes:
        return f"promote {one.pod.path} until it has {size} of nid {flow.pair.target.nid}"
    if one.instead:
        return f"demote {one.pod.path} while it has more than {size} of nid {flow.pair.source.nid}"
    bound = "" if flow.slow_used_bp == BP else f", while {_room_below(flow)}"
    return f"demote what is cold of what {one.pod.path} has above {size} of nid {flow.pair.source.nid}{bound}"


def _per_second(flow: Flow, bounded_bytes: int, asked_bytes: int) -> int:
    """Returns the rate: an allowance overshoots nothing, so no window of it has to be kept free on a small nid."""
    return (asked_bytes if flow.allowance else bounded_bytes) * 1_000 // flow.window.ms
