"""Filling in and leaving out defaults, and finding unknown fields, by schema. Pure.

Before: plain JSON values as people or the API server wrote them. After: `codec`, which makes typed values of them.
"""

from typing import Any

from terrace_api.schema import Schema

Json = Any
"""A JSON value: dict, list, str, int, float, bool or None."""


def with_defaults(schema: Schema, value: Json) -> Json:
    """Returns `value` with every default of the schema filled in.

    An absent object is filled in only if all of it has defaults: `quota` is, `watermarks` (which has required
    fields, and whose absence means off) is not.
    """
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(schema["items"], item) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    filled = dict(value)
    for name, child in schema["properties"].items():
        if name in filled:
            filled[name] = with_defaults(child, filled[name])
        elif "default" in child:
            filled[name] = child["default"]
        elif "properties" in child and "required" not in child and (nested := with_defaults(child, {})):
            filled[name] = nested
    return filled


def without_defaults(schema: Schema, value: Json) -> Json:
    """Returns `value` without what is the schema's default anyway; `with_defaults` brings it back."""
    if isinstance(value, list) and "items" in schema:
        return [without_defaults(schema["items"], item) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    sparse = {}
    for name, child in value.items():
        known = schema["properties"].get(name, {})
        if "default" in known and known["default"] == child:
            continue
        reduced = without_defaults(known, child)
        if reduced != {} or "required" in known:
            sparse[name] = reduced
    return sparse


def unknown_fields(schema: Schema, value: Json, path: str) -> tuple[str, ...]:
    """Returns the paths of the fields that the schema does not know, in the value's order."""
    if isinstance(value, list) and "items" in schema:
        items = (unknown_fields(schema["items"], item, f"{path}[{i}]") for i, item in enumerate(value))
        return tuple(found for item in items for found in item)
    if not isinstance(value, dict) or "properties" not in schema:
        return ()
    found: list[str] = []
    for name, child in value.items():
        if name not in schema["properties"]:
            found.append(f"{path}.{name}")
        else:
            found.extend(unknown_fields(schema["properties"][name], child, f"{path}.{name}"))
    return tuple(found)
