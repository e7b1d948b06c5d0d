"""Policies and their nodes over time, without a loop and a clock: decisions are carried out at once, agents answer when
the test wants it, and seconds pass when it says so."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from cases.fleets import NOW, READY, SINGLE_TIER, a_node, a_report, a_tiering
from terrace_api.conditions import Condition
from terrace_api.node_tiering import EngineName, NodeTieringSpec
from terrace_api.policy import TieringPolicy
from terrace_api.policy_status import TieringPolicyStatus
from terrace_operator.assign import assign
from terrace_operator.decide import Decided, decide
from terrace_operator.fleet import Agent, Node, Policies, Tiering
from terrace_operator.phase import Lasting, Rollout, Since
from terrace_operator.progress import Goal
from terrace_operator.statuses import policy_statuses
from terrace_operator.tally import tally


@dataclass(kw_only=True)
class Rehearsal:
    """Nodes that are all restored, and policies.

    Attributes:
        told: every change of a spec, in order: the node and the revision; an empty one for Restore.
    """

    policies: dict[str, TieringPolicy] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    tierings: dict[str, Tiering] = field(default_factory=dict)
    statuses: dict[str, TieringPolicyStatus] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    now_s: float = 1000.0
    told: list[tuple[str, str]] = field(default_factory=list)
    _since_s: dict[tuple[str, str, Lasting], float] = field(default_factory=dict)

    def put(self, policy: TieringPolicy) -> None:
        """Somebody writes a policy."""
        self.policies[policy.name] = policy

    def add(self, *names: str, **labels: str) -> None:
        """Nodes register that have been restored, as all are before the first policy."""
        for name in names:
            self.nodes[name] = a_node(name, **labels)
            self.tierings[name] = a_tiering(self.nodes[name])
            self.answer(name)

    def look(self) -> Decided:
        """Returns what is decided now, and carries nothing out."""
        goals = [Goal.of(policy, self.statuses.get(policy.uid)) for policy in self.policies.values()]
        assignments = assign(self.policies.values(), self.nodes.values(), {})
        since = Since(now_s=self.now_s, at_s=self._since_s)
        return decide(assignments, goals, self.tierings, self.agents, since, unsure=self.unsure)

    def step(self) -> dict[str, Rollout]:
        """Makes one pass: writes all specs, then all statuses."""
        decided = self.look()
        for decision in decided.decisions:
            self._write(decision.node, decision.spec)
        known = Policies(valid=tuple(self.policies.values()), statuses=self.statuses)
        tallies = tally(self.policies, decided.decisions, self.tierings, self.agents)
        writes = policy_statuses(known, decided.rollouts, tallies, datetime.fromisoformat(NOW))
        self.statuses = {write.uid: write.after for write in writes}
        self._since_s = decided.lasting(Goal.of(policy, None) for policy in self.policies.values())
        return dict(decided.rollouts)

    def restart(self) -> None:
        """The operator is another process now: what was only in its memory is lost."""
        self._since_s = {}
        self.unsure = set()

    def answer(self, name: str, *conditions: Condition) -> None:
        """A node's agent says what came of its spec; without conditions, that it is in force and well."""
        tiering = self.tierings[name]
        assert tiering.spec is not None
        report = a_report(*(conditions or (READY,)), revision=tiering.spec.revision, generation=tiering.generation)
        self.tierings[name] = replace(tiering, report=report)

    def answer_single_tier(self, *names: str) -> None:
        """Nodes with a single tier say that nothing has to run there."""
        for name in names:
            self.answer(name, SINGLE_TIER)
            tiering = self.tierings[name]
            assert tiering.report is not None
            idle = replace(tiering.report, engine=EngineName.NONE, active_revision="", tiers=1)
            self.tierings[name] = replace(tiering, report=idle)

    def answer_all(self, *, except_for: Iterable[str] = ()) -> None:
        """Every agent whose spec can be read says that all is well."""
        for name, tiering in tuple(self.tierings.items()):
            if tiering.spec is not None and name not in set(except_for):
                self.answer(name)

    def having(self, policy: TieringPolicy) -> list[str]:
        """Returns the names of the nodes that were told the policy's current revision last."""
        target = Goal.of(policy, None).target
        return sorted(name for name, one in self.tierings.items() if one.spec == target)

    def _write(self, node: Node, spec: NodeTieringSpec) -> None:
        before = self.tierings.get(node.name)
        if before is not None and before.told == spec:
            return
        self.told.append((node.name, spec.revision or ""))
        if before is None:
            self.tierings[node.name] = a_tiering(node, spec)
        else:
            self.tierings[node.name] = replace(before, spec=spec, generation=before.generation + 1)
