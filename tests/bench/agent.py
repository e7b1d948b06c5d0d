"""`make bench-agent`: what the agent costs: its pod while it tiers, by the kubelet's account, and a process at rest."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench import at_rest
from bench.usage import Usage, figures, usage
from demo.options import kernel_argument
from story.main_job import POLICY, REST_S
from story.placement import at_rest as memory_at_rest
from story.stage import SAMPLES, Stage, stage
from story.workload import NAMESPACE as WORKLOAD_NAMESPACE
from story.workload import Load, Workload
from testbed import command, progress
from testbed.kernels import Kernel

ROUND_LIMIT_S = 120.0
_EVERY_S = 10.0


def main() -> int:
    """Runs the benchmark and returns the exit code."""
    parser = argparse.ArgumentParser(prog="make bench-agent")
    parser.add_argument("--kernel", type=kernel_argument, default=None)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long memory is tiered")
    options = parser.parse_args()
    return command.run(lambda: _run(options.kernel, options.minutes))


def _run(kernel: Kernel | None, minutes: float) -> int:
    share = at_rest.share_of_a_core()
    progress.say(f"at rest, on this machine: {share:.3%} of a core")
    with (
        tempfile.TemporaryDirectory(prefix="terrace-bench-", ignore_cleanup_errors=True) as directory,
        stage(Path(directory), name="bench-agent", kernel=kernel) as ready,
    ):
        looks = _tiered(ready, minutes * 60)
        promoted = ready.node_tiering()["status"]["promotedBytes"]
    told = figures(looks) | {"promoted_bytes": promoted, "at_rest_core_share": round(share, 6)}
    print(json.dumps(told), flush=True)
    return 0


def _tiered(ready: Stage, seconds: float) -> list[Usage]:
    """Lets one workload after the other move, and returns what the kubelet said of the agent meanwhile."""
    ready.cluster.kubectl("apply", "-f", SAMPLES / f"{POLICY}.yaml")
    ready.wait("condition=Ready", f"tieringpolicy/{POLICY}")
    looks: list[Usage] = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        workload = Workload(ready.cluster, ready.guest, Load())
        workload.start()
        round_end_s = min(end_s, time.monotonic() + ROUND_LIMIT_S)
        while time.monotonic() < round_end_s and not memory_at_rest(workload.samples(), for_s=REST_S):
            looks.append(_look(ready))
            progress.say(f"{looks[-1]}")
            time.sleep(_EVERY_S)
        ready.cluster.kubectl("delete", "namespace", WORKLOAD_NAMESPACE, "--timeout=60s")
    return looks


def _look(ready: Stage) -> Usage:
    """Asks the kubelet itself: the API server takes nobody to a node on the loopback address."""
    node = ready.cluster.get(f"/api/v1/nodes/{ready.guest.name}")
    port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    tls = ready.cluster.tls()
    tls.check_hostname = False  # its certificate is for the node's name
    with urllib.request.urlopen(f"https://127.0.0.1:{port}/stats/summary", context=tls, timeout=30) as answer:
        summary: dict[str, Any] = json.load(answer)
    return usage(summary, pod_prefix="terrace-agent-")


if __name__ == "__main__":
    sys.exit(main())
