"""The rules of selectors and workloads, as `rules` has those of the rest. Pure."""

from collections.abc import Iterator

from terrace_api.errors import Problem
from terrace_api.selectors import LabelSelector, Operator
from terrace_api.workloads import Match, WorkloadRule


def broken_workloads(rules: tuple[WorkloadRule, ...]) -> Iterator[Problem]:
    """Yields what is wrong with the rules beyond types and patterns."""
    for index, rule in enumerate(rules):
        if rule.match is not None:
            yield from _match(f"spec.workloads[{index}].match", rule.match)


def broken_selector(field: str, selector: LabelSelector, *, instead: str) -> Iterator[Problem]:
    """Yields what is wrong with a selector; `instead` says what to do in place of an empty one."""
    if not selector.match_labels and not selector.match_expressions:
        yield Problem(field=field, message=f"an empty selector selects nothing on purpose; name labels, or {instead}")
    for index, requirement in enumerate(selector.match_expressions or ()):
        if (requirement.operator in {Operator.IN, Operator.NOT_IN}) != bool(requirement.values):
            yield Problem(
                field=f"{field}.matchExpressions[{index}]",
                message="In and NotIn need values; Exists and DoesNotExist take none",
            )


def _match(field: str, match: Match) -> Iterator[Problem]:
    if match == Match():
        yield Problem(field=field, message="an empty match asks for nothing; leave match out to match every pod")
    if match.pod_selector is not None:
        yield from broken_selector(f"{field}.podSelector", match.pod_selector, instead="leave podSelector out")
