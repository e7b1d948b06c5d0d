"""The scenes of the demo: a node that can tier, and one that cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from story import host, main_job
from story.figures import Figures, Unsupported
from story.main_job import POLICY, Run
from story.placement import Sample
from story.stage import SAMPLES, Stage
from story.workload import NAMESPACE
from testbed.errors import BedError
from testbed.kernels import Kernel

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
    print("".join(f"{column:>14}" for column in _COLUMNS), flush=True)
    run = main_job.move(stage, on_sample=lambda sample: _show_sample(stage, sample))
    tables = main_job.tables(stage, run)
    _show(stage, "get", "tieringpolicies")
    _show(stage, "get", "nodetierings", "-o", "wide")
    agent_rss_bytes = host.resident_bytes(stage.guest, "terrace_agent")
    operator_rss_bytes = host.resident_bytes(stage.guest, "terrace_operator")
    return Figures(
        kernel=stage.guest.machine.boot.release,
        placement=run.placement,
        at_rest=run.at_rest,
        promoted_bytes=tables.policy.promoted_bytes,
        demoted_bytes=tables.policy.demoted_bytes,
        tables_agree=tables.agree,
        restored=None if keep else _restored(stage, run),
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


def _show_sample(stage: Stage, sample: Sample) -> None:
    status = stage.node_tiering().get("status", {})
    cells = (
        f"{sample.monotonic_s:.0f}",
        f"{sample.hot_fast_bytes >> 20} MiB",
        f"{sample.cold_fast_bytes >> 20} MiB",
        status.get("promoted", "-"),
        status.get("demoted", "-"),
    )
    print("".join(f"{cell:>14}" for cell in cells), flush=True)


def _restored(stage: Stage, run: Run) -> bool:
    restored = main_job.restored(stage, run)
    _show(stage, "get", "nodetierings")
    stage.cluster.kubectl("delete", "namespace", NAMESPACE)
    return restored


def _show(stage: Stage, *command: str) -> None:
    print(f"\n$ kubectl {' '.join(command)}")
    print(stage.cluster.kubectl(*command).stdout, flush=True)
