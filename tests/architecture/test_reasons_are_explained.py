"""Every reason that a node's conditions can carry is on the page for the person who reads it there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/troubleshooting.md").read_text()
REASON = re.compile(r"[A-Z][a-z0-9]+([A-Z][A-Za-z0-9]*)+")
OTHERS = {"BearerToken", "InForce", "MemFree", "MemTotal", "NodeTiering"}
"""Other words of that shape in the agent's code."""
HARMLESS = {"GuardrailTripped", "NotEnforcing", "NotEvaluated", "NotNeeded", "NotProbed", "WithinLimits"}
"""Reasons of a condition that asks nothing of anybody."""


def words() -> set[str]:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "agent/terrace_agent").rglob("*.py")]
    constants = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {value for value in constants if isinstance(value, str) and REASON.fullmatch(value)}


def test_every_reason_is_on_the_page() -> None:
    missing = {word for word in words() - OTHERS - HARMLESS if f"`{word}`" not in PAGE}
    assert missing == set()


def test_the_page_names_no_reason_that_is_gone() -> None:
    by_operator = {"NoAgent", "AgentSilent", "NodeNotReady"}
    named = {word for word in re.findall(r"`([A-Za-z0-9]+)`", PAGE) if REASON.fullmatch(word)}
    assert named - words() - by_operator == set()


def test_what_is_left_out_is_in_the_code() -> None:
    assert words() >= OTHERS | HARMLESS
