"""The scenes of the demo: a node that can tier, and one that cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from story import host
from story.figures import Figures, Unsupported, agrees, placement
from story.placement import Sample, at_rest
from story.stage import SAMPLES, Stage
from story.workload import NAMESPACE, Load, Workload
from testbed import progress, waiting
from testbed.errors import BedError, WaitError
from testbed.kernels import Kernel

POLICY = "demo"
CONVERGE_LIMIT_S = 240.0
REST_S = 12.0
RESTORE_LIMIT_S = 60.0
_COLUMNS = ("guest s", "hot on fast", "cold on fast", "promoted", "demoted")


def play(stage: Stage, *, keep: bool) -> Figures | Unsupported:
    """Plays the scene that belongs to the node's kernel.

    Raises:
        BedError: Terrace says otherwise of this kernel.
    """
    kernel = stage.guest.machine.boot.kernel
    expect_engine(kernel, stage.engines())
    return supported(stage, keep=keep) if kernel.engine else unsupported(stage)


def expect_engine(kernel: Kernel, told: Sequence[Mapping[str, Any]]) -> None:
    """Holds what a node told of its engines to the table of kernels.

    Raises:
        BedError: it has an engine where it should have none, or none where it should have one.
    """
    if any(engine["available"] for engine in told) != kernel.engine:
        said = "; ".join(f"{engine['name']}: {engine['reason']}, {engine['message']}" for engine in told)
        raise BedError(f"on linux {kernel.version} there should be {'an' if kernel.engine else 'no'} engine. {said}")


def supported(stage: Stage, *, keep: bool) -> Figures:
    """Moves a workload's memory to where it belongs, shows it, and brings everything back."""
    before = host.settings(stage.guest)
    progress.say(f"settings before: {before}")
    workload = Workload(stage.cluster, stage.guest, Load())
    workload.start()
    migrated_before = host.migrated_bytes(stage.guest)
    stage.cluster.kubectl("apply", "-f", SAMPLES / f"{POLICY}.yaml")
    progress.say(f"kubectl apply -f deploy/samples/{POLICY}.yaml")
    samples = _watch(stage, workload)
    placed = placement(samples, on_s=_switched_on_s(stage, since_s=samples[0].monotonic_s))

    def tables_agree(status: Mapping[str, Any]) -> bool:
        return agrees(
            samples,
            promoted_bytes=status["promotedBytes"],
            demoted_bytes=status["demotedBytes"],
            migrated_bytes=host.migrated_bytes(stage.guest) - migrated_before,
        )

    status = _settled_status(stage, tables_agree)
    _show(stage, "get", "tieringpolicies")
    _show(stage, "get", "nodetierings", "-o", "wide")
    agent_rss_bytes = host.resident_bytes(stage.guest, "terrace_agent")
    operator_rss_bytes = host.resident_bytes(stage.guest, "terrace_operator")
    agree = tables_agree(status)
    restored = None if keep else _restored(stage, before)
    return Figures(
        kernel=stage.guest.machine.boot.release,
        placement=placed,
        promoted_bytes=status["promotedBytes"],
        demoted_bytes=status["demotedBytes"],
        tables_agree=agree,
        restored=restored,
        agent_rss_bytes=agent_rss_bytes,
        operator_rss_bytes=operator_rss_bytes,
    )


def unsupported(stage: Stage) -> Unsupported:
    """Shows what a node reports on which no engine can run, and that nothing was changed there."""
    before = host.settings(stage.guest)
    stage.cluster.kubectl("apply", "-f", SAMPLES / f"{POLICY}.yaml")
    stage.wait("jsonpath={.status.unsupportedNodes}=1", f"tieringpolicy/{POLICY}")
    _show(stage, "get", "tieringpolicies", "-o", "wide")
    _show(stage, "get", "nodetierings", "-o", "wide")
    conditions = {one["type"]: one for one in stage.node_tiering()["status"]["conditions"]}
    return Unsupported(
        kernel=stage.guest.machine.boot.release,
        engine_available=conditions["EngineAvailable"]["status"] == "True",
        reason=conditions["EngineAvailable"]["reason"],
        message=conditions["EngineAvailable"]["message"],
        unchanged=host.settings(stage.guest) == before,
        agent_rss_bytes=host.resident_bytes(stage.guest, "terrace_agent"),
        operator_rss_bytes=host.resident_bytes(stage.guest, "terrace_operator"),
    )


def _watch(stage: Stage, workload: Workload) -> list[Sample]:
    """Prints a line for each new sample until everything is at rest; the samples since the policy."""
    print("".join(f"{column:>14}" for column in _COLUMNS), flush=True)
    seen: list[Sample] = []
    for seen in _until_rest(workload):
        status = stage.node_tiering().get("status", {})
        cells = (
            f"{seen[-1].monotonic_s:.0f}",
            f"{seen[-1].hot_fast_bytes >> 20} MiB",
            f"{seen[-1].cold_fast_bytes >> 20} MiB",
            status.get("promoted", "-"),
            status.get("demoted", "-"),
        )
        print("".join(f"{cell:>14}" for cell in cells), flush=True)
    return seen


def _until_rest(workload: Workload) -> Iterator[list[Sample]]:
    first = len(workload.samples()) - 1
    shown = 0
    end = time.monotonic() + CONVERGE_LIMIT_S
    while time.monotonic() < end:
        samples = workload.samples()[first:]
        if len(samples) > shown:
            shown = len(samples)
            yield samples
            if at_rest(samples, for_s=REST_S):
                return
        time.sleep(1)
    progress.say(f"not at rest after {CONVERGE_LIMIT_S:.0f} s")


def _switched_on_s(stage: Stage, *, since_s: float) -> float:
    """Returns when the agent had first switched monitoring on after `since_s`, by the node's monotonic clock."""
    steps = stage.agent_steps()
    applied = [line for line in steps if line.get("step") == "apply" and line["monotonic_s"] >= since_s]
    if not applied:
        raise BedError("the agent's log has no step `apply`")
    return float(applied[0]["monotonic_s"])


def _settled_status(stage: Stage, is_whole: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
    """Returns the policy's status once it has all that moved, or as it is when that had the time to be written.

    An agent writes totals at most once a minute, and what was moved just before may wait for as long.
    """
    stage.wait("condition=Ready", f"tieringpolicy/{POLICY}")

    def told() -> bool:
        return is_whole(stage.policy(POLICY)["status"])

    with (
        progress.step("waiting until the totals are in the policy's status", usually="up to 70 s"),
        suppress(WaitError),
    ):
        waiting.until(told, "the policy's totals", limit_s=100, every_s=1)
    status: Mapping[str, Any] = stage.policy(POLICY)["status"]
    return status


def _restored(stage: Stage, before: host.Settings) -> bool:
    stage.cluster.kubectl("delete", "tieringpolicy", POLICY)
    with progress.step("waiting until the node is as it was", usually="10 s"):
        try:
            waiting.until(lambda: host.settings(stage.guest) == before, "settings", limit_s=RESTORE_LIMIT_S)
        except BedError as error:
            progress.say(str(error))
    after = host.settings(stage.guest)
    progress.say(f"settings after:  {after}")
    _show(stage, "get", "nodetierings")
    stage.cluster.kubectl("delete", "namespace", NAMESPACE)
    return after == before and not host.running_kdamonds(stage.guest)


def _show(stage: Stage, *command: str) -> None:
    print(f"\n$ kubectl {' '.join(command)}")
    print(stage.cluster.kubectl(*command).stdout, flush=True)
