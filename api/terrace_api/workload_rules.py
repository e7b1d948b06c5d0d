"""The rules of selectors and workloads, as `rules` has those of the rest. Pure."""

from collections.abc import Iterator

from terrace_api.errors import Problem
from terrace_api.selectors import LabelSelector, Operator
from terrace_api.units import Size
from terrace_api.workloads import FastMemory, Match, WorkloadAction, WorkloadRule

_LEAST = Size(2**20)


def broken_workloads(rules: tuple[WorkloadRule, ...]) -> Iterator[Problem]:
    """Yields what is wrong with the rules beyond types and patterns."""
    for index, rule in enumerate(rules):
        if rule.match is not None:
            yield from _match(f"spec.workloads[{index}].match", rule.match)
        if rule.fast_memory is not None:
            if rule.action is not WorkloadAction.TIER:
                message = "fastMemory bounds what is tiered; leave it out, or set action to Tier"
                yield Problem(field=f"spec.workloads[{index}]", message=message)
            yield from _fast_memory(f"spec.workloads[{index}].fastMemory", rule.fast_memory)


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


def _fast_memory(field: str, limits: FastMemory) -> Iterator[Problem]:
    if limits.max is None and limits.min is None:
        message = "fastMemory without max and min bounds nothing; set at least one of them, or leave it out"
        yield Problem(field=field, message=message)
    for name, size in (("max", limits.max), ("min", limits.min)):
        if size is not None and size < _LEAST:
            yield Problem(field=f"{field}.{name}", message=f"must be at least {_LEAST}")
    if limits.max is not None and limits.min is not None and limits.min > limits.max:
        yield Problem(field=field, message="fastMemory.min must not exceed fastMemory.max")


def _match(field: str, match: Match) -> Iterator[Problem]:
    if match == Match():
        yield Problem(field=field, message="an empty match asks for nothing; leave match out to match every pod")
    if match.pod_selector is not None:
        yield from broken_selector(f"{field}.podSelector", match.pod_selector, instead="leave podSelector out")
