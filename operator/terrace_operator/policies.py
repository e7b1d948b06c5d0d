"""TieringPolicies of the API server as values, readable or not. Pure.

Before: `cluster` lists them, and so does the plugin. After: `fleet` holds them.
"""

from typing import Any

from terrace_api.codec import decode_policy, decode_policy_status
from terrace_api.errors import InvalidObject
from terrace_api.policy import TieringPolicy
from terrace_operator.fleet import InvalidPolicy, Policies

Json = Any


def read_policies(manifests: list[Json]) -> Policies:
    """Returns all policies of a list that nobody has deleted; one that only waits for a finalizer is gone for us."""
    living = [manifest for manifest in manifests if "deletionTimestamp" not in manifest["metadata"]]
    found = [_read_policy(manifest) for manifest in living]
    statuses = {
        manifest["metadata"]["uid"]: decode_policy_status(manifest["status"])
        for manifest in living
        if manifest.get("status")
    }
    return Policies(
        valid=tuple(policy for policy in found if isinstance(policy, TieringPolicy)),
        invalid=tuple(policy for policy in found if isinstance(policy, InvalidPolicy)),
        statuses=statuses,
    )


def _read_policy(manifest: Json) -> TieringPolicy | InvalidPolicy:
    try:
        return decode_policy(manifest)
    except InvalidObject as error:
        metadata = manifest["metadata"]
        return InvalidPolicy(
            name=metadata["name"], uid=metadata["uid"], generation=metadata["generation"], problems=error.problems
        )
