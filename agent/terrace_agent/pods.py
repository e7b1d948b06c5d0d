"""Where each pod's memory is, from `memory.numa_stat` of its cgroup; works on any kernel with cgroup v2.

Only the pod's own folder is read, never its containers': the counters of cgroup v2 include all descendants, and what
dead containers left behind is reparented to the pod (kernel.md fact 30).

A pod's memory is `anon + file - swapcached`: every page that can be migrated, once. `file` is the whole page cache
with shmem and tmpfs in it (Documentation/admin-guide/cgroup-v2.rst); a page in the swap cache is in `file`
(NR_FILE_PAGES) and, while mapped, in `anon` as well. All other rows are parts of these two (`shmem`, `file_mapped`,
`anon_thp`, the LRU lists) or kernel memory, which does not move.

Before: `HostFs`. After: `report`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from terrace_agent.errors import HostFileMissing, UnexpectedContent
from terrace_agent.hostfs import HostFs

_CGROUPS = "/sys/fs/cgroup"
_ROOTS = ("kubepods.slice", "kubepods", "kubelet.slice/kubelet-kubepods.slice", "kubelet/kubepods")
"""The systemd driver, the cgroupfs driver, and both below kubelet's `--cgroup-root /kubelet` (as kind sets it)."""
_POD = re.compile(r"(?:^|-)pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$")
"""A uid, its dashes as underscores below systemd; a static pod has a hash for a uid."""
_QOS = re.compile(r"(?:^|-)(?:burstable|besteffort)(?:\.slice)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodMemory:
    """Movable memory of one pod in bytes by nid."""

    uid: str
    bytes_by_nid: dict[int, int]


def read_pods(fs: HostFs) -> tuple[PodMemory, ...]:
    """Returns the memory of every pod of this node, by uid; a pod that ends meanwhile is left out.

    Raises:
        HostFileUnreadable: a counter cannot be read.
        UnexpectedContent: `memory.numa_stat` is in an unknown form.
    """
    found = (_read_pod(fs, uid, folder) for uid, folder in pod_folders(fs))
    return tuple(sorted((pod for pod in found if pod), key=lambda pod: pod.uid))


def parse_numa_stat(text: str) -> dict[int, int]:
    """Returns bytes by nid that can be migrated.

    Raises:
        ValueError: a row is not of the form `anon N0=4096 N1=0`.
    """
    rows = {name: _parse_row(cells) for name, *cells in map(str.split, text.splitlines()) if name in _SIGNS}
    nids = sorted({nid for row in rows.values() for nid in row})
    return {nid: max(0, sum(sign * rows.get(name, {}).get(nid, 0) for name, sign in _SIGNS.items())) for nid in nids}


_SIGNS = {"anon": 1, "file": 1, "swapcached": -1}


def _parse_row(cells: list[str]) -> dict[int, int]:
    pairs = (cell.partition("=") for cell in cells)
    return {int(nid.removeprefix("N")): int(count) for nid, _, count in pairs}


def _read_pod(fs: HostFs, uid: str, folder: str) -> PodMemory | None:
    path = f"{folder}/memory.numa_stat"
    try:
        text = fs.read(path)
    except HostFileMissing:
        return None
    try:
        return PodMemory(uid=uid, bytes_by_nid=parse_numa_stat(text))
    except ValueError as error:
        raise UnexpectedContent(path=path, content=text) from error


def pod_folders(fs: HostFs) -> Iterator[tuple[str, str]]:
    """Yields uid and cgroup folder of every pod of this node."""
    for root in _ROOTS:
        guaranteed = f"{_CGROUPS}/{root}"
        names = fs.names(guaranteed)
        yield from _pods_among(guaranteed, names)
        for qos in filter(_QOS.search, names):
            yield from _pods_among(f"{guaranteed}/{qos}", fs.names(f"{guaranteed}/{qos}"))


def _pods_among(folder: str, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        if match := _POD.search(name):
            yield match[1].replace("_", "-"), f"{folder}/{name}"
