"""Statuses that another version may have written: what cannot be read is as if it were not written. Pure.

Before: `converter`. After: `codec`.
"""

import dataclasses
from functools import cache
from typing import Any, TypeVar, get_origin

from terrace_api.converter import structure
from terrace_api.defaults import Json
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import EngineName
from terrace_api.unreadable import camel

Value = TypeVar("Value")

_BLANK: dict[Any, Json] = {int: 0, str: "", tuple: [], EngineName: EngineName.NONE.value}


def structure_readable(written: dict[str, Json], to: type[Value], *, kind: str) -> Value:
    """Returns a value of a class whose fields are blank where nothing that is known here was written.

    A field is read whole or not at all: half an inventory would look like all of it.
    """
    cls: type = to
    try:
        return structure(_blank(cls) | written, to, kind=kind)
    except InvalidObject:
        return structure(_blank(cls) | _readable(written, to), to, kind=kind)


def _readable(written: dict[str, Json], cls: type) -> dict[str, Json]:
    names = (camel(field.name) for field in dataclasses.fields(cls))
    return {name: written[name] for name in names if name in written and _reads(name, written[name], cls)}


def _reads(name: str, value: Json, cls: type) -> bool:
    try:
        structure(_blank(cls) | {name: value}, cls, kind="")
    except InvalidObject:
        return False
    return True


@cache
def _blank(cls: type) -> dict[str, Json]:
    """Returns the fields that a value of a class cannot do without, saying nothing; one for all, not to be changed."""
    required = (field for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING)
    return {camel(field.name): _BLANK[get_origin(field.type) or field.type] for field in required}
