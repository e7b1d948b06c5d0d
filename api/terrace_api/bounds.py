"""Cutting what is too long for the schema: a status must not be lost whole because one part of it is. Pure.

Before: a status as JSON. After: `codec` hands it to who writes it.
"""

from terrace_api.defaults import Json
from terrace_api.schema import Schema


def within_bounds(schema: Schema, value: Json) -> Json:
    """Returns `value` with every text cut to its `maxLength` and every list to its `maxItems`."""
    if isinstance(value, str):
        return value[: schema.get("maxLength")]
    if isinstance(value, list):
        return [within_bounds(schema["items"], item) for item in value[: schema.get("maxItems")]]
    if isinstance(value, dict) and "properties" in schema:
        return {name: within_bounds(schema["properties"].get(name, {}), child) for name, child in value.items()}
    return value
