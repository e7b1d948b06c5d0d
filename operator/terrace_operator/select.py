"""Which nodes a policy selects: by their labels, in a trial also by their names. Pure.

Before: `fleet`. After: `rank` orders the policies that select one node.
"""

from collections.abc import Mapping
from typing import assert_never

from terrace_api import OPT_OUT_LABEL, OPT_OUT_VALUE
from terrace_api.policy import LabelSelector, Operator, Requirement, TieringPolicySpec
from terrace_operator.fleet import Node

Labels = Mapping[str, str]


def selects(spec: TieringPolicySpec, node: Node) -> bool:
    """Returns whether the policy selects the node.

    A policy that says nothing about nodes selects none: nothing dangerous may be the meaning of an absent field.
    """
    if spec.trial is not None and node.name not in spec.trial.node_names:
        return False
    if spec.all_nodes:
        return True
    return spec.node_selector is not None and matches(spec.node_selector, node.labels)


def matches(selector: LabelSelector, labels: Labels) -> bool:
    """Returns whether labels meet a `metav1.LabelSelector`; an empty one matches nothing here."""
    wanted = selector.match_labels or {}
    requirements = selector.match_expressions or ()
    if not wanted and not requirements:
        return False
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _meets(requirement, labels) for requirement in requirements
    )


def opted_out(labels: Labels) -> bool:
    """Returns whether a node's label tells Terrace to keep its hands off; it wins over every policy."""
    return labels.get(OPT_OUT_LABEL) == OPT_OUT_VALUE


def _meets(requirement: Requirement, labels: Labels) -> bool:
    """As the API server does it: `NotIn` is also met by a node without the label."""
    present = requirement.key in labels
    listed = present and labels[requirement.key] in (requirement.values or ())
    match requirement.operator:
        case Operator.IN:
            return listed
        case Operator.NOT_IN:
            return not listed
        case Operator.EXISTS:
            return present
        case Operator.DOES_NOT_EXIST:
            return not present
        case other:
            assert_never(other)
