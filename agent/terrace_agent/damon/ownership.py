"""Which kdamonds are ours. Pure.

Ours is what the journal of this boot claims *and* what the kernel shows: the pid that we started, whatever its files
hold by now, or, where a crash came before the pid was journaled, a content that our stores could have made. All else is
somebody else's and is never touched (one tree, many users), a tree that is only staged included.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

from terrace_agent.damon.read import ObservedKdamond
from terrace_agent.damon.stores import kdamond_stores, makes_directories
from terrace_agent.damon.tree import MEMCG_METRICS, FilterType, Kdamond
from terrace_agent.journal import OwnedKdamond
from terrace_agent.steps import Store

_TUNED = ("/intervals/sample_us", "/intervals/aggr_us")


def owner_of(kdamond: ObservedKdamond, owned: tuple[OwnedKdamond, ...]) -> OwnedKdamond | None:
    """Returns the claim that makes `kdamond` ours; None if it is somebody else's."""
    claim = next((claim for claim in owned if claim.index == kdamond.index), None)
    if claim is None:
        return None
    if kdamond.on and claim.pid == kdamond.pid is not None:
        return claim
    if kdamond.tree is None:
        return None
    is_ours = _staged_whole(kdamond, claim) if kdamond.on else _staged_in_part(kdamond, kdamond.tree, claim)
    return claim if is_ours else None


def files_in_force(kdamond: ObservedKdamond, claim: OwnedKdamond) -> tuple[tuple[str, str], ...]:
    """Returns the files that a kdamond of ours runs, or, where a commit was cut off, those that it ran before.

    One that was switched on since the claim was made runs what was claimed: `on` comes after the last store.
    """
    cut_off = not claim.in_force and claim.pid == kdamond.pid
    return claim.former if cut_off and claim.former else claim.files


def staged_in(kdamonds: Iterable[ObservedKdamond], index: int) -> tuple[tuple[str, str], ...]:
    """Returns path and value of every file that is staged in directory `index`."""
    return tuple(item for kdamond in kdamonds if kdamond.index == index for item in files_of(kdamond).items())


def files_of(kdamond: ObservedKdamond) -> dict[str, str]:
    """Returns path and value of every file of the staged tree."""
    return _files(kdamond.tree, kdamond.index) if kdamond.tree else {}


def changing_stores(tree: Kdamond, index: int) -> tuple[Store, ...]:
    """Returns the stores that turn what the kernel puts into new directories into `tree`: no others are needed there.

    So files that this kernel does not have, and that are not asked for, are not in the way.
    """
    fresh = _files(_fresh(tree, type(tree)()), index)
    return tuple(store for store in kdamond_stores(tree, index) if store.value != _fresh_value(store.path, fresh))


def _staged_whole(kdamond: ObservedKdamond, claim: OwnedKdamond) -> bool:
    """Returns whether a kdamond that is on carries all of the claim: `on` comes after the last store."""
    present = files_of(kdamond)
    return all(present.get(path) == value for path, value in claim.files if not path.endswith(_TUNED))


def _staged_in_part(kdamond: ObservedKdamond, tree: Kdamond, claim: OwnedKdamond) -> bool:
    """Returns whether the stores of the claim, cut off anywhere, could have left this."""
    known = {*claim.files, *claim.former, *claim.staged}
    present = files_of(kdamond)
    others = [
        (path, value)
        for path, value in present.items()
        if (path, value) not in known and not path.endswith(_TUNED) and _matters(path, present)
    ]
    fresh = _files(_fresh(tree, type(tree)()), kdamond.index) if others else {}
    return all(value == _fresh_value(path, fresh) for path, value in others)


def _matters(path: str, present: dict[str, str]) -> bool:
    """Returns whether the kernel looks at the file: a filter or goal that changed its kind in place keeps its path."""
    directory, _, name = path.rpartition("/")
    if name == "path":
        return present.get(f"{directory}/target_metric") in MEMCG_METRICS
    return name != "memcg_path" or present.get(f"{directory}/type") == FilterType.MEMCG


def _files(tree: Kdamond, index: int) -> dict[str, str]:
    return {store.path: store.value for store in kdamond_stores(tree, index)}


def _fresh_value(path: str, fresh: dict[str, str]) -> str | None:
    return "0" if makes_directories(path) else fresh.get(path)


def _fresh(value: Any, default: Any) -> Any:
    """Returns a tree of the same shape as `value` with what the kernel puts into new directories."""
    return dataclasses.replace(
        value, **{name: _fresh_field(getattr(value, name), getattr(default, name)) for name in _field_names(value)}
    )


def _fresh_field(value: Any, default: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_fresh(child, type(child)()) for child in value)
    return _fresh(value, default) if dataclasses.is_dataclass(value) else default


def _field_names(value: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(value))
