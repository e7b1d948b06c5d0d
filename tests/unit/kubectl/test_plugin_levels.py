"""A node in mode Observe without levels is not one with levels of zero: it says why, and no picture has it."""

import dataclasses
import io

import pytest
from rich.console import Console

from cases.plugin_fleet import NOW, a_fleet
from terrace_kubectl import report
from terrace_kubectl.node_view import view
from terrace_kubectl.show.node import show

FLEET = a_fleet()


def observed(name: str) -> str:
    """Returns what `status node` prints of levels, of a node whose status has none."""
    seen = FLEET.seen[name]
    assert seen.status
    without = dataclasses.replace(seen, status=dataclasses.replace(seen.status, levels=None))
    node = next(one for one in FLEET.nodes if one.name == name)
    out = io.StringIO()
    for part in show(view(node, without), now=NOW):
        Console(file=out, width=200).print(part)
    return next((line for line in out.getvalue().splitlines() if line.startswith("Observed")), "")


def test_levels_that_are_not_known_are_no_zero_and_the_reason_is_named() -> None:
    assert "no levels; Status says why" in observed("edge-1")


@pytest.mark.parametrize("name", ["batch-1", "web-4"])
def test_a_node_that_does_not_observe_says_nothing_of_levels(name: str) -> None:
    assert observed(name) == ""


def test_a_report_has_no_node_whose_levels_are_not_known() -> None:
    seen = FLEET.seen["edge-1"]
    assert seen.status
    waiting = dataclasses.replace(seen, status=dataclasses.replace(seen.status, levels=None))
    fleet = dataclasses.replace(FLEET, seen={**FLEET.seen, "edge-1": waiting})
    before, after = (report.report("", [report.sample(one, NOW)], one).observed for one in (FLEET, fleet))
    assert {one.name for one in before} - {one.name for one in after} == {"edge-1"}
