"""The CRDs and the dataclasses are the same tree, in both directions; derived files are up to date."""

import dataclasses
import runpy
import types
import typing
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from terrace_api.node_tiering import NodeTieringSpec, NodeTieringStatus
from terrace_api.policy import Settings, TieringPolicySpec
from terrace_api.policy_status import TieringPolicyStatus
from terrace_api.schema import object_schema, part
from terrace_api.selectors import LabelPairs, LabelSelector
from terrace_api.units import Duration, Percent, Portion, Size

ROOT = Path(__file__).parents[2]
SCALARS = {int: "integer", str: "string", bool: "boolean", Duration: "string", Percent: "string"}
PARTS = (
    ("tieringpolicies", "spec", TieringPolicySpec),
    ("tieringpolicies", "status", TieringPolicyStatus),
    ("nodetierings", "spec", NodeTieringSpec),
    ("nodetierings", "status", NodeTieringStatus),
)


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def without_none(hint: Any) -> tuple[Any, bool]:
    if isinstance(hint, types.UnionType):
        [kind] = [choice for choice in typing.get_args(hint) if choice is not type(None)]
        return kind, True
    return hint, False


def compare(path: str, hint: Any, schema: dict[str, Any]) -> list[str]:
    """Returns every difference between a type and a schema."""
    kind, _ = without_none(hint)
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return [] if kind is Settings else [f"{path}: only settings are stored without a schema of their own"]
    if kind == LabelPairs:
        return [] if "additionalProperties" in schema else [f"{path}: pairs for {schema.get('type')}"]
    if typing.get_origin(kind) is tuple:
        if schema.get("type") != "array":
            return [f"{path}: a tuple for {schema.get('type')}"]
        return compare(f"{path}[]", typing.get_args(kind)[0], schema["items"])
    if kind in {Portion, Size}:
        return [] if schema.get("x-kubernetes-int-or-string") else [f"{path}: {kind} needs int-or-string"]
    if dataclasses.is_dataclass(kind) and kind not in SCALARS:
        return compare_fields(path, kind, schema)
    if issubclass(kind, StrEnum):
        values, enum = {member.value for member in kind}, set(schema.get("enum", values_unbounded(schema)))
        return [] if values == enum else [f"{path}: {values} in Python, {enum} in the CRD"]
    return [] if SCALARS[kind] == schema.get("type") else [f"{path}: {kind} for {schema.get('type')}"]


def values_unbounded(schema: dict[str, Any]) -> tuple[str, ...]:
    return ("(any)",) if schema.get("type") == "string" else ()


def compare_fields(path: str, kind: Any, schema: dict[str, Any]) -> list[str]:
    hints = typing.get_type_hints(kind)
    in_python = {camel(field.name): hints[field.name] for field in dataclasses.fields(kind)}
    in_crd = schema["properties"]
    differences = [f"{path}.{name}: only in Python" for name in in_python.keys() - in_crd.keys()]
    differences += [f"{path}.{name}: only in the CRD" for name in in_crd.keys() - in_python.keys()]
    for name in in_python.keys() & in_crd.keys():
        differences += compare(f"{path}.{name}", in_python[name], in_crd[name])
    return differences


@pytest.mark.parametrize(("plural", "field", "kind"), PARTS)
def test_the_crd_and_the_dataclasses_are_the_same_tree(plural: str, field: str, kind: type) -> None:
    assert compare(field, kind, part(plural, field)) == []


def values_without_default(path: str, kind: Any, schema: dict[str, Any]) -> list[str]:
    """Returns the fields that are never None in Python, and neither required nor defaulted in the schema."""
    missing: list[str] = []
    for name, hint in typing.get_type_hints(kind).items():
        inner, optional = without_none(hint)
        child = schema["properties"][camel(name)]
        if dataclasses.is_dataclass(inner) and inner not in {Duration, Percent, Portion, Size}:
            missing += values_without_default(f"{path}.{name}", inner, child)
        elif optional == ("default" in child or camel(name) in schema.get("required", ())):
            missing.append(f"{path}.{name}")
    return missing


def test_what_is_never_none_has_its_default_in_the_schema() -> None:
    assert values_without_default("spec", TieringPolicySpec, part("tieringpolicies", "spec")) == []


def described(path: str, schema: dict[str, Any]) -> list[str]:
    missing = [] if "description" in schema or path.count(".") == 0 else [path]
    for name, child in schema.get("properties", {}).items():
        missing += described(f"{path}.{name}", child)
    return missing + (described(f"{path}[]", schema["items"]) if "properties" in schema.get("items", {}) else [])


@pytest.mark.parametrize("plural", ["tieringpolicies", "nodetierings"])
def test_every_field_is_described_and_bounded(plural: str) -> None:
    schema = object_schema(plural)
    undescribed = [path for name in ("spec", "status") for path in described(name, schema["properties"][name])]
    assert [path for path in undescribed if not path.endswith("[]")] == []
    assert list(unbounded("spec", schema["properties"]["spec"])) == []
    assert list(unbounded("status", schema["properties"]["status"])) == []


def unbounded(path: str, schema: dict[str, Any]) -> typing.Iterator[str]:
    kind = schema.get("type")
    if kind == "string" and not {"maxLength", "enum", "format"} & schema.keys():
        yield path
    if kind == "array":
        if "maxItems" not in schema:
            yield path
        yield from unbounded(f"{path}[]", schema["items"])
    if "additionalProperties" in schema and "maxProperties" not in schema:
        yield path
    for name, child in schema.get("properties", {}).items():
        yield from unbounded(f"{path}.{name}", child)


@pytest.mark.parametrize("plural", ["tieringpolicies", "nodetierings"])
def test_no_part_of_a_schema_is_empty(plural: str) -> None:
    """An unquoted comma in a YAML flow mapping makes a key without a value of half a sentence."""
    assert list(empty("", object_schema(plural))) == []


def empty(path: str, schema: Any) -> typing.Iterator[str]:
    if schema is None:
        yield path
    if isinstance(schema, dict):
        for name, child in schema.items():
            yield from empty(f"{path}.{name}", child)


def test_what_only_the_agent_writes_is_owned_as_a_whole() -> None:
    """Or managedFields would name every field of every element, and outgrow the status."""
    status = part("nodetierings", "status")["properties"]
    kinds = {"array": "x-kubernetes-list-type", "object": "x-kubernetes-map-type"}
    owned = {name: schema.get(kinds[schema["type"]]) for name, schema in status.items() if schema["type"] in kinds}
    assert owned.pop("conditions") == "map", "the operator owns one of them"
    assert set(owned.values()) == {"atomic"}


@pytest.mark.parametrize("script", ["generate.py", "reference.py"])
def test_derived_files_are_up_to_date(script: str) -> None:
    generated = runpy.run_path(str(ROOT / "api" / script))["generated"]()
    stale = [str(path.relative_to(ROOT)) for path, text in generated.items() if path.read_text() != text]
    assert stale == [], "run `make generate`"


def test_everything_is_compiled_but_which_nodes_get_it_and_how() -> None:
    settings = part("nodetierings", "spec", "settings")["properties"].keys()
    policy = part("tieringpolicies", "spec")["properties"].keys()
    assert policy - settings == {"priority", "allNodes", "nodeSelector", "paused", "rollout", "trial"}
    assert LabelSelector.__dataclass_fields__.keys() == {"match_labels", "match_expressions"}
