"""Reads which cgroups there are, to which pod each belongs, and which nids its cpuset allows. cgroup v2 only.

Pages are charged to the cgroup of who first touched them or, where the memory controller is not on there, to the
nearest one above where it is (Documentation/admin-guide/cgroup-v2.rst). It is on where there is a `memory.stat`. A pod
has memory in its containers' cgroups, in those that a container makes below its own (systemd or docker in a pod), and
in its own: that of dead containers moves up to it.

Before: `HostFs`. After: `resolve`; `pods` reads how much memory each pod has where.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from terrace_agent.errors import HostFileMissing, UnexpectedContent
from terrace_agent.hostfs import HostFs
from terrace_agent.topology.cpulist import parse_list
from terrace_agent.workloads.values import Cgroup, Found, PodCgroups

ROOT = "/sys/fs/cgroup"
_POD = re.compile(
    r"(?P<folder>.*?/(?:[^/]*-)?pod(?P<uid>[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?)"
    r"(?:/|$)"
)
"""The topmost folder of a pod, wherever kubelet's `--cgroup-root` puts it. The systemd driver names it
`kubepods-burstable-pod<uid>.slice`, with underscores for the dashes of the uid, cgroupfs `pod<uid>`; a static pod has a
hash for a uid."""


def read_cgroups(fs: HostFs) -> Found:
    """Returns every cgroup of the host that pages are charged to; one that vanishes meanwhile may be left out.

    Raises:
        HostFileUnreadable: a file cannot be read.
        UnexpectedContent: a cpuset is in an unknown form.
    """
    if not fs.exists(f"{ROOT}/cgroup.controllers"):
        return Found(unified=False)
    return _sorted_out(_walk(fs, "/", None))


def is_charged(fs: HostFs, path: str) -> bool:
    """Returns whether pages are charged to a cgroup, `/a/b`; not to one that is gone."""
    return fs.exists(f"{_folder(path)}/memory.stat")


def _folder(path: str) -> str:
    return f"{ROOT}{path}".rstrip("/")


def _walk(fs: HostFs, path: str, mems_above: frozenset[int] | None) -> Iterator[Cgroup]:
    folder = _folder(path)
    cgroup = Cgroup(path=path, mems=_read_mems(fs, folder, mems_above))
    if is_charged(fs, path):
        yield cgroup
    for name in fs.folders(folder):
        yield from _walk(fs, f"{path.rstrip('/')}/{name}", cgroup.mems)


def _read_mems(fs: HostFs, folder: str, above: frozenset[int] | None) -> frozenset[int] | None:
    """Returns the nids that are in force there: its own cpuset's, or those of the nearest one above that has any."""
    path = f"{folder}/cpuset.mems.effective"
    try:
        text = fs.read(path)
    except HostFileMissing:
        return above
    try:
        return frozenset(parse_list(text)) or above
    except ValueError as error:
        raise UnexpectedContent(path=path, content=text) from error


def _sorted_out(cgroups: Iterable[Cgroup]) -> Found:
    others: list[Cgroup] = []
    below: dict[tuple[str, str], list[Cgroup]] = defaultdict(list)
    for cgroup in cgroups:
        if match := _POD.match(cgroup.path):
            below[match["uid"].replace("_", "-"), match["folder"]].append(cgroup)
        else:
            others.append(cgroup)
    return Found(
        pods=tuple(
            PodCgroups(uid=uid, path=folder, cgroups=tuple(found)) for (uid, folder), found in sorted(below.items())
        ),
        others=tuple(others),
    )
