"""Which pods have bounds on their fast memory. Pure.

Before: `rules` (a pod's own), `resolve` (whether it is tiered). After: an engine that can keep them.

Each such pod costs an engine work of its own, so that there is a bound on them. It is on pods, not on rules: the first
ones by the order of the rules keep theirs, whatever comes and goes behind them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from terrace_agent.workloads.problem import Problem
from terrace_agent.workloads.values import Decision, Limited, Movable, PodCgroups
from terrace_api.workloads import FastMemory

MOST_LIMITED = 16


def bounded(decisions: tuple[Decision, ...], rules: Iterable[str]) -> tuple[Decision, ...]:
    """Returns the decisions with the limits that are kept, and in words which; `rules` are names in their order."""
    order = {name: number for number, name in enumerate(rules)}
    asking = [decision for decision in decisions if decision.tiered and decision.limits]
    first = sorted(asking, key=lambda decision: (order[decision.rule], decision.uid))[:MOST_LIMITED]
    kept = {decision.uid for decision in first}
    return tuple(_said(decision, is_kept=decision.uid in kept) for decision in decisions)


def limited(decisions: tuple[Decision, ...], pods: Iterable[PodCgroups]) -> tuple[Limited, ...]:
    """Returns the pods of the decisions that have limits."""
    limits = {decision.uid: decision.limits for decision in decisions if decision.limits}
    return tuple(_limited(pod, bounds) for pod in pods if (bounds := limits.get(pod.uid)))


def too_many(decisions: tuple[Decision, ...], asking: int) -> Problem | None:
    """Returns what to say where not all of those that ask for limits have them."""
    left = asking - sum(decision.limits is not None for decision in decisions)
    if not left:
        return None
    return Problem(
        reason="TooManyLimits",
        message=(
            f"workloads[].fastMemory: at most {MOST_LIMITED} pods of a node can have limits; {left} more are tiered "
            "without. Match fewer pods with fastMemory, or put the rule that matters most first."
        ),
    )


def asking(decisions: Iterable[Decision]) -> int:
    """Returns how many pods that are tiered should have limits."""
    return sum(decision.tiered and decision.limits is not None for decision in decisions)


def unkept(movable: Movable, engine: str) -> Iterator[str]:
    """Yields what a person should know where there are limits that an engine cannot keep."""
    if movable.limited:
        yield (
            f"workloads[].fastMemory: {len(movable.limited)} pods are tiered without limits, which {engine} cannot "
            "keep; DAMON can, where spec.engine allows it, from Linux 7.1 on"
        )


def _said(decision: Decision, *, is_kept: bool) -> Decision:
    limits = decision.limits
    if limits is None or not decision.tiered:
        return replace(decision, limits=None)
    if not is_kept:
        why = f"{decision.why}; without its fastMemory, since {MOST_LIMITED} pods here have limits already"
        return replace(decision, limits=None, why=why)
    return replace(decision, why=f"{decision.why}; {_words(limits)}")


def _words(limits: FastMemory) -> str:
    named = (f"{name} {size}" for name, size in (("at most", limits.max), ("at least", limits.min)) if size)
    return f"{', '.join(named)} of fast memory"


def _limited(pod: PodCgroups, limits: FastMemory) -> Limited:
    return Limited(
        path=pod.path,
        cgroups=pod.cgroups,
        max_bytes=limits.max.bytes if limits.max else None,
        min_bytes=limits.min.bytes if limits.min else None,
    )
