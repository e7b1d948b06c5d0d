"""Who may import what: pure modules do no I/O, and each heavy library has one door.

`.importlinter` states the contracts between packages; these tests hold what modules say of themselves to what they do.
"""

import ast
import configparser
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api/terrace_api", "agent/terrace_agent", "operator/terrace_operator", "kubectl/terrace_kubectl")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

IMPURE = {
    *("asyncio", "ctypes", "glob", "http", "logging", "multiprocessing", "os", "pathlib", "random", "select"),
    *("shutil", "signal", "socket", "subprocess", "sys", "tempfile", "threading", "time", "urllib"),
    *("aiohttp", "kopf", "kubernetes", "prometheus_client", "urllib3"),
}
DOORS = {
    "kopf": {"operator/terrace_operator/handlers.py"},
    "kubernetes": {
        "agent/terrace_agent/transport.py",
        "kubectl/terrace_kubectl/connection.py",
        "operator/terrace_operator/cluster/connection.py",
    },
    "prometheus_client": {
        "agent/terrace_agent/metrics.py",
        "operator/terrace_operator/metrics.py",
        "operator/terrace_operator/listen.py",
    },
    "ctypes": {"agent/terrace_agent/move_pages/syscall.py"},
}


def imported(path: Path) -> Iterator[str]:
    """Yields the full name of every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def is_pure(path: Path) -> bool:
    """Returns whether a module's docstring says that it is pure."""
    return "Pure" in (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0]


PURE = [path for path in MODULES if is_pure(path)]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_decisions_are_in_pure_modules() -> None:
    """A module that lost the word would drop out of the tests below unnoticed."""
    pure = {name(path) for path in PURE}
    assert {
        "agent/terrace_agent/conditions.py",
        "agent/terrace_agent/damon/desired.py",
        "agent/terrace_agent/damon/plan.py",
        "agent/terrace_agent/damon/verify.py",
        "agent/terrace_agent/decide.py",
        "agent/terrace_agent/report.py",
        "agent/terrace_agent/topology/discover.py",
        "agent/terrace_agent/topology/floor.py",
        "api/terrace_api/rules.py",
        "kubectl/terrace_kubectl/diff.py",
        "kubectl/terrace_kubectl/doctor/nodes.py",
        "kubectl/terrace_kubectl/explain_pod.py",
        "kubectl/terrace_kubectl/report.py",
        "kubectl/terrace_kubectl/rows.py",
        "operator/terrace_operator/compile.py",
        "operator/terrace_operator/rank.py",
        "operator/terrace_operator/rollup.py",
        "operator/terrace_operator/select.py",
    } <= pure


@pytest.mark.parametrize("path", PURE, ids=name)
def test_a_pure_module_does_no_io(path: Path) -> None:
    assert {module.partition(".")[0] for module in imported(path)} & IMPURE == set()


@pytest.mark.parametrize("path", PURE, ids=name)
def test_a_pure_module_opens_and_prints_nothing(path: Path) -> None:
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls & {"open", "print", "input"} == set()


@pytest.mark.parametrize("library", DOORS)
def test_a_heavy_library_has_its_doors(library: str) -> None:
    users = {name(path) for path in MODULES if library in {module.partition(".")[0] for module in imported(path)}}
    assert users == DOORS[library]


OF_THE_OPERATOR = {
    *("assign", "compile", "election", "fleet", "liveness", "policies", "rank", "select", "standing", "trial"),
    "waves",
    "wording",
}
"""What the plugin may import of the operator: pure decisions, so that what it foretells is what will be done."""


def test_the_plugin_imports_named_decisions_of_the_operator_only() -> None:
    plugin = [path for path in MODULES if "terrace_kubectl" in path.parts]
    used = {module for path in plugin for module in imported(path) if module.startswith("terrace_operator")}
    assert used == {f"terrace_operator.{module}" for module in OF_THE_OPERATOR}
    assert {f"operator/terrace_operator/{module}.py" for module in OF_THE_OPERATOR} <= {name(path) for path in PURE}


def test_every_module_says_its_job() -> None:
    assert [name(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_the_import_contracts_list_every_pure_module() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    listed = set(contracts["importlinter:contract:pure"]["source_modules"].split())
    dotted = {name(path).partition("/")[2].removesuffix(".py").replace("/", ".") for path in PURE}
    assert listed == dotted
