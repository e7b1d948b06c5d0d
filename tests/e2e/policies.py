"""Policies for all nodes of the stage."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from cases.policies import policy
from story.stage import Stage

LIKE_THE_DEMO: dict[str, Any] = {"quota": {"time": "0s"}, "monitoring": {"cpuPercent": 100}}
"""Without limits on CPU time, which emulation uses up with little: see deploy/samples/demo.yaml."""


@contextmanager
def applied(tiered: Stage, **spec: Any) -> Iterator[None]:
    """Has a policy `case`, in mode Enforce unless `spec` says otherwise, inside the block."""
    manifest = yaml.safe_dump(policy("case", **({"allNodes": True, "mode": "Enforce"} | spec)))
    tiered.cluster.kubectl("apply", "-f", "-", stdin=manifest)
    try:
        yield
    finally:
        tiered.cluster.kubectl("delete", "tieringpolicy", "case")
        tiered.wait("jsonpath={.spec.action}=Restore", f"nodetiering/{tiered.guest.name}")
