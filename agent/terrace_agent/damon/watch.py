"""Joins the guardrails' pure part and the files that it looks at."""

from dataclasses import replace

from terrace_agent.damon.desired import Desired
from terrace_agent.damon.guards import Review, full_nids, review
from terrace_agent.damon.health import Health, read_health
from terrace_agent.engine import CoolDown, Plan, Step
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Cooldown
from terrace_api.policy import Guardrails


class Watch:
    """Remembers from where it counts; what must outlive the agent is in the journal."""

    def __init__(self, fs: HostFs) -> None:
        self._fs = fs
        self._since: Health | None = None

    def look(self, guardrails: Guardrails, cooldown: Cooldown | None) -> Review:
        """Returns what the guardrails say now, with the cooldown in force."""
        found = review(guardrails, cooldown, self._since, read_health(self._fs))
        self._since = found.since
        return found


def guarded(plan: Plan, wanted: Desired, found: Review, *, guardrails: Guardrails, before: Cooldown | None) -> Plan:
    """Returns `plan` with what the guardrails say, and the cooldown journaled before the first store of it. Pure."""
    begin: tuple[Step, ...] = (CoolDown(cooldown=found.cooldown),) if found.cooldown != before else ()
    flows = tuple(flow for kdamond in wanted.kdamonds for flow in kdamond.flows)
    notes = (found.note,) if found.note else ()
    return replace(
        plan,
        steps=(*begin, *plan.steps),
        tripped=(*found.tripped, *full_nids(guardrails, flows)),
        effective=replace(plan.effective, notes=plan.effective.notes + notes) if plan.effective else None,
    )
