"""From a tree to the stores that make it. Pure.

Order: a directory's `nr_...` file before what it creates, then the fields as `tree` has them. `state` is not part of
a tree: commands come after, in `plan`.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import lru_cache
from typing import Any

from terrace_agent.damon.tree import Kdamond
from terrace_agent.steps import Store

ADMIN = "/sys/kernel/mm/damon/admin"
KDAMONDS = f"{ADMIN}/kdamonds"
NR_KDAMONDS = f"{KDAMONDS}/nr_kdamonds"

_NR_FILES = {f"nr_{name}" for name in ("kdamonds", "contexts", "targets", "regions", "schemes", "goals", "filters")}


def kdamond_path(index: int) -> str:
    """Returns the directory of kdamond `index`."""
    return f"{KDAMONDS}/{index}"


def state_path(index: int) -> str:
    """Returns the command file of kdamond `index`."""
    return f"{KDAMONDS}/{index}/state"


def refresh_path(index: int) -> str:
    """Returns the file that says how often the kernel writes stats and tuned intervals of kdamond `index`."""
    return f"{KDAMONDS}/{index}/refresh_ms"


def kdamond_stores(kdamond: Kdamond, index: int) -> tuple[Store, ...]:
    """Returns every store that turns any content of `kdamonds/<index>` into `kdamond`."""
    return tuple(_directory(kdamond_path(index), kdamond))


@lru_cache(maxsize=8)
def wanted_stores(kdamond: Kdamond, index: int) -> tuple[Store, ...]:
    """Returns the same of a tree that shall run: a turn asks for it several times, and so does the next one.

    Not of one that was observed: tuned intervals make that another at each look, and with a thousand cgroups listed,
    each that is kept is a MiB. At rest it is converted once a look either way; only while it is off, or a crash came
    before its pid was journaled, is it converted again by each who asks whose it is.
    """
    return kdamond_stores(kdamond, index)


def differing(wanted: Iterable[Store], present: dict[str, str]) -> tuple[Store, ...]:
    """Returns those of `wanted` that files with the content `present` still need.

    Storing an `nr_...` file makes its numbered directories anew, so everything below follows it.
    """
    needed: list[Store] = []
    remade: tuple[str, ...] = ()
    for store in wanted:
        if store.path.startswith(remade) or present.get(store.path) != store.value:
            needed.append(store)
            remade += (directory,) if (directory := _remade_by(store.path)) else ()
    return tuple(needed)


def nr_schemes_path(index: int) -> str:
    """Returns the file that counts the schemes of kdamond `index`; a store to it makes them all anew."""
    return f"{kdamond_path(index)}/contexts/0/schemes/nr_schemes"


def makes_schemes(path: str) -> bool:
    """Returns whether a store to `path` makes all schemes of a kdamond anew, and empties their files."""
    return path.endswith("/contexts/0/schemes/nr_schemes")


def without_schemes(present: dict[str, str]) -> dict[str, str]:
    """Returns the files that are left when all schemes were taken away."""
    return {
        path: "0" if path.endswith("/schemes/nr_schemes") else value
        for path, value in present.items()
        if path.endswith("/schemes/nr_schemes") or "/contexts/0/schemes/" not in path
    }


def nr_file(field: str) -> str:
    """Returns the name of the file that counts the numbered directories of `field`."""
    return "nr_filters" if field.endswith("filters") else f"nr_{field}"


def makes_directories(path: str) -> bool:
    """Returns whether a store to `path` makes numbered directories anew."""
    return path.rpartition("/")[2] in _NR_FILES


def _directory(path: str, value: Any) -> Iterator[Store]:
    for field in dataclasses.fields(value):
        yield from _entry(f"{path}/{field.name}", field.name, getattr(value, field.name))


def _entry(path: str, name: str, value: Any) -> Iterator[Store]:
    if value is None or value == "":
        return
    if isinstance(value, tuple):
        yield Store(path=f"{path}/{nr_file(name)}", value=str(len(value)))
        for number, child in enumerate(value):
            yield from _directory(f"{path}/{number}", child)
    elif dataclasses.is_dataclass(value):
        yield from _directory(path, value)
    else:
        yield Store(path=path, value=_text(value))


def _text(value: bool | int | str | Enum) -> str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    return str(value.value if isinstance(value, Enum) else value)


def _remade_by(path: str) -> str | None:
    return f"{path.rpartition('/')[0]}/" if makes_directories(path) else None
