"""Objects of the API to frozen values and back.

Policies that people wrote are read strictly (`decode_policy_file`): whatever the API server would refuse is refused,
naming the field. Objects that come from the API server have passed its validation; NodeTierings are read tolerantly,
with unknown fields reported, so that operator and agent may differ by one minor version during an upgrade.

Before: YAML text or JSON objects. After: `policy` and `node_tiering` values.
"""

from typing import Any

from terrace_api import rules, schema
from terrace_api.bounds import within_bounds
from terrace_api.conditions import Condition
from terrace_api.converter import structure, unstructure
from terrace_api.defaults import Json, unknown_fields, with_defaults, without_defaults
from terrace_api.errors import InvalidObject
from terrace_api.node_tiering import ConditionType, NodeTiering, NodeTieringSpec, NodeTieringStatus, PolicyRef
from terrace_api.policy import Settings, TieringPolicy, TieringPolicySpec
from terrace_api.policy_status import TieringPolicyStatus
from terrace_api.strict import load_one_document, schema_problems
from terrace_api.tolerant import structure_readable

POLICIES = "tieringpolicies"
NODES = "nodetierings"


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
    spec = structure(filled, TieringPolicySpec, kind="TieringPolicy")
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
        spec=structure(_with_default_settings(spec), NodeTieringSpec, kind="NodeTiering"),
        status=decode_status(status) if status else None,
    )
    return node, unknown


def decode_policy_ref(spec: dict[str, Json]) -> PolicyRef | None:
    """Returns whose a NodeTiering's spec is, whatever else of it cannot be read here; None if it does not say."""
    try:
        return structure(spec.get("policy"), PolicyRef, kind="NodeTiering")
    except InvalidObject:
        return None


def decode_status(status: dict[str, Json]) -> NodeTieringStatus | None:
    """Returns a NodeTiering's status, or None if it is not, or not as far as is known here, an agent's.

    What another version did not write, or what cannot be read here, is blank: an agent that runs an engine that is
    new speaks all the same. Every agent says which generation it answers: a status without that has only the
    operator's condition.
    """
    if type(status.get("observedGeneration")) is not int:
        return None
    return structure_readable(status, NodeTieringStatus, kind="NodeTiering")


def decode_policy_status(status: dict[str, Json]) -> TieringPolicyStatus:
    """Returns a TieringPolicy's status.

    What another version did not write, or what cannot be read here, is blank: the rollout is decided from a status,
    so that it must not be lost because of one field.
    """
    if "lastGood" in status:
        status = {**status, "lastGood": _with_default_settings(status["lastGood"])}
    return structure_readable(status, TieringPolicyStatus, kind="TieringPolicy")


def decode_condition(condition: dict[str, Json]) -> Condition | None:
    """Returns one condition, or None if it cannot be read here."""
    try:
        return structure(condition, Condition, kind="Condition")
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
    return unstructure(condition)


def encode_node_tiering_spec(spec: NodeTieringSpec) -> dict[str, Json]:
    """Returns the spec for the API server: settings that are the default are left out, `mode` never is."""
    encoded = unstructure(spec)
    if spec.settings is not None:
        encoded["settings"] = _sparse(spec.settings)
    return encoded


def encode_status(status: NodeTieringStatus) -> dict[str, Json]:
    """Returns a NodeTiering's status for the API server, with what is too long for the schema cut."""
    encoded: dict[str, Json] = within_bounds(schema.part(NODES, "status"), unstructure(status))
    return encoded


def encode_policy_status(status: TieringPolicyStatus) -> dict[str, Json]:
    """Returns a TieringPolicy's status for the API server."""
    encoded = unstructure(status)
    if status.last_good is not None:
        encoded["lastGood"]["settings"] = _sparse(status.last_good.settings)
    return encoded


def encode(value: Any) -> dict[str, Json]:
    """Returns any frozen value as JSON with the names of fields as in objects; what is its class's default is left out.

    Of settings, or of a whole policy spec, that is every field: their defaults are the schema's.
    """
    return unstructure(value)


def _sparse(settings: Settings) -> dict[str, Json]:
    """Returns the settings that are not the default, and `mode`."""
    sparse: dict[str, Json] = without_defaults(schema.part(POLICIES, "spec"), unstructure(settings))
    return {"mode": settings.mode.value, **sparse}


def _with_default_settings(holder: dict[str, Json]) -> dict[str, Json]:
    """Returns what holds settings with their defaults filled in."""
    if holder.get("settings") is None:
        return holder
    return {**holder, "settings": with_defaults(schema.part(POLICIES, "spec"), holder["settings"])}
