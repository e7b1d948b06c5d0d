"""What a policy's followers get as their spec. Pure.

Before: `rank` found the winner. After: `decide` gives each node its spec.
"""

import hashlib
import json
from dataclasses import fields

from terrace_api.codec import encode_node_tiering_spec
from terrace_api.node_tiering import Action, NodeTieringSpec, PolicyRef
from terrace_api.policy import Settings, TieringPolicy, TieringPolicySpec
from terrace_api.policy_status import LastGood

RESTORE = NodeTieringSpec(action=Action.RESTORE)
"""Leave the node as it was found."""

_REVISION_DIGITS = 12


def compile_spec(policy: TieringPolicy) -> NodeTieringSpec:
    """Returns the spec of every node that follows `policy`."""
    settings = settings_of(policy.spec)
    return compile_good(policy, LastGood(revision=revision(settings), settings=settings))


def compile_good(policy: TieringPolicy, good: LastGood) -> NodeTieringSpec:
    """Returns the spec of a node that gets the revision of `policy` that was good last."""
    return NodeTieringSpec(
        action=Action.MANAGE,
        policy=PolicyRef(name=policy.name, uid=policy.uid),
        revision=good.revision,
        settings=good.settings,
    )


def settings_of(spec: TieringPolicySpec) -> Settings:
    """Returns the part of a policy that is for its nodes; what is left out says which nodes those are."""
    return Settings(**{field.name: getattr(spec, field.name) for field in fields(Settings)})


def revision(settings: Settings) -> str:
    """Returns what identifies these settings: equal settings, however they were spelled, have equal revisions.

    Only settings count. Another priority or selector changes who follows a policy, not what a follower shall do: it
    must not count as a new revision and roll through nodes on which nothing changes.

    Settings equal to their default do not count either: a policy that spells a default out equals one that leaves it
    out, and a version of Terrace that adds a field starts no rollout when it is installed.
    """
    sparse = encode_node_tiering_spec(NodeTieringSpec(action=Action.MANAGE, settings=settings))["settings"]
    canonical = json.dumps(sparse, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_REVISION_DIGITS]
