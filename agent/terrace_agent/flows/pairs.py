"""Which nid promotes or demotes to which. Pure.

A nid of every tier but the fastest promotes to the nearest nid of the next faster tier (of several, the larger one),
a nid of every tier but the slowest demotes to one of the next slower tier, which `targets` chooses.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from terrace_agent.errors import SettingsRejected
from terrace_agent.flows.targets import demotion_target
from terrace_agent.topology.values import Nid, Topology
from terrace_api.units import display_bytes

_NONE: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One direction of one source nid."""

    source: Nid
    target: Nid
    promotes: bool


def pairs_of(
    topology: Topology, demotes_to: Mapping[int, int] = _NONE, *, least_free_bytes: Mapping[int, int] = _NONE
) -> tuple[Pair, ...]:
    """Returns all directions, by source nid, promotion first; none on a node with a single tier.

    Args:
        topology: tiers and nids as they are now.
        demotes_to: the demotion targets in force, by source nid.
        least_free_bytes: see `targets.demotion_target`.

    Raises:
        SettingsRejected: a tier names a nid without memory, or two tiers the same nid.
    """
    _check(topology)
    found = [
        pair
        for faster, slower in pairwise(topology.tiers)
        for pair in (
            *_promotions(topology, faster.nids, slower.nids),
            *_demotions(topology, faster.nids, slower.nids, demotes_to, least_free_bytes),
        )
    ]
    return tuple(sorted(found, key=lambda pair: (pair.source.nid, not pair.promotes)))


def _promotions(topology: Topology, faster: tuple[int, ...], slower: tuple[int, ...]) -> Iterator[Pair]:
    for source in map(topology.nid, slower):
        nearest = min(
            map(topology.nid, faster),
            key=lambda nid: (source.distances.get(nid.nid, 255), -nid.total_bytes, nid.nid),
        )
        yield Pair(source=source, target=nearest, promotes=True)


def _demotions(
    topology: Topology,
    faster: tuple[int, ...],
    slower: tuple[int, ...],
    demotes_to: Mapping[int, int],
    least_free_bytes: Mapping[int, int],
) -> Iterator[Pair]:
    candidates = tuple(map(topology.nid, slower))
    for source in map(topology.nid, faster):
        now = demotes_to.get(source.nid)
        target = demotion_target(source, candidates, now=now, least_free_bytes=least_free_bytes)
        yield Pair(source=source, target=target, promotes=False)


def _check(topology: Topology) -> None:
    known = {nid.nid for nid in topology.nids}
    tier_of: dict[int, str] = {}
    for tier in topology.tiers:
        for nid in tier.nids:
            if nid not in known:
                raise _rejected(
                    "NidNotFound", f"nid {nid} of tier {tier.name!r} does not exist or has no memory", topology
                )
            if nid in tier_of:
                raise _rejected("TiersOverlap", f"nid {nid} is in tiers {tier_of[nid]!r} and {tier.name!r}", topology)
            tier_of[nid] = tier.name
        if not tier.nids:
            raise _rejected("TierWithoutNids", f"tier {tier.name!r} has no nid", topology)


def _rejected(reason: str, problem: str, topology: Topology) -> SettingsRejected:
    present = ", ".join(f"nid {nid.nid} ({display_bytes(nid.total_bytes)})" for nid in topology.nids) or "none"
    return SettingsRejected(
        reason=reason, message=f"{problem}; NUMA nodes with memory: {present}. Nothing was changed."
    )
