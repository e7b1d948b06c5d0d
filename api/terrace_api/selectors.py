"""Label selectors as the API server means them. Pure.

Before: `policy` (selectors that people wrote). After: the operator selects nodes with them, the agent pods.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from terrace_api import OPT_OUT_LABEL, OPT_OUT_VALUE

Labels = Mapping[str, str]

LabelPairs = tuple[tuple[str, str], ...]
"""Keys and values of a `matchLabels`, sorted: unlike a `dict` a value that can be hashed, as all of a policy is."""


class Operator(StrEnum):
    """How a label selector's requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One `matchExpressions` entry of a label selector."""

    key: str
    operator: Operator
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """A `metav1.LabelSelector` that is not empty."""

    match_labels: LabelPairs | None = None
    match_expressions: tuple[Requirement, ...] | None = None


def matches(selector: LabelSelector, labels: Labels) -> bool:
    """Returns whether labels meet a `metav1.LabelSelector`; an empty one matches nothing here."""
    wanted = selector.match_labels or ()
    requirements = selector.match_expressions or ()
    if not wanted and not requirements:
        return False
    return all(labels.get(key) == value for key, value in wanted) and all(
        _meets(requirement, labels) for requirement in requirements
    )


def opted_out(labels: Labels) -> bool:
    """Returns whether the label of a node or pod tells Terrace to keep its hands off; it wins over every policy."""
    return labels.get(OPT_OUT_LABEL) == OPT_OUT_VALUE


def _meets(requirement: Requirement, labels: Labels) -> bool:
    """As the API server does it: `NotIn` is also met where there is no such label."""
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
