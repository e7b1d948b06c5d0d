"""Objects of the API to frozen values and back.

Policies that people wrote are read strictly (`decode_policy_file`): whatever the API server would refuse is refused,
naming the field. Objects that come from the API server have passed its validation; NodeTierings are read tolerantly,
with unknown fields reported, so that operator and agent may differ by one minor version during an upgrade.

Before: YAML text or JSON objects. After: `policy` and `node_tiering` values.
"""

import dataclasses
from enum import StrEnum
from typing import Any, TypeVar, get_origin

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from terrace_api import rules, schema, unreadable
from terrace_api.bounds import within_bounds
from terrace_api.conditions import Condition
from terrace_api.defaults import Json, unknown_fields, with_defaults, without_defaults
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import ConditionType, EngineName, NodeTiering, NodeTieringSpec, NodeTieringStatus
from terrace_api.policy import Settings, TieringPolicy, TieringPolicySpec, TieringPolicyStatus
from terrace_api.selectors import LabelPairs
from terrace_api.strict import load_one_document, schema_problems
from terrace_api.units import Duration, Percent, Portion, Size
from terrace_api.unreadable import camel

POLICIES = "tieringpolicies"
NODES = "nodetierings"
Value = TypeVar("Value")

_BLANK: dict[Any, Json] = {int: 0, str: "", tuple: [], EngineName: EngineName.NONE.value}
_UNITS: tuple[Any, ...] = (Duration, Percent, Portion, Size)


def decode_policy_file(text: str) -> TieringPolicy:
    """Returns the one policy that a YAML file holds, with an empty uid and creation time.

    Raises:
        InvalidObject: not YAML, not one TieringPolicy, or refused by schema or rules; nothing is guessed.
    """
    manifest = load_one_document(text, kind="TieringPolicy")
    problems = schema_problems(schema.object_schema(POLICIES), manifest)
    if problems:
        raise InvalidObject(kind="TieringPolicy", problems=problems)
    return decode_policy(manifest)


def decode_policy(manifest: dict[str, Json]) -> TieringPolicy:
    """Returns a TieringPolicy of the API server as a value.

    Raises:
        InvalidObject: the object got past the schema, but breaks a rule or cannot be read.
    """
    metadata = manifest.get("metadata") or {}
    filled = with_defaults(schema.part(POLICIES, "spec"), manifest.get("spec") or {})
    spec = _structure(filled, TieringPolicySpec, kind="TieringPolicy")
    problems = rules.broken_rules(spec)
    if problems:
        raise InvalidObject(kind="TieringPolicy", problems=problems)
    return TieringPolicy(
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation", 0),
        created=metadata.get("creationTimestamp", ""),
        spec=spec,
    )


def decode_node_tiering(manifest: dict[str, Json]) -> tuple[NodeTiering, tuple[str, ...]]:
    """Returns a NodeTiering of the API server, and the paths of the spec's fields that are not known here.

    Raises:
        InvalidObject: the known part cannot be read.
    """
    metadata = manifest["metadata"]
    spec = manifest.get("spec") or {}
    unknown = unknown_fields(schema.part(NODES, "spec"), spec, "spec")
    status = manifest.get("status")
    node = NodeTiering(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation", 0),
        resource_version=metadata.get("resourceVersion", ""),
        node_uid=next((ref["uid"] for ref in metadata.get("ownerReferences", ()) if ref["kind"] == "Node"), None),
        spec=_structure(_with_default_settings(spec), NodeTieringSpec, kind="NodeTiering"),
        status=decode_status(status) if status else None,
    )
    return node, unknown


def decode_status(status: dict[str, Json]) -> NodeTieringStatus | None:
    """Returns a NodeTiering's status, or None if an agent of another version wrote what cannot be read here.

    What another version did not write is blank. Every agent says which generation it answers: a status without that
    has only the operator's condition, and is no agent's.
    """
    if "observedGeneration" not in status:
        return None
    try:
        return _structure(_blank(NodeTieringStatus) | status, NodeTieringStatus, kind="NodeTiering")
    except InvalidObject:
        return None


def decode_policy_status(status: dict[str, Json]) -> TieringPolicyStatus | None:
    """Returns a TieringPolicy's status, or None if another version wrote what cannot be read here.

    What another version did not write is blank: the rollout is decided from a status, so that it must not be lost
    because of a field that was added.
    """
    filled = _blank(TieringPolicyStatus) | status
    try:
        if "lastGood" in status:
            filled["lastGood"] = _with_default_settings(status["lastGood"])
        return _structure(filled, TieringPolicyStatus, kind="TieringPolicy")
    except InvalidObject:
        return None


def decode_condition(condition: dict[str, Json]) -> Condition | None:
    """Returns one condition, or None if it cannot be read here."""
    try:
        return _structure(condition, Condition, kind="Condition")
    except InvalidObject:
        return None


def decode_alive(status: dict[str, Json]) -> Condition | None:
    """Returns the condition AgentAlive of a NodeTiering's status, which the operator writes; None if there is none."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == ConditionType.AGENT_ALIVE.value:
            return decode_condition(condition)
    return None


def encode_condition(condition: Condition) -> dict[str, Json]:
    """Returns one condition for the API server."""
    return _unstructure(condition)


def encode_node_tiering_spec(spec: NodeTieringSpec) -> dict[str, Json]:
    """Returns the spec for the API server: settings that are the default are left out, `mode` never is."""
    encoded = _unstructure(spec)
    if spec.settings is not None:
        encoded["settings"] = _sparse(spec.settings)
    return encoded


def encode_status(status: NodeTieringStatus) -> dict[str, Json]:
    """Returns a NodeTiering's status for the API server, with what is too long for the schema cut."""
    encoded: dict[str, Json] = within_bounds(schema.part(NODES, "status"), _unstructure(status))
    return encoded


def encode_policy_status(status: TieringPolicyStatus) -> dict[str, Json]:
    """Returns a TieringPolicy's status for the API server."""
    encoded = _unstructure(status)
    if status.last_good is not None:
        encoded["lastGood"]["settings"] = _sparse(status.last_good.settings)
    return encoded


def encode(value: Any) -> dict[str, Json]:
    """Returns any frozen value as JSON with the names of fields as in objects; what is its class's default is left out.

    Of settings, or of a whole policy spec, that is every field: their defaults are the schema's.
    """
    return _unstructure(value)


def _sparse(settings: Settings) -> dict[str, Json]:
    """Returns the settings that are not the default, and `mode`."""
    sparse: dict[str, Json] = without_defaults(schema.part(POLICIES, "spec"), _unstructure(settings))
    return {"mode": settings.mode.value, **sparse}


def _with_default_settings(holder: dict[str, Json]) -> dict[str, Json]:
    """Returns what holds settings with their defaults filled in."""
    if holder.get("settings") is None:
        return holder
    return {**holder, "settings": with_defaults(schema.part(POLICIES, "spec"), holder["settings"])}


def _blank(cls: type) -> dict[str, Json]:
    """Returns the fields that a value of a class cannot do without, saying nothing."""
    required = (field for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING)
    return {camel(field.name): _BLANK[get_origin(field.type) or field.type] for field in required}


def _structure(value: Json, to: type[Value], *, kind: str) -> Value:
    try:
        return _converter.structure(value, to)
    except cattrs.BaseValidationError as error:
        raise InvalidObject(kind=kind, problems=unreadable.problems(error, path="spec")) from error


def _unstructure(value: Any) -> dict[str, Json]:
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
