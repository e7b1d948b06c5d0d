"""Which nid promotes or demotes to which. Pure.

A nid of every tier but the fastest promotes to the nearest nid of the next faster tier, a nid of every tier but the
slowest demotes to the nearest of the next slower one: one target per source and direction, since two schemes of one
pattern pick the same regions (kernel.md fact 24). Of targets at the same distance the larger one is taken, then the
lower nid: free memory would decide better and otherwise with every look.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from terrace_agent.errors import SettingsRejected
from terrace_agent.topology.values import Nid, Topology
from terrace_api.units import display_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One direction of one source nid."""

    source: Nid
    target: Nid
    promotes: bool


def pairs_of(topology: Topology) -> tuple[Pair, ...]:
    """Returns all directions, by source nid, promotion first; none on a node with a single tier.

    Raises:
        SettingsRejected: a tier names a nid without memory, or two tiers the same nid.
    """
    _check(topology)
    found = [
        pair for faster, slower in pairwise(topology.tiers) for pair in _between(topology, faster.nids, slower.nids)
    ]
    return tuple(sorted(found, key=lambda pair: (pair.source.nid, not pair.promotes)))


def _between(topology: Topology, faster: tuple[int, ...], slower: tuple[int, ...]) -> Iterator[Pair]:
    for nid in slower:
        yield Pair(source=topology.nid(nid), target=_nearest(topology, nid, faster), promotes=True)
    for nid in faster:
        yield Pair(source=topology.nid(nid), target=_nearest(topology, nid, slower), promotes=False)


def _nearest(topology: Topology, source: int, targets: tuple[int, ...]) -> Nid:
    distances = topology.nid(source).distances
    return min(
        (topology.nid(nid) for nid in targets),
        key=lambda nid: (distances.get(nid.nid, 255), -nid.total_bytes, nid.nid),
    )


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
