"""How fast a nid's memory is, in the kernel's own classes. Pure.

Before: `read`. After: `discover` and `kinds`. The kernel sorts memory into tiers by an abstract distance; this does the
same sum, for kernels that have the firmware's numbers and no tiers of them (mt_perf_to_adistance() in Linux
mm/memory-tiers.c, since 6.7; nids that are there at boot since 6.11).
"""

from terrace_agent.topology.facts import NidFacts, Performance

_DRAM_ADISTANCE = 576
_ADISTANCE_CHUNK_BITS = 7

DRAM_CLASS = _DRAM_ADISTANCE >> _ADISTANCE_CHUNK_BITS
"""The class of the fastest nid with CPUs, by definition."""


def access_class(nids: tuple[NidFacts, ...], nid: NidFacts) -> int | None:
    """Returns the class of `nid` among all `nids`, smaller is faster; None where the firmware does not say."""
    known = [one for one in nids if one.performance]
    beside_cpus = [one.performance for one in known if one.cpus] or [one.performance for one in known]
    if nid.performance is None:
        return None
    dram = min((found for found in beside_cpus if found), key=_latency_ns)
    return _adistance(nid.performance, dram) >> _ADISTANCE_CHUNK_BITS


def _adistance(of: Performance, dram: Performance) -> int:
    # DRAM's distance, times latency, divided by bandwidth.
    latency = _DRAM_ADISTANCE * _latency_ns(of) // _latency_ns(dram)
    return latency * _bandwidth_mib_s(dram) // _bandwidth_mib_s(of)


def _latency_ns(of: Performance) -> int:
    return of.read_latency_ns + of.write_latency_ns


def _bandwidth_mib_s(of: Performance) -> int:
    return of.read_bandwidth_mib_s + of.write_bandwidth_mib_s
