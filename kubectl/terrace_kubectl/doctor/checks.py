"""All checks, and the verdict. Pure.

Before: the modules that have the checks. After: `show.doctor`, or JSON.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from terrace_kubectl.doctor import engines, installation, nodes, policies, reports
from terrace_kubectl.doctor.facts import Facts
from terrace_kubectl.doctor.findings import Finding, Level

Check = Callable[[Facts], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    installation.kubernetes,
    installation.crds,
    installation.admission,
    installation.operator,
    installation.leader,
    installation.agents,
    installation.versions,
    reports.inventory,
    reports.without_agent,
    nodes.skew,
    engines.nowhere,
    engines.engines,
    nodes.failures,
    nodes.inverted,
    nodes.guardrails,
    nodes.opted_out_nodes,
    policies.readiness,
)
"""In the order in which they are told: what is missing below explains what is missing above."""
_ORDER = list(Level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings, the worst first."""

    healthy: bool
    findings: tuple[Finding, ...]


def diagnose(facts: Facts) -> Diagnosis:
    """Returns what all checks find."""
    unseen = [Finding(level=Level.UNKNOWN, topic=topic, what=why) for topic, why in facts.unseen.items()]
    found = [finding for check in CHECKS for finding in check(facts)]
    worst_first = tuple(sorted((*found, *unseen), key=lambda finding: _ORDER.index(finding.level)))
    return Diagnosis(healthy=not any(one.level is Level.PROBLEM for one in found), findings=worst_first)
