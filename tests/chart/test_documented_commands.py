"""The commands of docs/install.md, as far as they are about values: the real helm renders the chart with each."""

import re
import shlex
from pathlib import Path

import pytest

from chart.rendering import CHART, Rendered, render

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/install.md").read_text()


def commands() -> list[list[str]]:
    """Returns the page's commands that set values of the chart, as words."""
    blocks = re.sub(r"\\\n\s*", "", PAGE)
    lines = re.findall(r"^ {4,}(helm (?:install|upgrade) .*)$", blocks, re.MULTILINE)
    return [words for words in map(shlex.split, lines) if settings(words)]


def settings(command: list[str]) -> tuple[str, ...]:
    return tuple(command[index + 1] for index, word in enumerate(command) if word == "--set")


COMMANDS = commands()


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: ",".join(settings(words))[:60])
def test_a_documented_command_renders_another_installation_than_the_default(command: list[str]) -> None:
    assert ROOT / command[3] == CHART
    assert settings(command)
    assert text(render(*settings(command))) != text(render())


def text(found: Rendered) -> str:
    return repr(found.manifests)


def test_every_optional_part_has_its_command() -> None:
    said = {one.partition("=")[0] for command in COMMANDS for one in settings(command)}
    assert {"networkPolicy.enabled", "podMonitor.enabled", "resourceQuota.enabled", "openshift.scc"} <= said
    assert {"flowControl.enabled", "agent.hostProc", "agent.seLinuxOptions.type", "operator.image.digest"} <= said
