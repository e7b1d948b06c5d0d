"""The CRDs as data: the one place where defaults, bounds and documentation are written. Pure but for one cached read.

Before: `crds/*.yaml`, shipped in the package. After: `codec`, which validates with the schema and fills in defaults.
"""

from functools import cache
from importlib import resources
from typing import Any

import yaml

Schema = dict[str, Any]
"""A node of an OpenAPI v3 schema."""


@cache
def object_schema(plural: str) -> Schema:
    """Returns the schema of a kind by its plural name, `tieringpolicies` or `nodetierings`."""
    text = (resources.files("terrace_api") / "crds" / f"{plural}.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    crd = yaml.load(text, Loader=loader)
    schema: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def part(plural: str, *path: str) -> Schema:
    """Returns the schema of a field, for example `part("tieringpolicies", "spec", "quota")`."""
    schema = object_schema(plural)
    for name in path:
        schema = schema["properties"][name]
    return schema


def closed(schema: Schema) -> Schema:
    """Returns the schema as strict JSON Schema: unknown fields are errors, as kubectl's strict validation has it."""
    result = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if "properties" in schema:
        result["properties"] = {name: closed(child) for name, child in schema["properties"].items()}
        result.setdefault("additionalProperties", False)
    if "items" in schema:
        result["items"] = closed(schema["items"])
    return result
