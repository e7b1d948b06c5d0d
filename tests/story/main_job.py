"""The main job, for `make demo` and the end-to-end tests alike: a policy is applied, memory moves, the tables tell it.

Before: `stage`. After: `figures` and `totals`, which judge what is seen here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from story import host, totals
from story.figures import Placement, placement
from story.placement import Sample, at_rest
from story.stage import SAMPLES, Stage
from story.totals import Totals
from story.workload import Load, Workload
from testbed import progress, waiting
from testbed.errors import BedError, WaitError

POLICY = "demo"
CONVERGE_LIMIT_S = 240.0
REST_S = 12.0
TOTALS_LIMIT_S = 100.0
"""An agent writes totals at most once a minute, and what was moved just before may wait for as long."""
RESTORE_LIMIT_S = 60.0

OnSample = Callable[[Sample], None]


@dataclass(frozen=True, kw_only=True)
class Run:
    """How memory moved.

    Attributes:
        before: the settings without a policy.
        migrated_before: what the kernel had migrated by then.
        first: which of the workload's samples is the last one before the policy.
        samples: since then, until memory was at rest.
    """

    workload: Workload
    before: host.Settings
    migrated_before: int
    first: int
    samples: Sequence[Sample]
    at_rest: bool
    placement: Placement


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What both objects say was moved, what others counted, and whether that is the same."""

    policy: Totals
    node: Totals
    counted: str
    agree: bool


def move(stage: Stage, on_sample: OnSample = lambda _: None) -> Run:
    """Starts the workload, applies the policy, and returns once memory is at rest or has had the time to be.

    Args:
        stage: no policy is in force there.
        on_sample: told each sample since the policy.
    """
    before = host.settings(stage.guest)
    progress.say(f"settings before: {before}")
    workload = Workload(stage.cluster, stage.guest, Load())
    workload.start()
    migrated_before = host.migrated_bytes(stage.guest)
    first = len(workload.samples()) - 1
    stage.cluster.kubectl("apply", "-f", SAMPLES / f"{POLICY}.yaml")
    progress.say(f"kubectl apply -f deploy/samples/{POLICY}.yaml")
    samples = _until_rest(workload, first, on_sample)
    return Run(
        workload=workload,
        before=before,
        migrated_before=migrated_before,
        first=first,
        samples=samples,
        at_rest=at_rest(samples, for_s=REST_S),
        placement=placement(samples, on_s=_switched_on_s(stage, since_s=samples[0].monotonic_s)),
    )


def tables(stage: Stage, run: Run) -> Tables:
    """Returns what both tables say, once they agree with what others counted or have had the time to."""
    stage.wait("condition=Ready", f"tieringpolicy/{POLICY}")
    seen = _tables(stage, run)

    def agree() -> bool:
        nonlocal seen
        seen = _tables(stage, run)
        return seen.agree

    step = progress.step("waiting until both statuses tell what was counted", usually=f"up to {TOTALS_LIMIT_S:.0f} s")
    with step, suppress(WaitError):
        waiting.until(agree, "the totals", limit_s=TOTALS_LIMIT_S, every_s=2)
    if not seen.agree:
        progress.say(f"the policy says {seen.policy}, the node {seen.node}; {seen.counted}")
    return seen


def restored(stage: Stage, run: Run) -> bool:
    """Deletes the policy and returns whether every setting came back, and no kdamond runs any more."""
    stage.cluster.kubectl("delete", "tieringpolicy", POLICY)
    with progress.step("waiting until the node is as it was", usually="about 10 s"), suppress(WaitError):
        waiting.until(lambda: host.settings(stage.guest) == run.before, "settings", limit_s=RESTORE_LIMIT_S)
    after = host.settings(stage.guest)
    progress.say(f"settings after:  {after}")
    return after == run.before and not host.running_kdamonds(stage.guest)


def _until_rest(workload: Workload, first: int, on_sample: OnSample) -> list[Sample]:
    told = 0
    end = time.monotonic() + CONVERGE_LIMIT_S
    while True:
        samples = workload.samples()[first:]
        for sample in samples[told:]:
            on_sample(sample)
        told = len(samples)
        if at_rest(samples, for_s=REST_S):
            return samples
        if time.monotonic() > end:
            progress.say(f"not at rest after {CONVERGE_LIMIT_S:.0f} s")
            return samples
        time.sleep(1)


def _switched_on_s(stage: Stage, *, since_s: float) -> float:
    """Returns when the agent had first switched monitoring on after `since_s`, by the node's monotonic clock."""
    steps = stage.agent_steps()
    applied = [line for line in steps if line.get("step") == "apply" and line["monotonic_s"] >= since_s]
    if not applied:
        raise BedError("the agent's log has no step `apply`")
    return float(applied[0]["monotonic_s"])


def _tables(stage: Stage, run: Run) -> Tables:
    policy, node = Totals.of(stage.policy(POLICY)["status"]), Totals.of(stage.node_tiering()["status"])
    # Sampled anew: memory may go on moving while the totals are awaited.
    samples = run.workload.samples()[run.first :]
    migrated_bytes = host.migrated_bytes(stage.guest) - run.migrated_before
    return Tables(
        policy=policy,
        node=node,
        counted=totals.counted(samples, migrated_bytes=migrated_bytes),
        agree=totals.agree(policy, node, samples, migrated_bytes=migrated_bytes),
    )
