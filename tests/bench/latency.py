"""`make bench-latency`: from `kubectl apply` to `state=on`, and from the agent's start to Ready."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.steps import Steps, apply_to_on, median_run, start_to_ready
from demo.options import kernel_argument
from story import host
from story.stage import NAMESPACE, SAMPLES, Stage, stage
from testbed import command, progress, waiting
from testbed.kernels import Kernel

POLICY = "demo"
ROUNDS = 5


def main() -> int:
    """Runs the benchmark and returns the exit code."""
    parser = argparse.ArgumentParser(prog="make bench-latency")
    parser.add_argument("--kernel", type=kernel_argument, default=None)
    options = parser.parse_args()
    return command.run(lambda: _run(options.kernel))


def _run(kernel: Kernel | None) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="terrace-bench-", ignore_cleanup_errors=True) as directory,
        stage(Path(directory), name="bench-latency", kernel=kernel) as ready,
    ):
        applies = [_apply_round(ready) for _ in range(ROUNDS)]
        starts = _start_rounds(ready)
    for title, runs in (("kubectl apply to state=on", applies), ("agent start to Ready, policy in force", starts)):
        _print_table(title, runs)
    figures = median_run(applies).figures("apply_to_on") | median_run(starts).figures("start_to_ready")
    print(json.dumps({"rounds": ROUNDS} | figures), flush=True)
    return 0


def _apply_round(ready: Stage) -> Steps:
    """Applies a policy, reads the way from the logs, and takes it away again."""
    before = host.settings(ready.guest)
    applied_at = _node_clock(ready)
    ready.cluster.kubectl("apply", "-f", SAMPLES / f"{POLICY}.yaml")
    ready.wait("condition=Ready", f"tieringpolicy/{POLICY}")
    steps = apply_to_on(applied_at, _log(ready, "deployment/terrace-operator"), ready.agent_steps())
    ready.cluster.kubectl("delete", "tieringpolicy", POLICY)
    waiting.until(lambda: host.settings(ready.guest) == before, "the settings to be restored", limit_s=60)
    progress.say(f"apply to on: {steps.total:.2f} s")
    return steps


def _start_rounds(ready: Stage) -> list[Steps]:
    """Restarts the agent while a policy is in force: that is what the agent of a node that tiers starts into."""
    ready.cluster.kubectl("apply", "-f", SAMPLES / f"{POLICY}.yaml")
    ready.wait("condition=Ready", f"tieringpolicy/{POLICY}")
    starts = [_start_round(ready) for _ in range(ROUNDS)]
    ready.cluster.kubectl("delete", "tieringpolicy", POLICY)
    return starts


def _start_round(ready: Stage) -> Steps:
    """Ends the agent and reads from its heir's log how it started."""
    ready.cluster.kubectl("delete", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=agent")
    ready.cluster.kubectl("rollout", "status", "-n", NAMESPACE, "daemonset/terrace-agent", "--timeout=60s")
    found: list[Steps] = []

    def published() -> bool:
        try:
            found[:] = [start_to_ready(ready.agent_steps())]
        except ValueError:
            return False
        return True

    waiting.until(published, "the agent's first status that is Ready", limit_s=60, every_s=1)
    progress.say(f"start to Ready: {found[0].total:.2f} s")
    return found[0]


def _node_clock(ready: Stage) -> float:
    """Returns what the node's clock says now, in seconds since the epoch.

    The fastest of a few questions is the most exact; half of its way is taken for the answer's.
    """
    best = (float("inf"), 0.0)
    for _ in range(5):
        asked = time.time()
        told = float(ready.guest.run("date +%s.%N").stdout)
        way = time.time() - asked
        best = min(best, (way, told - asked - way / 2))
    return time.time() + best[1]


def _log(ready: Stage, what: str) -> list[dict[str, Any]]:
    answer = ready.cluster.kubectl("logs", "-n", NAMESPACE, what, "--tail=-1")
    return [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]


def _print_table(title: str, runs: list[Steps]) -> None:
    print(f"\n{title}, seconds a round")
    for name in dict.fromkeys(name for run in runs for name, _ in run.seconds):
        cells = "".join(f"{dict(run.seconds).get(name, 0.0):9.3f}" for run in runs)
        print(f"  {name:<22}{cells}")
    print(f"  {'sum':<22}{''.join(f'{run.total:9.3f}' for run in runs)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
