"""The conditions of a policy, as people and `kubectl wait` read them. Pure.

Before: `tally`, `rollout`. After: `rollup` puts them in the status.

Ready is one of (first that holds): Invalid, TrialEnded, NoMatchingNodes, Outranked, RolloutStopped, RolledBack,
NodesDegraded, NoSupportedNodes, then what a rollout still has to do (Paused, Canary, NodesUpdating, Baking,
NodesJoining), NodesUpdating, NodesNotReady; else it is true: AllNodesReady.
"""

from typing import NamedTuple

from terrace_api.conditions import ConditionStatus
from terrace_api.errors import Problem
from terrace_api.node_tiering import ConditionType
from terrace_operator.fleet import Report
from terrace_operator.phase import Phase, Rollout
from terrace_operator.standing import Standing, State
from terrace_operator.tally import Tally
from terrace_operator.wording import a_few, nodes, some

_PROBLEMS = 5
_FAILED = {Phase.STOPPED, Phase.ROLLED_BACK}
_UNDER_WAY = {Phase.CANARY, Phase.UPDATING, Phase.BAKING, Phase.JOINING}


class Verdict(NamedTuple):
    """A condition without the bookkeeping of times and generations."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


class NotInForce(NamedTuple):
    """Why a policy is in force nowhere, whatever nodes say."""

    reason: str
    message: str


def invalid(problems: tuple[Problem, ...]) -> NotInForce:
    """Returns that a policy cannot be read."""
    return NotInForce("Invalid", "; ".join(map(str, problems[:_PROBLEMS])))


def trial_ended(end: str) -> NotInForce:
    """Returns that the trial is over since `end`."""
    return NotInForce(
        "TrialEnded",
        f"the trial ended at {end}: its nodes follow other policies or were restored. "
        "Delete the policy, or remove spec.trial to keep it",
    )


def verdicts(tally: Tally, rollout: Rollout | None, not_in_force: NotInForce | None = None) -> tuple[Verdict, ...]:
    """Returns the four conditions of a policy; one that is not in force has no rollout."""
    return (
        _ready(tally, rollout, not_in_force),
        _progressing(tally, rollout),
        _degraded(tally, rollout),
        _conflicted(tally),
    )


def _ready(tally: Tally, rollout: Rollout | None, not_in_force: NotInForce | None) -> Verdict:
    return _never_ready(tally, not_in_force) or _not_yet_ready(tally, rollout) or _all_ready(tally)


def _never_ready(tally: Tally, not_in_force: NotInForce | None) -> Verdict | None:
    """What only another policy, or other labels, can change."""
    count = len(tally.followers)
    if not_in_force:
        kept = f". Nodes that follow it keep what they have: {count}" if count else ""
        return _no("Ready", not_in_force.reason, not_in_force.message + kept)
    if not count and tally.lost_nodes:
        return _no("Ready", "Outranked", f"every node that it selects follows another policy: {_winners(tally)}")
    if not count:
        return _no("Ready", "NoMatchingNodes", f"no node is selected{_left_out(tally)}")
    return None


def _not_yet_ready(tally: Tally, rollout: Rollout | None) -> Verdict | None:
    """What a human has to look at, then what time brings."""
    return _failed(tally, rollout) or _outstanding(tally, rollout)


def _failed(tally: Tally, rollout: Rollout | None) -> Verdict | None:
    if rollout is not None and rollout.phase in _FAILED:
        return _no("Ready", rollout.phase.value, rollout.message)
    if degraded := tally.among(State.DEGRADED):
        return _no("Ready", "NodesDegraded", f"{nodes(len(degraded))} refused or failed: {some(degraded)}")
    without = tally.among(State.UNSUPPORTED, State.SILENT)
    if len(without) == len(tally.followers):
        return _no("Ready", "NoSupportedNodes", f"no engine runs on {_all(without)}: {some(without)}")
    return None


def _outstanding(tally: Tally, rollout: Rollout | None) -> Verdict | None:
    if rollout is not None and tally.among(State.WAITING):
        return _no("Ready", rollout.phase.value, _in_words(rollout, tally))
    if pending := tally.among(State.PENDING):
        return _no("Ready", Phase.UPDATING.value, f"waiting for {nodes(len(pending))}: {some(pending)}")
    if unready := tally.among(State.UNREADY):
        return _no("Ready", "NodesNotReady", f"{nodes(len(unready))} not ready: {some(unready)}")
    return None


def _all_ready(tally: Tally) -> Verdict:
    ready, unsupported = tally.among(State.READY), tally.among(State.UNSUPPORTED)
    message = f"{_all(ready)} ready"
    if unsupported:
        message += f"; no engine can run on {nodes(len(unsupported))}: {some(unsupported)}"
    if silent := _silent(tally):
        message += f"; {silent}"
    message += _against_kernel(ready)
    return Verdict("Ready", ConditionStatus.TRUE, "AllNodesReady", message + _left_out(tally))


def _against_kernel(ready: tuple[Standing, ...]) -> str:
    inverted = [one.node for one in ready if one.report and _is_inverted(one.report)]
    if not inverted:
        return ""
    where = "the order of tiers is against the kernel's (see TiersInverted there)"
    return f"; on {nodes(len(inverted))} {where}: {a_few(inverted)}"


def _is_inverted(report: Report) -> bool:
    condition = report.condition(ConditionType.TIERS_INVERTED)
    return condition is not None and condition.status is ConditionStatus.TRUE


def _progressing(tally: Tally, rollout: Rollout | None) -> Verdict:
    if rollout is not None and rollout.phase is not Phase.SETTLED:
        status = ConditionStatus.TRUE if rollout.phase in _UNDER_WAY else ConditionStatus.FALSE
        return Verdict("Progressing", status, rollout.phase.value, _in_words(rollout, tally))
    if pending := tally.among(State.PENDING):
        message = f"waiting for {nodes(len(pending))}: {some(pending)}"
        return Verdict("Progressing", ConditionStatus.TRUE, Phase.UPDATING.value, message)
    return _no("Progressing", Phase.SETTLED.value, _settled(tally, rollout))


def _settled(tally: Tally, rollout: Rollout | None) -> str:
    """Says why nothing is on its way; there is no rollout of a policy that is not in force."""
    silent = _silent(tally)
    if rollout is None:
        return "it is not in force: no revision is on its way"
    if not tally.followers:
        return "no node follows it"
    if not silent:
        return "every node has answered the current revision"
    if len(tally.among(State.SILENT)) == len(tally.followers):
        return silent
    return f"every node that is heard of has answered the current revision; {silent}"


def _degraded(tally: Tally, rollout: Rollout | None) -> Verdict:
    if rollout is not None and rollout.phase in _FAILED:
        return Verdict("Degraded", ConditionStatus.TRUE, rollout.phase.value, rollout.message)
    if degraded := tally.among(State.DEGRADED):
        message = f"{nodes(len(degraded))} refused or failed: {some(degraded)}"
        return Verdict("Degraded", ConditionStatus.TRUE, "NodesDegraded", message)
    return _no("Degraded", "NoNodeDegraded", "no node refused or failed the current revision")


def _conflicted(tally: Tally) -> Verdict:
    if tally.lost_nodes:
        message = f"{nodes(tally.lost_nodes)} that it selects follow another policy: {_winners(tally)}"
        return Verdict("Conflicted", ConditionStatus.TRUE, "Outranked", message)
    return _no("Conflicted", "NoConflict", "no node that it selects follows another policy")


def _in_words(rollout: Rollout, tally: Tally) -> str:
    unsettled = tally.among(State.PENDING, State.UNREADY)
    return rollout.message + (f"; waiting for {nodes(len(unsettled))}: {some(unsettled)}" if unsettled else "")


def _no(type_: str, reason: str, message: str) -> Verdict:
    return Verdict(type_, ConditionStatus.FALSE, reason, message)


def _all(standings: tuple[Standing, ...]) -> str:
    return "the only node" if len(standings) == 1 else f"all {len(standings)} nodes"


def _silent(tally: Tally) -> str:
    silent = tally.among(State.SILENT)
    return f"nothing is heard of {nodes(len(silent))}: {some(silent)}" if silent else ""


def _winners(tally: Tally) -> str:
    most_first = sorted(tally.lost.items(), key=lambda item: (-item[1], item[0]))
    return a_few([f"{name} ({nodes(count)})" for name, count in most_first])


def _left_out(tally: Tally) -> str:
    opted_out = f"; {nodes(tally.opted_out)} opted out by label" if tally.opted_out else ""
    return opted_out + (f"; no agent runs on {nodes(tally.without_agent)}" if tally.without_agent else "")
