"""Finds the pods whose cpuset keeps them off a slow nid.

Reclaim's own demotion heeds cpusets from 6.16 on; before, kswapd demotes pages of pods that must not leave their nids
(docs/kernel-facts.md, 28). Only cgroup v2 is read: there every cgroup's effective nids include what its parents leave.

Before: `HostFs`. After: `desired` leaves `demotion_enabled` alone while there is any.
"""

from terrace_agent.errors import HostFileMissing
from terrace_agent.hostfs import HostFs
from terrace_agent.pods import pod_folders
from terrace_agent.topology.cpulist import parse_list

_MEMS = "cpuset.mems.effective"


def read_pinned(fs: HostFs, nids: frozenset[int]) -> tuple[str, ...]:
    """Returns the uids of pods that may not use all of `nids`, sorted; those of a container count as its pod's."""
    return tuple(sorted({uid for uid, folder in pod_folders(fs) if _excludes(fs, folder, nids)}))


def _excludes(fs: HostFs, folder: str, nids: frozenset[int]) -> bool:
    folders = (folder, *(f"{folder}/{name}" for name in fs.names(folder)))
    return any(mems and not nids <= mems for mems in (_mems(fs, one) for one in folders))


def _mems(fs: HostFs, folder: str) -> frozenset[int]:
    """Returns the nids that a cgroup may use; nothing for a file in between, and where the controller is off."""
    try:
        return frozenset(parse_list(fs.read(f"{folder}/{_MEMS}")))
    except HostFileMissing:
        return frozenset()
