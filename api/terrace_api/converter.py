"""How values of our classes are read from JSON and written: units by their text forms, fields in camel case. Pure.

Before: `defaults` filled in what was left out. After: `codec` and `tolerant`, which know the objects.
"""

import dataclasses
from enum import StrEnum
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from terrace_api import unreadable
from terrace_api.defaults import Json
from terrace_api.errors import InvalidObject
from terrace_api.selectors import LabelPairs
from terrace_api.units import Duration, Percent, Portion, Size
from terrace_api.unreadable import camel

Value = TypeVar("Value")

_UNITS: tuple[Any, ...] = (Duration, Percent, Portion, Size)


def structure(value: Json, to: type[Value], *, kind: str) -> Value:
    """Returns a value of a class from JSON.

    Raises:
        InvalidObject: it cannot be read; each field that is wrong is named.
    """
    try:
        return _converter.structure(value, to)
    except cattrs.BaseValidationError as error:
        raise InvalidObject(kind=kind, problems=unreadable.problems(error, path="spec")) from error


def unstructure(value: Any) -> dict[str, Json]:
    """Returns a value as JSON, without what is its class's default."""
    encoded: dict[str, Json] = _converter.unstructure(value)
    return encoded


def _strict(value: Json, to: type[Value]) -> Value:
    if type(value) is not to:
        raise ValueError(f"{value!r} is not {_WORDS[to]}")
    return value


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(unstruct_collection_overrides={tuple: list})
    for plain in (int, bool):
        converter.register_structure_hook(plain, _strict)
    converter.register_structure_hook(Portion, lambda value, to: to.parse(value))
    for unit in (Duration, Percent, Size):
        converter.register_structure_hook(unit, lambda value, to: to.parse(str(value)))
        converter.register_unstructure_hook(unit, str)
    converter.register_unstructure_hook(Portion, lambda portion: portion.plain)
    converter.register_unstructure_hook(StrEnum, _value)
    converter.register_structure_hook_func(_is_label_pairs, lambda value, _: _label_pairs(value))
    converter.register_unstructure_hook_func(_is_label_pairs, dict)
    converter.register_structure_hook_factory(_is_plain_dataclass, lambda cls: _structure_hook(cls, converter))
    converter.register_unstructure_hook_factory(_is_plain_dataclass, lambda cls: _unstructure_hook(cls, converter))
    return converter


def _value(member: StrEnum) -> Json:
    return member.value


def _is_label_pairs(kind: Any) -> bool:
    return bool(kind == LabelPairs)


def _label_pairs(value: Json) -> LabelPairs:
    if not isinstance(value, dict) or not all(isinstance(label, str) for label in value.values()):
        raise ValueError(f"{value!r} is not a map of labels")
    return tuple(sorted(value.items()))


def _is_plain_dataclass(cls: type) -> bool:
    return dataclasses.is_dataclass(cls) and cls not in _UNITS


def _structure_hook(cls: type, converter: cattrs.Converter) -> Any:
    renames = {field.name: override(rename=camel(field.name)) for field in dataclasses.fields(cls)}
    return make_dict_structure_fn(cls, converter, **renames)  # type: ignore[arg-type]


def _unstructure_hook(cls: type, converter: cattrs.Converter) -> Any:
    renames = {
        field.name: override(rename=camel(field.name), omit_if_default=True) for field in dataclasses.fields(cls)
    }
    return make_dict_unstructure_fn(cls, converter, **renames)  # type: ignore[arg-type]


_WORDS: dict[type, str] = {int: "a whole number", bool: "true or false"}

_converter = _make_converter()
