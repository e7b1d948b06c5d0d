"""From sysfs to values: the tree, and what the kernel says about a kdamond.

After: `plan` (what differs from the desired tree) and `verify` (what moved). A file that this kernel does not have
reads as None. Every file below `kdamonds/` may answer EBUSY while any command runs (kernel fact 8): that is tried
again here.
"""

import dataclasses
import functools
import types
import typing
from dataclasses import dataclass
from enum import Enum
from typing import Any

from terrace_agent.damon.patience import Patience
from terrace_agent.damon.stores import KDAMONDS, NR_KDAMONDS, kdamond_path, nr_file
from terrace_agent.damon.tree import Kdamond
from terrace_agent.errors import HostFileMissing, UnexpectedContent
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import OwnedKdamond


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeStats:
    """`stats/` of one scheme: since its start, as last refreshed."""

    sz_tried: int = 0
    sz_applied: int = 0
    sz_ops_filter_passed: int | None = None
    qt_exceeds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedQuotas:
    """`quotas/` of one scheme: as stored, and what they have come to, as last asked for."""

    bytes: int = 0
    reset_interval_ms: int = 0
    effective_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedScheme:
    """What one scheme does and has done.

    Attributes:
        action: also one that this version of Terrace does not know.
    """

    action: str
    target_nid: int | None
    quotas: ObservedQuotas
    stats: SchemeStats


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedKdamond:
    """One kdamond as found.

    Attributes:
        pid: None while it is off.
        tree: what is staged (what runs is what was staged at the last `on` or `commit`); None if it holds what
            this version of Terrace does not know: then it is ours by its pid only.
    """

    index: int
    on: bool
    pid: int | None
    tree: Kdamond | None


class TreeReader:
    """Reads `/sys/kernel/mm/damon/admin/kdamonds`, of each directory the files that `kind` has."""

    def __init__(self, fs: HostFs, patience: Patience, kind: type[Kdamond] = Kdamond) -> None:
        self._fs = fs
        self._patience = patience
        self._kind = kind

    def kdamonds(self) -> tuple[ObservedKdamond, ...]:
        """Returns all kdamonds, whoever made them.

        Raises:
            HostFileUnreadable: the kernel stayed busy.
        """
        return tuple(self.kdamond(index) for index in range(self.count()))

    def kdamond(self, index: int) -> ObservedKdamond:
        """Returns the kdamond in directory `index`; see `kdamonds` for what it raises."""
        path = kdamond_path(index)
        return ObservedKdamond(index=index, on=self.is_on(index), pid=self.pid(index), tree=self._tree(path))

    def schemes(self, index: int) -> tuple[ObservedScheme, ...]:
        """Returns what the schemes of kdamond `index` do and have done; a small part of the files of `kdamond`."""
        path = f"{kdamond_path(index)}/contexts/0/schemes"
        count = int(self._text(f"{path}/nr_schemes") or 0)
        return tuple(self._directory(f"{path}/{number}", ObservedScheme) for number in range(count))

    def tried_bytes(self, index: int) -> tuple[int, ...]:
        """Returns what each scheme of kdamond `index` tried in its last pass, as of the last command that asked."""
        path = f"{kdamond_path(index)}/contexts/0/schemes"
        count = int(self._text(f"{path}/nr_schemes") or 0)
        return tuple(int(self._text(f"{path}/{number}/tried_regions/total_bytes") or 0) for number in range(count))

    def tried_regions(self, index: int, scheme: int) -> tuple[range, ...]:
        """Returns which addresses a scheme tried in its last pass, as of the last command that asked."""
        path = f"{kdamond_path(index)}/contexts/0/schemes/{scheme}/tried_regions"
        found = (self._bounds(f"{path}/{name}") for name in self._fs.folders(path))
        return tuple(sorted((one for one in found if one), key=lambda one: one.start))

    def count(self) -> int:
        """Returns how many kdamonds there are, whoever made them."""
        return int(self._text(NR_KDAMONDS) or 0)

    def pid(self, index: int) -> int | None:
        """Returns the pid of the kdamond; None while it is off or there is no such directory."""
        pid = int(self._text(f"{kdamond_path(index)}/pid") or -1)
        return pid if pid > 0 else None

    def refreshes_itself(self, index: int) -> bool:
        """Returns whether the kernel keeps the kdamond's stats and intervals files up to date."""
        return int(self._text(f"{kdamond_path(index)}/refresh_ms") or 0) > 0

    def tunes_intervals(self, index: int) -> bool:
        """Returns whether the kernel can tune the kdamond's intervals, so that the files may be out of date."""
        return self._fs.exists(f"{kdamond_path(index)}/contexts/0/monitoring_attrs/intervals/intervals_goal")

    def runs(self, claim: OwnedKdamond) -> bool:
        """Returns whether the kdamond of `claim` is the one that we started there."""
        return claim.pid is not None and self.pid(claim.index) == claim.pid

    def is_on(self, index: int) -> bool:
        """Returns whether the kdamond runs."""
        return self._text(f"{kdamond_path(index)}/state") == "on"

    def exists(self) -> bool:
        """Returns whether this kernel has DAMON's sysfs interface."""
        return self._fs.exists(KDAMONDS)

    def _bounds(self, path: str) -> range:
        start, end = self._text(f"{path}/start"), self._text(f"{path}/end")
        return range(int(start), int(end)) if start and end else range(0)

    def _tree(self, path: str) -> Kdamond | None:
        try:
            tree: Kdamond = self._directory(path, self._kind)
        except UnexpectedContent:
            return None
        return tree

    def _directory(self, path: str, kind: Any) -> Any:
        return kind(**{name: self._entry(f"{path}/{name}", name, hint) for name, hint in _fields(kind).items()})

    def _entry(self, path: str, name: str, hint: Any) -> Any:
        kind, optional = _without_none(hint)
        if typing.get_origin(kind) is tuple:
            count = self._text(f"{path}/{nr_file(name)}")
            if count is None and optional:
                return None
            child = typing.get_args(kind)[0]
            return tuple(self._directory(f"{path}/{number}", child) for number in range(int(count or 0)))
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            return None if optional and not self._fs.exists(path) else self._directory(path, kind)
        text = self._text(path)
        if text is None:
            if optional:
                return None
            raise UnexpectedContent(path=path, content="")
        return _parse(path, text, kind)

    def _text(self, path: str) -> str | None:
        try:
            return self._patience.read(self._fs, path)
        except HostFileMissing:
            return None


@functools.cache
def _fields(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


@functools.cache
def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) not in {typing.Union, types.UnionType}:
        return hint, False
    (kind,) = (argument for argument in typing.get_args(hint) if argument is not types.NoneType)
    return kind, True


def _parse(path: str, text: str, kind: type[Any]) -> bool | int | str | Enum:
    try:
        if kind is bool:
            return {"Y": True, "N": False}[text]
        if kind is str:
            return text
        return int(text) if kind is int else typing.cast(Enum, kind(text))
    except (ValueError, KeyError) as error:
        raise UnexpectedContent(path=path, content=text) from error
