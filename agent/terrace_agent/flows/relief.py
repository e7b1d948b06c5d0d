"""Page cache as room: where reclaim would rather drop a file that was read once than have memory lie free. Pure.

Before: the topology. After: `limits`, and an engine that switches the kernel's own demotion.

A nid that files were read on is full: page cache takes what is free, down to kswapd's watermarks, and takes again what
demotion frees (kernel fact 33). With stops that wait for free memory nothing would ever come up there, and with
`demotion_enabled` kswapd copies a stream of single-use pages to the slow tier instead of dropping it: seen on 7.3 with
a file that was read over and over, 12 GiB within a minute and a hot set that stayed on slow. So where there is plenty
of it on a nid:

- promotion goes on to the low watermark: what goes below, one window at most, wakes kswapd, which drops page cache up
  to the high one; demotion waits;
- the kernel's own demotion is off: page cache is the safety net.

A nid of a middle tier keeps free what the faster tier demotes to it, above kswapd's watermarks: there page cache is
room only while it is on all nids of that tier, whose demotion waits then, or if nothing is demoted at all.

The switch is one for all nids. So none of this holds unless every nid that reclaim would demote from has enough to
spare, free or page cache; if somebody else wants the switch on; or with swap, to which reclaim would move cold memory
then. A policy that has page cache demoted (`pageCache: Include`) wants none of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from terrace_agent.flows.limits import BP, share_bp, share_bytes
from terrace_agent.topology.values import Nid, Topology
from terrace_api.policy import PageCache, Settings
from terrace_api.units import display_bytes

_PLENTY = 8
"""Times what kswapd holds free; half of it is enough to go on."""
_WATCHED_S = 2.0


def relieved(
    topology: Topology, settings: Settings, before: frozenset[int], *, may_switch: bool, strays: bool = False
) -> Topology:
    """Returns the topology with what page cache may be taken for room.

    Args:
        topology: as discovered.
        settings: whose page cache rule decides whether it may, and how much is wanted free.
        before: the nids where it was taken for room until now.
        may_switch: whether the kernel's own demotion is off, or can be brought back to that.
        strays: pages that find the target below its low watermark land elsewhere (Linux 6.17 to 7.2), so promotion
            stops half way to the high one: only what others allocate wakes kswapd.
    """
    if not may_switch or topology.swaps or settings.demotion.page_cache is PageCache.INCLUDE:
        return topology
    upper = {nid: topology.nid(nid) for tier in topology.tiers[:-1] for nid in tier.nids}
    enough = {nid: _enough_bytes(settings, one) for nid, one in upper.items()}
    if any(_spare_bytes(one) < enough[nid] * _times(bool(before)) for nid, one in upper.items()):
        return topology
    found: set[int] = set()
    above: tuple[int, ...] = ()
    for tier in topology.tiers[:-1]:
        if found.issuperset(above) or not settings.demotion.enabled:
            found.update(
                nid
                for nid in tier.nids
                if upper[nid].droppable_bytes >= enough[nid] * _times(nid in before)
                and _is_kept_by_reclaim(settings, upper[nid])
            )
        above = tier.nids
    nids = (_with_relief(nid, strays=strays) if nid.nid in found else nid for nid in topology.nids)
    return replace(topology, nids=tuple(nids))


def nids_of(topology: Topology) -> frozenset[int]:
    """Returns the nids whose page cache is room; where there are any it is the safety net."""
    return frozenset(nid.nid for nid in topology.nids if nid.relieved_floor_bytes is not None)


def within_s(topology: Topology, recheck_s: float) -> float:
    """Returns how soon to look again: before what is spare may be gone, since nothing but the agent sees that."""
    relieved_nids = map(topology.nid, nids_of(topology))
    scarce = any(nid.droppable_bytes < 2 * _PLENTY * nid.floor_bytes for nid in relieved_nids)
    return min(recheck_s, _WATCHED_S) if scarce else recheck_s


def words(nids: Iterable[Nid]) -> Iterator[str]:
    """Yields what a person should know about each nid whose page cache is room."""
    for nid in nids:
        if nid.relieved_floor_bytes is not None:
            least = display_bytes(nid.relieved_floor_bytes)
            yield (
                f"nid {nid.nid} has at least {_PLENTY // 2} times as much page cache to drop as the kernel holds free "
                f"there: it counts as room, down to {least} free, and is dropped instead of demoted: the kernel's own "
                "demotion (demotion_enabled) is not switched on meanwhile"
            )


def _times(going_on: bool) -> int:
    return 1 if going_on else 2


def _enough_bytes(settings: Settings, nid: Nid) -> int:
    wanted_bp = max(BP - settings.promotion.fast_used_target.bp, settings.demotion.fast_free_target.bp)
    return max(_PLENTY // 2 * nid.floor_bytes, share_bytes(nid.total_bytes, wanted_bp))


def _is_kept_by_reclaim(settings: Settings, nid: Nid) -> bool:
    """Returns whether kswapd holds as much free as the guardrail asks for: it is no wish, so page cache does not do."""
    guard = settings.guardrails.fast_free_min
    return not guard.enabled or guard.share.bp <= share_bp(nid.floor_bytes, nid.total_bytes)


def _spare_bytes(nid: Nid) -> int:
    return nid.droppable_bytes + max(0, nid.free_bytes - nid.floor_bytes)


def _with_relief(nid: Nid, *, strays: bool) -> Nid:
    least = (nid.low_bytes + nid.floor_bytes) // 2 if strays else nid.low_bytes
    return replace(nid, relieved_floor_bytes=least)
