"""Which nodes a policy selects: by their labels, in a trial also by their names. Pure.

Before: `fleet`. After: `rank` orders the policies that select one node.
"""

from terrace_api.policy import TieringPolicySpec
from terrace_api.selectors import matches
from terrace_operator.fleet import Node


def selects(spec: TieringPolicySpec, node: Node) -> bool:
    """Returns whether the policy selects the node.

    A policy that says nothing about nodes selects none: nothing dangerous may be the meaning of an absent field.
    """
    if spec.trial is not None and node.name not in spec.trial.node_names:
        return False
    if spec.all_nodes:
        return True
    return spec.node_selector is not None and matches(spec.node_selector, node.labels)
