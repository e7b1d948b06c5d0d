"""What the agent makes of the policy's settings while the node does not bear them: joins pure parts and files.

Before: settings and journal. After: `desired` takes the outcome, `carried` puts it into the plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from terrace_agent.damon.cputime import read_cpu_times
from terrace_agent.damon.desired import Desired
from terrace_agent.damon.easing import CpuTimes, Load, judge
from terrace_agent.damon.verify import totals
from terrace_agent.engine import Plan
from terrace_agent.flows.guarding import Guarding
from terrace_agent.flows.guards import Review, full_nids, sample
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import JournalState
from terrace_agent.steps import Ease, Step
from terrace_api.policy import Guardrails, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """What holds beside the settings, as of `at_s` seconds since boot."""

    at_s: float
    review: Review
    load: Load


class Adapter:
    """Remembers from where it counts; what must outlive the agent is in the journal."""

    def __init__(self, fs: HostFs) -> None:
        self._fs = fs
        self._guarding = Guarding(fs)
        self._times: CpuTimes | None = None

    def look(self, settings: Settings, state: JournalState, *, moves: bool, can_tune: bool) -> Adaptation:
        """Returns what holds now; stores nothing. Where nothing `moves` no guardrail can be hit."""
        at_s, found = self._guarding.look(settings, state.cooldown, moves=moves)
        pids = [claim.pid for claim in state.owned if claim.pid and claim.in_force]
        times = read_cpu_times(self._fs, pids, uptime_s=at_s)
        load = judge(state.easing, settings.monitoring, self._times, times, running=bool(pids), can_tune=can_tune)
        self._times = load.since
        return Adaptation(at_s=at_s, review=found, load=load)

    def remember(self, wanted: Desired, state: JournalState, at_s: float) -> None:
        """Takes what has moved so far, for the next look."""
        flows = tuple(flow for kdamond in wanted.kdamonds for flow in kdamond.flows)
        self._guarding.remember(sample(flows, totals(state), at_s))


def carried(plan: Plan, wanted: Desired, adaptation: Adaptation, state: JournalState, guards: Guardrails) -> Plan:
    """Returns `plan` with what holds beside the settings, journaled before the first store. Pure."""
    flows = tuple(flow for kdamond in wanted.kdamonds for flow in kdamond.flows)
    notes = tuple(filter(None, (adaptation.review.note, adaptation.load.note)))
    return replace(
        plan,
        steps=(*_journaled(adaptation, state), *plan.steps),
        tripped=(*adaptation.review.tripped, *full_nids(guards, flows)),
        effective=replace(plan.effective, notes=plan.effective.notes + notes) if plan.effective else None,
    )


def _journaled(adaptation: Adaptation, state: JournalState) -> Iterator[Step]:
    yield from adaptation.review.journaled(state.cooldown)
    if adaptation.load.easing != state.easing:
        yield Ease(steps=adaptation.load.easing)
