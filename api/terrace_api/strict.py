"""Reading what people wrote: one YAML document, held against the CRD's schema, every problem with its field. Pure.

jsonschema is imported when the first file is read: an agent in a DaemonSet never needs it.
"""

from collections.abc import Hashable, Iterator
from typing import Any

import yaml

from terrace_api import API_VERSION
from terrace_api.defaults import Json
from terrace_api.errors import InvalidObject, Problem
from terrace_api.schema import Schema, closed


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a mapping with a key written twice, as the API server's strict validation does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is written twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def load_one_document(text: str, *, kind: str) -> dict[str, Json]:
    """Returns the single object of `kind` in a YAML text.

    Raises:
        InvalidObject: not YAML, not exactly one document, or an object of another kind or version.
    """
    try:
        documents = [found for found in yaml.load_all(text, Loader=_UniqueKeys) if found is not None]
    except yaml.YAMLError as error:
        raise _invalid(kind, "(file)", f"not YAML: {' '.join(str(error).split())}") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise _invalid(kind, "(file)", f"holds {len(documents)} objects; it must hold one {kind}")
    manifest: dict[str, Json] = documents[0]
    for field, wanted in (("apiVersion", API_VERSION), ("kind", kind)):
        if manifest.get(field) != wanted:
            raise _invalid(kind, field, f"is {manifest.get(field)!r}; it must be {wanted}")
    return manifest


def schema_problems(schema: Schema, manifest: dict[str, Json]) -> tuple[Problem, ...]:
    """Returns what the schema refuses, each with its field and what is accepted there."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 (see the module's docstring)

    strict = closed(schema)
    strict["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    errors = Draft202012Validator(strict).iter_errors(manifest)
    return (*(problem for error in errors for problem in _problems(error)), *_duplicates(schema, manifest, ""))


def _duplicates(schema: Schema, value: Json, path: str) -> Iterator[Problem]:
    """Yields what is in a set, or has the keys of another entry of a map, as the API server names it."""
    if isinstance(value, dict):
        for name, child in schema.get("properties", {}).items():
            yield from _duplicates(child, value.get(name), f"{path}.{name}".lstrip("."))
    if isinstance(value, list) and "items" in schema:
        seen: list[Json] = []
        for index, item in enumerate(value):
            identity = _identity(schema, item, index)
            if identity in seen:
                yield Problem(field=f"{path}[{index}]", message=f"Duplicate value: {identity!r} is there already")
            seen.append(identity)
            yield from _duplicates(schema["items"], item, f"{path}[{index}]")


def _identity(schema: Schema, item: Json, index: int) -> Json:
    """Returns what no two items of a list may share."""
    match schema.get("x-kubernetes-list-type"):
        case "set":
            return item
        case "map" if isinstance(item, dict):
            return {key: item.get(key) for key in schema["x-kubernetes-list-map-keys"]}
        case _:
            return index


def _problems(error: Any) -> list[Problem]:
    path = _path(error)
    if error.validator == "additionalProperties":
        known = ", ".join(error.schema["properties"])
        extra = [name for name in error.instance if name not in error.schema["properties"]]
        return [
            Problem(field=f"{path}.{name}".lstrip("."), message=f"unknown field; known here: {known}") for name in extra
        ]
    if error.validator == "pattern":
        return [Problem(field=path, message=f"{error.instance!r} is not {_accepted(error.validator_value)}")]
    if error.validator == "enum":
        accepted = ", ".join(map(str, error.validator_value))
        return [Problem(field=path, message=f"{error.instance!r} is not one of {accepted}")]
    return [Problem(field=path or "(object)", message=error.message)]


def _path(error: Any) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return "".join(parts).lstrip(".")


def _accepted(pattern: str) -> str:
    """Returns in words what a pattern of the schema accepts."""
    words = {
        "%": "a share from 0% to 100% with at most two decimals, such as 99.6%",
        "(h|m|s|ms|us)": "a duration such as 5ms, 1s or 1m30s",
        "(h|m|s|ms)": "a duration in whole milliseconds such as 5ms or 1s",
        "Ki": "a size such as 200Mi",
    }
    return next((word for part, word in words.items() if part in pattern), f"of the form {pattern}")


def _invalid(kind: str, field: str, message: str) -> InvalidObject:
    return InvalidObject(kind=kind, problems=(Problem(field=field, message=message),))
