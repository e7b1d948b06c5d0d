"""Text for a terminal, the last state on disk, and log lines."""

import io
import json
from pathlib import Path

import pytest

from terrace_agent.decide import Intent
from terrace_agent.engine import Plan
from terrace_agent.errors import KdamondDied
from terrace_agent.laststate import LastState
from terrace_agent.present import plan_text, status_line, table
from terrace_agent.steplog import StepLog, seconds_since_process_start
from terrace_agent.workloads.problem import Problem
from unit.agent.host_tree import MIB
from unit.agent.test_report import observed, status


def test_a_status_is_one_line() -> None:
    line = status_line(status(observed(promoted=250 * MIB)))
    assert line.startswith("Ready=True (Enforcing) | engine damon | no kdamond | fast 75.0% used | promoted 250Mi")
    assert "\n" not in line


def test_a_line_says_what_is_wrong() -> None:
    line = status_line(status(observed(Intent.ENFORCE, KdamondDied(index=1, command="commit"))))
    assert "Ready=False (KdamondDied)" in line
    assert "kdamond 1 is off" in line


def test_a_plan_says_what_its_engine_cannot_do() -> None:
    problem = Problem(reason="TooManyCgroups", message="3 more are left where they are.")
    assert "# 3 more are left where they are." in plan_text(Plan(steps=(), reason="in force", problem=problem)).split(
        "\n"
    )


def test_columns_are_aligned_and_the_last_is_as_wide_as_it_likes() -> None:
    assert table(("A", "B"), [("long", "x"), ("y", "")]) == ["A     B", "long  x", "y"]


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"boot_id": "b"}'])
def test_a_last_state_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "nodetiering.json").write_text(content)
    assert LastState(tmp_path, boot_id="b").load() is None


def test_the_last_state_keeps_what_this_version_does_not_know(tmp_path: Path) -> None:
    manifest = {"metadata": {"name": "n1"}, "spec": {"teleport": True}}
    LastState(tmp_path, boot_id="b").save(manifest)
    assert LastState(tmp_path, boot_id="b").load() == manifest
    assert LastState(tmp_path, boot_id="another").load() is None


def test_each_step_begins_where_the_one_before_ended() -> None:
    now = [10.0]
    stream = io.StringIO()
    log = StepLog(stream, clock=lambda: now[0])
    log.begin(seconds_ago=2)
    for name, at in (("start", 10.5), ("observe", 11.0)):
        now[0] = at
        log.step(name, nids=2)
    log.flush(worth_it=True)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["step"], line["took_s"], line["monotonic_s"]) for line in lines] == [
        ("start", 2.5, 10.5),
        ("observe", 0.5, 11.0),
    ]
    assert lines[0]["nids"] == 2
    assert lines[0]["time"].endswith("Z")


def test_steps_that_are_not_worth_a_line_are_dropped() -> None:
    stream = io.StringIO()
    log = StepLog(stream)
    log.step("observe")
    log.flush(worth_it=False)
    log.flush(worth_it=True)
    assert stream.getvalue() == ""


def test_a_process_knows_its_age() -> None:
    assert 0 < seconds_since_process_start() < 24 * 3600
