"""Reads which memory devices the kernel's buses have; concludes nothing.

Before: `HostFs`. After: `kinds`. `/sys/bus` is read in the container's own, read-only `/sys`: buses belong to no
namespace, and nothing is stored there.
"""

from terrace_agent.errors import HostFileMissing, HostFileUnreadable
from terrace_agent.hostfs import HostFs
from terrace_agent.topology.facts import CxlRegion, PmemRegion

_CXL = "/sys/bus/cxl/devices"
_ND = "/sys/bus/nd/devices"
_NO_ADDRESS = 2**64 - 1


def read_cxl_regions(fs: HostFs) -> tuple[CxlRegion, ...]:
    """Returns the regions of the CXL bus, by name."""
    return tuple(_read_cxl_region(fs, name) for name in fs.names(_CXL) if _is_region(name))


def read_pmem_regions(fs: HostFs) -> tuple[PmemRegion, ...]:
    """Returns the regions of the NVDIMM bus that have a nid, by name."""
    found = ((name, _number(fs, f"{_ND}/{name}/target_node")) for name in fs.names(_ND) if _is_region(name))
    return tuple(PmemRegion(name=name, nid=nid) for name, nid in found if nid is not None and nid >= 0)


def _read_cxl_region(fs: HostFs, name: str) -> CxlRegion:
    folder = f"{_CXL}/{name}"
    start, size = _number(fs, f"{folder}/resource"), _number(fs, f"{folder}/size")
    decoded = start is not None and size and start != _NO_ADDRESS
    return CxlRegion(
        name=name,
        nids=tuple(sorted(set(_dax_nids(fs, folder)))),
        start=start if decoded else None,
        end=(start or 0) + (size or 0) if decoded else None,
    )


def _dax_nids(fs: HostFs, folder: str) -> list[int]:
    # A region of RAM is regionN/dax_regionN/daxN.M (drivers/cxl/core/region.c, drivers/dax/cxl.c).
    found = [
        _number(fs, f"{folder}/{dax_region}/{dax}/target_node")
        for dax_region in fs.names(folder)
        if dax_region.startswith("dax_region")
        for dax in fs.names(f"{folder}/{dax_region}")
        if dax.startswith("dax")
    ]
    return [nid for nid in found if nid is not None and nid >= 0]


def _is_region(name: str) -> bool:
    return name.startswith("region") and name.removeprefix("region").isdigit()


def _number(fs: HostFs, path: str) -> int | None:
    try:
        return int(fs.read(path), 0)
    except (HostFileMissing, HostFileUnreadable, ValueError):
        # What cannot be read here only leaves a kind of memory unknown: no reason to go without the rest.
        return None
