"""A policy file as the API server would have it, and as this plugin reads it where the API server does not check it.

Before: `commands` has the text. After: `diff` compares.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from terrace_api.codec import decode_policy, decode_policy_file
from terrace_api.policy import TieringPolicy
from terrace_api.strict import load_one_document
from terrace_kubectl.cluster import Cluster
from terrace_kubectl.errors import Forbidden
from terrace_operator.fleet import Policies


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A policy that somebody thinks of applying; `unvalidated` says why the API server did not check it."""

    policy: TieringPolicy
    unvalidated: str = ""


def propose(text: str, cluster: Cluster, known: Policies, now: datetime) -> Proposal:
    """Returns the policy of a file with the age that it has, or would have, on the cluster.

    Raises:
        InvalidObject: the file is not one valid TieringPolicy.
        PluginError: the API server refuses it.
    """
    policy = decode_policy_file(text)
    try:
        return Proposal(policy=decode_policy(cluster.rehearse_policy(load_one_document(text, kind="TieringPolicy"))))
    except Forbidden as error:
        return Proposal(policy=_as_known(policy, known, now), unvalidated=f"you may not apply it ({error.message})")


def _as_known(policy: TieringPolicy, known: Policies, now: datetime) -> TieringPolicy:
    """Of equal priorities the older policy wins, so that its age matters."""
    for one in known.valid:
        if one.name == policy.name:
            return replace(policy, uid=one.uid, generation=one.generation, created=one.created)
    return replace(policy, created=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
