"""Which nodes a policy selects, by their labels. Pure.

Before: `fleet`. After: `rank` orders the policies that select one node.
"""

from terrace_api.policy import TieringPolicySpec
from terrace_api.selectors import Labels, matches


def selects(spec: TieringPolicySpec, labels: Labels) -> bool:
    """Returns whether the policy selects a node with these labels.

    A policy that says nothing about nodes selects none: nothing dangerous may be the meaning of an absent field.
    """
    if spec.all_nodes:
        return True
    return spec.node_selector is not None and matches(spec.node_selector, labels)
