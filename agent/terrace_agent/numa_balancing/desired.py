"""The kernel's settings as a policy wants them, with every number that was computed for them. Pure.

Before: `observe`, settings, topology. After: `plan`.

The limit of the rate is the kernel's, so it holds without the agent. What the kernel does not bound is said in the
notes: while a fast nid has much free memory, it takes every page that was touched, at any rate
(`pgdat_free_space_enough()`, Linux kernel/sched/fair.c), and it stops promoting at its own watermark.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from terrace_agent.flows import only_damon
from terrace_agent.flows.balancing import NORMAL, NUMA_BALANCING, TIERING
from terrace_agent.flows.demotion import DEMOTION_ENABLED, confined
from terrace_agent.flows.directions import Flow, flows
from terrace_agent.numa_balancing.observe import RATE_LIMIT, Observed
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.limits import unkept
from terrace_agent.workloads.values import Movable
from terrace_api.node_tiering import Effective
from terrace_api.policy import PageCache, Settings
from terrace_api.units import Percent, display_bytes

_MIB = 1 << 20
_HEEDS_CPUSETS = "pgdemote_proactive"
"""The counter came with the release in which demotion began to heed cpusets, 6.16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What should be in force.

    Attributes:
        values: path and value of each setting, in the order in which they are stored.
        flows: every direction that is enabled.
        asks_cgroups: whether cgroups may be asked to reclaim: not with swap, to which it would write memory of slow
            nids, nor where a cpuset keeps one off a slow nid, which reclaim before Linux 6.16 would not heed.
        cost: what comes with it that was not asked for, in words; empty for nothing.
    """

    values: tuple[tuple[str, str], ...]
    flows: tuple[Flow, ...]
    effective: Effective
    words: tuple[str, ...]
    asks_cgroups: bool = False
    cost: str = ""


def desired(
    settings: Settings, topology: Topology, movable: Movable, observed: Observed, *, found_mode: int, halted: bool
) -> Desired:
    """Returns the settings; nothing is promoted while `halted`.

    Args:
        settings: of the policy.
        topology: at least two tiers.
        movable: for the cpusets and the limits in it.
        observed: for what this kernel has.
        found_mode: `numa_balancing` before our first change of it: its other bits stay, but where nothing is to be
            promoted, for the normal mode would go on, and without a limit.
        halted: a guardrail is hit.

    Raises:
        SettingsRejected: the tiers cannot be meant for this node.
    """
    pinned = () if _HEEDS_CPUSETS in observed.pages else confined(topology, movable)
    wanted = flows(settings, topology, has_safety_net=not pinned, chooses_target=False)
    promotes = settings.promotion.enabled and not halted
    values = {RATE_LIMIT: str(_rate_limit_mib_s(wanted))} if promotes else {}
    if settings.demotion.enabled and not pinned:
        values[DEMOTION_ENABLED] = "true"
    values[NUMA_BALANCING] = str(found_mode | TIERING if promotes else 0)
    notes = (*_notes(settings, topology, observed, wanted, pinned), *unkept(movable, "NUMA balancing"))
    asks_cgroups = not (topology.swaps or pinned)
    return Desired(
        values=tuple(values.items()),
        flows=wanted,
        effective=_effective(wanted, notes),
        words=tuple(_words(wanted, observed, asks_cgroups=asks_cgroups)),
        asks_cgroups=asks_cgroups,
        cost=_cost(found_mode) if not promotes else "",
    )


def _rate_limit_mib_s(flows: tuple[Flow, ...]) -> int:
    """Returns one limit for all nids, as the kernel has it: that of the nid that bears least."""
    return max(1, min(flow.window.bytes_per_second for flow in flows if flow.pair.promotes) // _MIB)


def _effective(flows: tuple[Flow, ...], notes: tuple[str, ...]) -> Effective:
    tightest = max(flows, key=lambda flow: flow.stops.promotion_free_bp)
    return Effective(
        fast_used_target=str(Percent(tightest.stops.promotion_used_bp)),
        fast_free_target=str(Percent(tightest.stops.demotion_free_bp)),
        fast_floor_bytes=tightest.stops.floor_bytes,
        quota_bytes_per_second=tightest.window.bytes_per_second,
        notes=notes,
    )


def _words(flows: tuple[Flow, ...], observed: Observed, *, asks_cgroups: bool) -> Iterator[str]:
    for flow in flows:
        source, target, stops = flow.pair.source.nid, flow.pair.target.nid, flow.stops
        rate = display_bytes(flow.window.bytes_per_second)
        if flow.pair.promotes:
            limit = display_bytes(_rate_limit_mib_s(flows) * _MIB)
            yield f"NUMA balancing promotes what is touched on nid {source} to the nids of the CPUs, up to {limit}/s"
        elif source in observed.node_reclaim:
            yield (
                f"reclaim demotes from nid {source} to nid {target} until {Percent(stops.demotion_free_bp)} is free, "
                f"up to {rate}/s"
            )
        else:
            cgroups = f", and from cgroups with little page cache until {Percent(stops.demotion_free_bp)} is free"
            asked = cgroups if asks_cgroups else ""
            yield f"reclaim demotes from nid {source} to nid {target} at the kernel's watermarks{asked}"


def _cost(found_mode: int) -> str:
    if not found_mode & NORMAL:
        return ""
    return (
        f"kernel.numa_balancing is 0 while nothing is to be promoted, {found_mode} before Terrace: bit 1 would promote "
        "from nids without CPUs, at any rate. The kernel does not balance between sockets either meanwhile"
    )


def _notes(
    settings: Settings, topology: Topology, observed: Observed, wanted: tuple[Flow, ...], pinned: tuple[str, ...]
) -> Iterator[str]:
    if settings.promotion.enabled:
        yield (
            "promotion.fastUsedTarget, minAccesses and minAge, guardrails.fastFreeMin: NUMA balancing has its own "
            "threshold and stops at the kernel's watermark"
        )
        yield (
            "quota: NUMA balancing promotes at any rate while a fast nid has more free than 1 GiB or a sixteenth of "
            "it, whichever is more; of quota.time and weights it knows nothing"
        )
        if min(flow.window.bytes_per_second for flow in wanted if flow.pair.promotes) < _MIB:
            yield "quota: the kernel's limit is in MiB a second, so promotion gets one"
    yield from only_damon.words(settings, "NUMA balancing")
    if settings.demotion.enabled:
        yield "demotion.minAge and maxAccesses, youngFilter: reclaim goes by its own lists of what was used least"
    if settings.demotion.enabled and settings.demotion.page_cache is not PageCache.INCLUDE:
        yield "demotion.pageCache: kswapd demotes page cache as well; only what Terrace asks for leaves it out"
    if settings.demotion.enabled and settings.guardrails.slow_free_min.enabled:
        yield "guardrails.slowFreeMin: kswapd demotes all the same; only what Terrace asks for heeds it"
    if settings.demotion.enabled and not observed.node_reclaim and topology.swaps:
        yield (
            "demotion.fastFreeTarget: nobody is asked to reclaim, for on this kernel only cgroups can be, and with "
            "swap that would write memory of slow nids to disk; nids take orders since Linux 6.17"
        )
    elif settings.demotion.enabled and pinned:
        yield "demotion.fastFreeTarget: nobody is asked to reclaim: cgroups that cpusets confine would not be spared"
    elif settings.demotion.enabled and not observed.node_reclaim:
        yield "demotion.fastFreeTarget: only cgroups take orders to reclaim here, nids do since Linux 6.17"
    if pinned:
        yield (
            f"cpusets keep {len(pinned)} cgroups off a slow nid ({', '.join(pinned[:3])}), which reclaim before Linux "
            "6.16 would not heed: demotion_enabled is not switched on"
        )
