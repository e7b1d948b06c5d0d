"""Where each pod's memory is, from `memory.numa_stat` of its cgroup; works on any kernel with cgroup v2.

Only the pod's own folder is read, never its containers': the counters of cgroup v2 include all descendants, and what
dead containers left behind moves up to the pod.

A pod's memory is `anon + file - swapcached`: every page that can be migrated, once. `file` is the whole page cache
with shmem and tmpfs in it (Documentation/admin-guide/cgroup-v2.rst); a page in the swap cache is in `file`
(NR_FILE_PAGES) and, while mapped, in `anon` as well. All other rows are parts of these two (`shmem`, `file_mapped`,
`anon_thp`, the LRU lists) or kernel memory, which does not move.

Before: `workloads.cgroups` finds the folders. After: `report`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from terrace_agent.errors import HostFileMissing, UnexpectedContent
from terrace_agent.hostfs import HostFs
from terrace_agent.workloads.cgroups import ROOT
from terrace_agent.workloads.values import PodCgroups


@dataclass(frozen=True, slots=True, kw_only=True)
class PodMemory:
    """Movable memory of one pod in bytes by nid."""

    uid: str
    bytes_by_nid: dict[int, int]


def read_pods(fs: HostFs, pods: Iterable[PodCgroups]) -> tuple[PodMemory, ...]:
    """Returns the memory of these pods, in their order; a pod that ends meanwhile is left out.

    Raises:
        HostFileUnreadable: a counter cannot be read.
        UnexpectedContent: `memory.numa_stat` is in an unknown form.
    """
    found = (_read_pod(fs, pod.uid, f"{ROOT}{pod.path}") for pod in pods)
    return tuple(pod for pod in found if pod)


def parse_rows(text: str) -> dict[str, dict[int, int]]:
    """Returns the rows of `memory.numa_stat` that make up what can be migrated, each as bytes by nid.

    Raises:
        ValueError: a row is not of the form `anon N0=4096 N1=0`.
    """
    return {name: _parse_row(cells) for name, *cells in map(str.split, text.splitlines()) if name in _SIGNS}


def parse_numa_stat(text: str) -> dict[int, int]:
    """Returns bytes by nid that can be migrated.

    Raises:
        ValueError: a row is not of the form `anon N0=4096 N1=0`.
    """
    rows = parse_rows(text)
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
