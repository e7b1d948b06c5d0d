"""Who gets which revision of one policy now, from the objects alone. Pure; the time comes in as an argument.

A new revision goes to the canary, then in waves to the others. A wave is filled up, must settle (everybody who was told
has answered and is well) and then bake, before the next one begins. When everybody has the revision and it has baked,
it is good: nodes that join get it, and a later rollout that fails goes back to it.

What must be remembered is in the policy's status: the good revision, how far the wave goes, and that a rollout failed.
Only a wave that is *recorded* is filled up, and only a rollout that is *recorded* as failed is rolled back: or else a
restart in between would find a larger wave, or healthy nodes, and begin again. For how long a wave has been well is
measured by the running process: a restart makes a bake longer, never shorter.

Limits are for what is new. Going back (rollback, restore) is not held up by any.

Before: `progress` says how far it is. After: `phase` has what comes out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from terrace_api.node_tiering import NodeTieringSpec
from terrace_api.policy_status import Stopped, Wave
from terrace_operator.compile import RESTORE
from terrace_operator.member import Member
from terrace_operator.notices import baking, failed_on, failure
from terrace_operator.phase import Lasting, Phase, Rollout, Since, Specs
from terrace_operator.progress import Goal, Progress, look
from terrace_operator.waves import Limits, take
from terrace_operator.wording import nodes

PATIENCE_S = 30.0
"""How long too many nodes must have failed before it is called a failure: agents try again several times meanwhile."""
_S_US = 1_000_000
RECORDED_NODES = 5000
"""How many nodes that failed are remembered, as the CRD bounds it: as many as a cluster is meant to have. Those beyond
would stop the next attempt as well. With the longest names they are 1.3 MB, of 1.5 MiB that etcd takes in a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """All that one decision is made from.

    Attributes:
        slots: how many more nodes may begin to update.
        specs: what members have if none of them takes the revision now.
    """

    goal: Goal
    seen: Progress
    limits: Limits
    slots: int
    specs: Specs
    since: Since


def roll_out(goal: Goal, members: Sequence[Member], since: Since) -> Rollout:
    """Returns what every member is to have now, and what is to be recorded."""
    seen = look(goal, members)
    if not seen.told:  # the wave is of nobody who is left
        goal = replace(goal, wave=None)
    limits = Limits.of(goal.policy.spec.rollout, seen.nodes)
    joining, slots = take(
        seen.joining, room=len(seen.joining), slots=limits.wave - len(seen.updating), of=seen.updating
    )
    specs = {member.name: _as_told(goal, member) for member in members} | _give(goal.good, joining)
    turn = _Turn(goal=goal, seen=seen, limits=limits, slots=slots, specs=specs, since=since)
    if goal.reached:
        return _join(turn)
    found = _roll_on(turn, members)
    return replace(found, wave=found.wave or goal.wave)


def _roll_on(turn: _Turn, members: Sequence[Member]) -> Rollout:
    goal, seen = turn.goal, turn.seen
    failing = len(seen.failed) >= turn.limits.failures(seen.told)
    if goal.has_stopped and (goal.rolls_back or seen.behind or failing):
        return _after_failure(turn, members)
    if failing:
        return _fail(turn)
    if goal.policy.spec.paused and seen.behind:
        message = f"spec.paused is true: {len(seen.behind)} of {nodes(seen.nodes)} keep what they have"
        return Rollout(phase=Phase.PAUSED, message=message, specs=turn.specs)
    return _go_on(turn)


def _join(turn: _Turn) -> Rollout:
    """Gives what is known to be good: neither canary nor bake is needed."""
    seen, revision = turn.seen, turn.goal.target.revision
    taken, _ = take(seen.behind, room=len(seen.behind), slots=turn.slots, of=seen.updating)
    specs = turn.specs | _give(turn.goal.target, taken)
    if missing := len(seen.behind) - len(taken):
        message = f"{missing} of {nodes(seen.nodes)} do not have revision {revision} yet, which is good"
        return Rollout(phase=Phase.JOINING, message=message, specs=specs)
    return Rollout(phase=Phase.SETTLED, message=f"revision {revision} is good", specs=specs)


def _after_failure(turn: _Turn, members: Sequence[Member]) -> Rollout:
    goal = turn.goal
    assert goal.stopped is not None
    if not goal.rolls_back:
        return Rollout(phase=Phase.STOPPED, message=failure(goal, goal.stopped), specs=turn.specs)
    back = [member for member in members if member.follows(goal.target) and not member.was_told(goal.good)]
    specs = turn.specs | _give(goal.good or RESTORE, back)
    return Rollout(phase=Phase.ROLLED_BACK, message=failure(goal, goal.stopped), specs=specs)


def _fail(turn: _Turn) -> Rollout:
    """Gives the revision to nobody while too many fail; if that lasts, has it recorded."""
    goal, seen = turn.goal, turn.seen
    since_s = turn.since.begin(goal, Lasting.FAILING)
    due_s = since_s + PATIENCE_S
    if turn.since.now_s < due_s:
        return replace(_tell(turn, room=0), lasting=(Lasting.FAILING, since_s), due_s=due_s)
    failed = Stopped(
        generation=goal.policy.generation,
        revision=goal.target.revision or "",
        nodes=(*seen.aside, *(one.node for one in seen.failed))[:RECORDED_NODES],
        message=failed_on(goal, seen),
    )
    lasting = (Lasting.FAILING, since_s)
    words = failure(goal, failed)
    return Rollout(phase=Phase.STOPPED, message=words, specs=turn.specs, failed=failed, lasting=lasting)


def _go_on(turn: _Turn) -> Rollout:
    """Fills up the wave; or if it is full, waits until it has settled and baked, and begins the next one.

    Of a wave that settles those that leave are replaced. One that bakes stays as it is, or else it would never end
    where nodes come and go.
    """
    goal, seen, revision = turn.goal, turn.seen, turn.goal.target.revision
    bakes = seen.told and turn.since.knows(goal, Lasting.WELL)
    room = turn.limits.room(seen.told, goal.wave) if seen.behind and not bakes else 0
    if room or seen.unsettled:
        return _tell(turn, room)
    if not seen.behind and not seen.proven:
        return Rollout(phase=Phase.SETTLED, message=f"no node has proved revision {revision}", specs=turn.specs)
    since_s = turn.since.begin(goal, Lasting.WELL)
    due_s = since_s + goal.policy.spec.rollout.bake.us / _S_US
    well = (Lasting.WELL, since_s)
    if turn.since.now_s < due_s:
        recovered = goal.has_stopped
        return Rollout(
            phase=Phase.BAKING,
            message=baking(goal, seen),
            specs=turn.specs,
            lasting=well,
            due_s=due_s,
            recovered=recovered,
        )
    if seen.behind:
        return _begin_wave(turn)
    return Rollout(
        phase=Phase.SETTLED, message=f"revision {revision} is good", specs=turn.specs, lasting=well, good=True
    )


def _begin_wave(turn: _Turn) -> Rollout:
    """Has the next wave recorded, and tells it only then.

    That the last one has baked is forgotten with it: if the record is lost, the bake begins anew.
    """
    goal, seen = turn.goal, turn.seen
    wave = Wave(generation=goal.policy.generation, nodes=seen.told + turn.limits.wave)
    told = _tell(turn, room=turn.limits.wave if wave == goal.wave else 0)
    return replace(told, phase=Phase.UPDATING, wave=wave)


def _tell(turn: _Turn, room: int) -> Rollout:
    """Tells the revision to as many nodes as there is room in the wave."""
    goal, seen = turn.goal, turn.seen
    taken, _ = take(seen.behind, room=room, slots=turn.slots, of=seen.updating)
    told = seen.told + len(taken)
    first = told <= turn.limits.canary and len(taken) < len(seen.behind)
    return Rollout(
        phase=Phase.CANARY if first else Phase.UPDATING,
        message=f"{told} of {nodes(seen.nodes)} were told revision {goal.target.revision}",
        specs=turn.specs | _give(goal.target, taken),
    )


def _as_told(goal: Goal, member: Member) -> NodeTieringSpec:
    """Returns what the member has if nothing is given to it; what somebody tampered with is as it should be again."""
    if member.was_told(goal.target):
        return goal.target
    if goal.good is not None and member.was_told(goal.good):
        return goal.good
    return member.stays


def _give(spec: NodeTieringSpec | None, members: Iterable[Member]) -> dict[str, NodeTieringSpec]:
    return {member.name: spec for member in members} if spec is not None else {}
