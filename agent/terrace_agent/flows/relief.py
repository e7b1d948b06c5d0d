"""Page cache as room: where reclaim would rather drop a file that was read once than have memory lie free. Pure.

Before: the topology. After: `limits`, and an engine that switches the kernel's own demotion.

A nid that files were read on is full: page cache takes what is free, down to kswapd's watermarks, and takes again what
demotion frees (kernel fact 33). With stops that wait for free memory nothing would ever come up there, and with
`demotion_enabled` kswapd copies a stream of single-use pages to the slow tier instead of dropping it: seen on 7.3 with
a file that was read over and over, 12 GiB within a minute and a hot set that stayed on slow. So where there is plenty
of it:

- promotion goes on to where kswapd wakes, which drops the page cache that is in its way, and demotion waits;
- the kernel's own demotion is off: the page cache is the safety net.

Plenty is `_PLENTY` times what kswapd holds free, half of that where the switch is off already, so that it stays as it
is while kswapd takes its share. A policy that has page cache demoted (`pageCache: Include`) wants none of this.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from terrace_agent.topology.values import Nid, Relief, Topology
from terrace_api.policy import PageCache, Settings
from terrace_api.units import display_bytes

_PLENTY = 8


def relieved(topology: Topology, settings: Settings, *, demotes: bool, strays: bool = False) -> Topology:
    """Returns the topology with what page cache may be taken for room.

    Args:
        topology: as discovered.
        settings: whose page cache rule decides whether it may.
        demotes: whether the kernel's own demotion is on.
        strays: pages that find the target below its low watermark land elsewhere (Linux 6.17 to 7.2), so it has to stay
            above: then only what others allocate wakes kswapd.
    """
    if settings.demotion.page_cache is PageCache.INCLUDE:
        return topology
    times = _PLENTY if demotes else _PLENTY // 2
    return replace(topology, nids=tuple(_relieved(nid, times, strays=strays) for nid in topology.nids))


def is_the_safety_net(topology: Topology) -> bool:
    """Returns whether reclaim has page cache to drop on every nid that it would otherwise demote from."""
    upper = [topology.nid(nid) for tier in topology.tiers[:-1] for nid in tier.nids]
    return bool(upper) and all(nid.relief for nid in upper)


def words(nids: Iterable[Nid]) -> Iterator[str]:
    """Yields what a person should know about each nid whose page cache is room."""
    for nid in nids:
        if nid.relief:
            yield (
                f"nid {nid.nid} has more than {_PLENTY // 2} times as much page cache that was read once as the kernel "
                f"holds free there: it counts as room, down to {display_bytes(nid.relief.least_free_bytes)} free, and "
                "reclaim drops it instead of demoting it"
            )


def _relieved(nid: Nid, times: int, *, strays: bool) -> Nid:
    if not nid.floor_bytes or nid.droppable_bytes < times * nid.floor_bytes:
        return nid
    least = (nid.low_bytes + nid.floor_bytes) // 2 if strays else (nid.min_bytes + nid.low_bytes) // 2
    return replace(nid, relief=Relief(droppable_bytes=nid.droppable_bytes, least_free_bytes=least))
