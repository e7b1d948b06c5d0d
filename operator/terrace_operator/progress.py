"""How far a revision has come among the nodes of its policy. Pure.

Before: `member`. After: `rollout` decides what follows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from terrace_api.node_tiering import NodeTieringSpec
from terrace_api.policy import OnFailure, TieringPolicy
from terrace_api.policy_status import Stopped, TieringPolicyStatus, Wave
from terrace_operator.compile import compile_good, compile_spec
from terrace_operator.fleet import Agent
from terrace_operator.member import Member
from terrace_operator.standing import Standing, State, stand, unheard


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a policy wants on its nodes, and what its status remembers of earlier rollouts.

    Attributes:
        target: the current revision.
        good: the last revision that proved itself; None before there is one.
        stopped: how the last rollout of `target` failed, if it did.
        wave: as it was recorded since the policy was edited last.
    """

    policy: TieringPolicy
    target: NodeTieringSpec
    good: NodeTieringSpec | None
    stopped: Stopped | None
    wave: Wave | None

    @classmethod
    def of(cls, policy: TieringPolicy, status: TieringPolicyStatus | None) -> Self:
        """Returns the goal of a policy that has this status."""
        target = compile_spec(policy)
        last_good = status.last_good if status else None
        stopped = status.stopped if status else None
        wave = status.wave if status else None
        return cls(
            policy=policy,
            target=target,
            good=compile_good(policy, last_good) if last_good else None,
            stopped=stopped if stopped and stopped.revision == target.revision else None,
            wave=wave if wave and wave.generation == policy.generation else None,
        )

    def shared(self, present: Iterable[NodeTieringSpec]) -> Self:
        """Returns the same goal whose specs are those of `present` that are equal, if any is.

        To compare one value with itself takes no time; thousands of nodes were told the same, and all are compared.
        """
        specs = tuple(present)
        return replace(self, target=_one_of(specs, self.target), good=self.good and _one_of(specs, self.good))

    @property
    def key(self) -> tuple[str, str]:
        """What a bake is the bake of."""
        return self.policy.uid, self.target.revision or ""

    @property
    def reached(self) -> bool:
        """Whether the current revision has proved itself."""
        return self.good is not None and self.good.revision == self.target.revision

    @property
    def has_stopped(self) -> bool:
        """Whether the rollout failed, and the policy was not edited since."""
        return self.stopped is not None and self.stopped.generation == self.policy.generation

    @property
    def rolls_back(self) -> bool:
        """Whether nodes go back when the rollout has failed."""
        return self.policy.spec.rollout.on_failure is OnFailure.ROLLBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Who has the revision, who can have it, and what those who were told it have made of it.

    Once the revision is good, only the first three are looked at.

    Attributes:
        nodes: how many there are.
        updating: names of nodes that follow the policy and whose answer to whatever they were told is still to come.
        behind: nodes that can be told the revision now, the best first.
        joining: nodes that follow no revision of this policy yet, and can be told the good one.
        told: how many were told it and count: not those where nothing runs, and not those set aside.
        failed: those of them that refused it, failed, or fell silent.
        unsettled: those of them whose answer is still to come.
        proven: at least one of them is ready, with an engine in force.
        aside: names of nodes that failed this revision before the policy was edited, and still do.
    """

    nodes: int
    updating: frozenset[str]
    behind: tuple[Member, ...]
    joining: tuple[Member, ...] = ()
    told: int = 0
    failed: tuple[Standing, ...] = ()
    unsettled: tuple[Standing, ...] = ()
    proven: bool = False
    aside: tuple[str, ...] = ()


def look(goal: Goal, members: Sequence[Member]) -> Progress:
    """Returns how far the goal's revision has come; nodes without an agent are left out of everything."""
    members = [member for member in members if member.agent is not Agent.NONE]
    behind = _behind(goal, members)
    if goal.reached and not behind:
        return Progress(nodes=len(members), updating=frozenset(), behind=behind)
    following = [(member, _answer(member)) for member in members if member.follows(goal.target)]
    updating = frozenset(member.name for member, answer in following if answer.state is State.PENDING)
    if goal.reached:
        return Progress(nodes=len(members), updating=updating, behind=behind)
    earlier = set(goal.stopped.nodes) if goal.stopped and not goal.has_stopped else set()
    standings = tuple(answer for member, answer in following if member.was_told(goal.target))
    failed = tuple(one for one in standings if one.state in {State.DEGRADED, State.SILENT})
    aside = tuple(one.node for one in failed if one.node in earlier)
    idle = sum(one.runs_nothing for one in standings)
    return Progress(
        nodes=len(members),
        told=len(standings) - idle - len(aside),
        failed=tuple(one for one in failed if one.node not in earlier),
        unsettled=tuple(one for one in standings if one.state in {State.PENDING, State.UNREADY}),
        proven=any(one.state is State.READY and not one.runs_nothing for one in standings),
        aside=aside,
        updating=updating if behind else frozenset(),
        behind=tuple(one for one in behind if goal.good is None or one.follows(goal.target)),
        joining=tuple(one for one in behind if goal.good is not None and not one.follows(goal.target)),
    )


def _behind(goal: Goal, members: Iterable[Member]) -> tuple[Member, ...]:
    """Returns who can be told the current revision, in the order in which they should be.

    First who may have been told it already. Then who can prove it, before nodes on which nothing would run. Then who
    runs a revision that never proved itself: they are exposed in any case, and may have failed it.
    """

    def order(member: Member) -> tuple[bool, bool, bool, bool, str]:
        exposed = member.follows(goal.target) and not member.was_told(goal.good)
        return not member.unsure, member.would_run_nothing, not member.has_engine, not exposed, member.name

    able = (one for one in members if one.agent is Agent.ALIVE and one.writable and not one.was_told(goal.target))
    return tuple(sorted(able, key=order))


def _one_of(specs: Iterable[NodeTieringSpec], wanted: NodeTieringSpec) -> NodeTieringSpec:
    return next((spec for spec in specs if spec == wanted), wanted)


def _answer(member: Member) -> Standing:
    """Returns what the node has made of what it was told."""
    if member.agent is not Agent.ALIVE:
        return unheard(member.name, member.agent, member.tiering)
    assert member.present is not None
    return stand(member.node, member.present, member.tiering)
