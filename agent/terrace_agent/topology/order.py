"""In which order the kernel has the nids, and where a policy's tiers contradict it. Pure.

Before: `read`. After: `discover`, which makes tiers of it where the policy names none, and says where those that it
names go the other way. That is allowed, since firmware can be wrong: HBM that dax_kmem onlines counts as slow memory
before Linux 6.7.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from terrace_agent.topology.facts import NidFacts
from terrace_agent.topology.speed import DRAM_CLASS, access_class
from terrace_agent.topology.values import TierOfNids
from terrace_api.tier_order import Inversion, inversions


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How fast nids are, by one source.

    Attributes:
        by_nid: the rank; a smaller number is faster. Without the nids of which the source says nothing.
        names: what the source calls it, by each rank that a nid has.
    """

    by_nid: Mapping[int, int]
    names: Mapping[int, str]

    def tells_apart(self, nids: Iterable[int]) -> bool:
        """Returns whether the source knows all of these nids, and not all as equals."""
        ranks = [self.by_nid.get(nid) for nid in nids]
        return None not in ranks and len(set(ranks)) > 1


def by_memory_tier(nids: tuple[NidFacts, ...]) -> Ranking:
    """Returns the order of the kernel's memory tiers.

    A smaller N is faster (mm/memory-tiers.c: N = abstract distance >> MEMTIER_CHUNK_BITS).
    """
    found = {nid.nid: nid.memory_tier for nid in nids if nid.memory_tier is not None}
    return Ranking(by_nid=found, names={tier: f"memory_tier{tier}" for tier in found.values()})


def by_performance(nids: tuple[NidFacts, ...]) -> Ranking:
    """Returns the order by what the firmware says of latency and bandwidth."""
    found = {nid.nid: rank for nid in nids if (rank := access_class(nids, nid)) is not None}
    names = {rank: f"access latency and bandwidth (class {rank}, DRAM is {DRAM_CLASS})" for rank in found.values()}
    return Ranking(by_nid=found, names=names)


def by_cpus(nids: tuple[NidFacts, ...]) -> Ranking:
    """Returns the nids with CPUs before those without: a guess, and wrong for HBM."""
    found = {nid.nid: int(not nid.cpus) for nid in nids}
    names = {rank: "no CPUs" if rank else "has CPUs" for rank in found.values()}
    return Ranking(by_nid=found, names=names)


def against_kernel(nids: tuple[NidFacts, ...], tiers: tuple[TierOfNids, ...]) -> str:
    """Returns in words where the order of `tiers`, fastest first, contradicts the kernel's; empty if nowhere."""
    tiered = [nid for tier in tiers for nid in tier.nids]
    for ranking in (by_memory_tier(nids), by_performance(nids)):
        if ranking.tells_apart(tiered):
            named = tuple((tier.name, tier.nids) for tier in tiers)
            return _in_words(ranking, tuple(inversions(named, ranking.by_nid)))
    return ""


def _in_words(ranking: Ranking, pairs: tuple[Inversion, ...]) -> str:
    if not pairs:
        return ""
    first, more = pairs[0], len(pairs) - 1
    names = [ranking.names[ranking.by_nid[nid]] for nid in (first.nid, first.than)]
    likewise = f" (and {more} more such {'pair' if more == 1 else 'pairs'})" if more else ""
    return (
        f"nid {first.nid} of tier {first.tier} is slower memory than nid {first.than} of tier {first.than_tier} to the "
        f"kernel: {names[0]} against {names[1]}, and a smaller number is faster{likewise}. Hot pages move to what it "
        "takes for slow memory. If that is not meant, swap them in spec.tiers; if the firmware is wrong, nothing has "
        "to be done."
    )
