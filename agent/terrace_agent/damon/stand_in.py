"""What stands in for cgroups that have gone since a list of them was made. Pure.

Before: `plan` made the list; `apply` looks who has gone right before the kernel does. After: `apply` stores.

One filter whose cgroup is not there makes the kernel refuse all of a tree (ENOMEM; Linux 6.12 ends the kdamond). To
leave it out all others would have to be made anew, since a list is as long as its `nr_filters` says. So it gets the
cgroup of another filter that says the same: to name one twice is to name it once. Those of one list stand side by side
(`scope`), so no other kind of filter comes to decide earlier or later. The next look makes the list anew.

A goal's cgroup has no other that says the same, and neither has a list whose last one has gone: these are refused.
"""

from collections.abc import Collection, Mapping

from terrace_agent.damon.tree import FilterType
from terrace_agent.steps import Store

_SUFFIX = "/memcg_path"


def listed(files: Mapping[str, str]) -> dict[str, str]:
    """Returns the cgroup of each filter of pages that one has, by the path of the file that names it."""
    return {path: cgroup for path, cgroup in files.items() if path.endswith(_SUFFIX) and _is_of(path, files)}


def stand_ins(files: Mapping[str, str], gone: Collection[str]) -> tuple[Store, ...]:
    """Returns the stores that name another cgroup wherever one that has `gone` is named and there is another."""
    named = listed(files)
    left: dict[tuple[str | None, ...], str] = {}
    for path, cgroup in named.items():
        if cgroup not in gone:
            left.setdefault(_meaning(path, files), cgroup)
    return tuple(
        Store(path=path, value=left[meaning])
        for path, cgroup in named.items()
        if cgroup in gone and (meaning := _meaning(path, files)) in left
    )


def _is_of(path: str, files: Mapping[str, str]) -> bool:
    """Returns whether a filter is of the pages that a cgroup has; not of all the others."""
    folder = path.removesuffix(_SUFFIX)
    return (files.get(f"{folder}/type"), files.get(f"{folder}/matching")) == (FilterType.MEMCG, "Y")


def _meaning(path: str, files: Mapping[str, str]) -> tuple[str | None, ...]:
    """Returns what a filter says but for its cgroup: in which list, and what becomes of the pages."""
    folder = path.removesuffix(_SUFFIX)
    return folder.rpartition("/")[0], files.get(f"{folder}/allow")
