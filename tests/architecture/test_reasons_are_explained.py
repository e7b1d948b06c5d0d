"""Every reason that a condition of a node or a policy can carry is on the page for the person who reads it there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from terrace_kubectl.doctor.engines import CURES
from terrace_operator.fleet import Agent
from terrace_operator.phase import Phase

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/troubleshooting.md").read_text()
REASON = re.compile(r"[A-Z][a-z0-9]+([A-Z][A-Za-z0-9]*)+")
ONE_WORD = re.compile(r"[A-Z][a-z0-9]+")
"""A reason where one stands, as in `Seccomp`; any other word elsewhere."""
OTHERS = {"BearerToken", "InForce", "MemFree", "MemTotal", "NodeTiering"}
"""Other words of that shape in the agent's code."""
HARMLESS = {"AsTheKernelOrders", "GuardrailTripped", "NotEnforcing", "NotEvaluated", "NotNeeded", "NotProbed"}
HARMLESS |= {"WithinLimits", "Available", "Valid", "Resolved"}
"""Reasons of a condition that asks nothing of anybody."""


def words() -> set[str]:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "agent/terrace_agent").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    anywhere = {value for node in nodes for value in texts(node) if REASON.fullmatch(value)}
    return anywhere | {value for node in nodes for value in texts(reason_in(node)) if ONE_WORD.fullmatch(value)}


def texts(node: ast.AST | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def reason_in(node: ast.AST) -> ast.AST | None:
    """Where a reason stands: `reason=` of a call, the first of what is yielded, or of a verdict."""
    match node:
        case ast.keyword(arg="reason"):
            return node.value
        case ast.Yield(value=ast.Tuple(elts=[first, _])):
            return first
        case ast.Call(func=ast.Name(id="true" | "false" | "unknown"), args=[first, _]):
            return first
    return None


def test_every_reason_is_on_the_page() -> None:
    missing = {word for word in words() - OTHERS - HARMLESS if f"`{word}`" not in PAGE}
    assert missing == set()


def test_the_page_names_no_reason_that_is_gone() -> None:
    named = {word for word in re.findall(r"`([A-Za-z0-9]+)`", PAGE) if REASON.fullmatch(word)}
    assert named - words() - of_policies() - {agent.value for agent in Agent} == set()


def test_what_is_left_out_is_in_the_code() -> None:
    assert words() >= OTHERS | HARMLESS


def of_policies() -> set[str]:
    """The reasons that the module of verdicts gives, and the phases of a rollout, which are reasons, too."""
    at = {"_no": 1, "Verdict": 2, "NotInForce": 0}
    tree = ast.parse((ROOT / "operator/terrace_operator/verdict.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    reasons = [call.args[at[call.func.id]] for call in calls if isinstance(call.func, ast.Name) and call.func.id in at]
    constants = {one.value for one in reasons if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return constants | {phase.value for phase in Phase}


def test_every_reason_of_a_policy_is_in_its_section() -> None:
    section = PAGE.partition("## A policy is not Ready")[2]
    assert len(of_policies()) > 12
    assert {reason for reason in of_policies() if f"`{reason}`" not in section} == set()


def test_every_reason_that_keeps_engines_from_running_has_its_cure_in_doctor() -> None:
    section = PAGE.partition("## EngineAvailable is False")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    assert {reason for row in rows for reason in re.findall(r"`(\w+)`", row)} == CURES.keys()


def test_every_reason_of_a_silent_agent_is_on_the_page() -> None:
    assert {agent.value for agent in Agent if f"`{agent.value}`" not in PAGE} - {Agent.ALIVE.value} == set()
