"""The conditions of a policy, as people and `kubectl wait` read them. Pure.

Before: `tally`. After: `rollup` puts them in the status.

Ready is one of (first that holds): Invalid, NoMatchingNodes, Outranked, NodesDegraded, NoSupportedNodes,
NodesUpdating, NodesNotReady; else it is true: AllNodesReady.
"""

from collections.abc import Iterable
from typing import NamedTuple

from terrace_api.conditions import ConditionStatus
from terrace_api.errors import Problem
from terrace_operator.standing import Standing, State
from terrace_operator.tally import Tally

_NAMED_NODES = 3
_MESSAGE_CHARS = 200
_PROBLEMS = 5


class Verdict(NamedTuple):
    """A condition without the bookkeeping of times and generations."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def verdicts(tally: Tally, problems: tuple[Problem, ...] = ()) -> tuple[Verdict, ...]:
    """Returns the four conditions of a policy; `problems` are why it cannot be read."""
    return (_ready(tally, problems), _progressing(tally), _degraded(tally), _conflicted(tally))


def _ready(tally: Tally, problems: tuple[Problem, ...]) -> Verdict:
    return _never_ready(tally, problems) or _not_yet_ready(tally) or _all_ready(tally)


def _never_ready(tally: Tally, problems: tuple[Problem, ...]) -> Verdict | None:
    """What only another policy, or other labels, can change."""
    count = len(tally.followers)
    if problems:
        found = "; ".join(map(str, problems[:_PROBLEMS]))
        return _no("Ready", "Invalid", f"{found}. Nodes that follow it keep what they have: {count}")
    if not count and tally.lost_nodes:
        return _no("Ready", "Outranked", f"every node that it selects follows another policy: {_winners(tally)}")
    if not count:
        return _no("Ready", "NoMatchingNodes", f"no node is selected{_opted_out(tally)}")
    return None


def _not_yet_ready(tally: Tally) -> Verdict | None:
    if degraded := tally.among(State.DEGRADED):
        return _no("Ready", "NodesDegraded", f"{_nodes(len(degraded))} refused or failed: {_some(degraded)}")
    unsupported = tally.among(State.UNSUPPORTED)
    if len(unsupported) == len(tally.followers):
        return _no("Ready", "NoSupportedNodes", f"no engine can run on {_all(unsupported)}: {_some(unsupported)}")
    if pending := tally.among(State.PENDING):
        return _no("Ready", "NodesUpdating", f"waiting for {_nodes(len(pending))}: {_some(pending)}")
    if unready := tally.among(State.UNREADY):
        return _no("Ready", "NodesNotReady", f"{_nodes(len(unready))} not ready: {_some(unready)}")
    return None


def _all_ready(tally: Tally) -> Verdict:
    ready, unsupported = tally.among(State.READY), tally.among(State.UNSUPPORTED)
    message = f"{_all(ready)} ready"
    if unsupported:
        message += f"; no engine can run on {_nodes(len(unsupported))}: {_some(unsupported)}"
    return Verdict("Ready", ConditionStatus.TRUE, "AllNodesReady", message + _opted_out(tally))


def _progressing(tally: Tally) -> Verdict:
    pending = tally.among(State.PENDING)
    if pending:
        message = f"waiting for {_nodes(len(pending))}: {_some(pending)}"
        return Verdict("Progressing", ConditionStatus.TRUE, "NodesUpdating", message)
    return _no("Progressing", "Settled", "every node has answered the current revision")


def _degraded(tally: Tally) -> Verdict:
    degraded = tally.among(State.DEGRADED)
    if degraded:
        message = f"{_nodes(len(degraded))} refused or failed: {_some(degraded)}"
        return Verdict("Degraded", ConditionStatus.TRUE, "NodesDegraded", message)
    return _no("Degraded", "NoNodeDegraded", "no node refused or failed the current revision")


def _conflicted(tally: Tally) -> Verdict:
    if tally.lost_nodes:
        message = f"{_nodes(tally.lost_nodes)} that it selects follow another policy: {_winners(tally)}"
        return Verdict("Conflicted", ConditionStatus.TRUE, "Outranked", message)
    return _no("Conflicted", "NoConflict", "no node that it selects follows another policy")


def _no(type_: str, reason: str, message: str) -> Verdict:
    return Verdict(type_, ConditionStatus.FALSE, reason, message)


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _all(standings: tuple[Standing, ...]) -> str:
    return "the only node" if len(standings) == 1 else f"all {len(standings)} nodes"


def _some(standings: Iterable[Standing]) -> str:
    """Returns the first few nodes, each with its reason and the start of its message."""
    listed = tuple(standings)
    named = [f"{one.node} ({one.reason}: {one.message[:_MESSAGE_CHARS]})" for one in listed[:_NAMED_NODES]]
    more = len(listed) - len(named)
    return ", ".join(named) + (f", and {more} more" if more else "")


def _winners(tally: Tally) -> str:
    most_first = sorted(tally.lost.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{name} ({_nodes(count)})" for name, count in most_first[:_NAMED_NODES]]
    more = len(most_first) - len(named)
    return ", ".join(named) + (f", and {more} more" if more else "")


def _opted_out(tally: Tally) -> str:
    return f"; {_nodes(tally.opted_out)} opted out by label" if tally.opted_out else ""
