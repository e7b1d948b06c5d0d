"""helm install, kubectl apply, and a real kernel moves a pod's memory; then everything is as it was."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from story import host
from story.figures import agrees
from story.placement import ARRIVED, Sample, at_rest, cold_promoted_ratio, seconds_to
from story.stage import NAMESPACE, SAMPLES, Stage
from story.workload import NAMESPACE as WORKLOAD_NAMESPACE
from story.workload import POD, Load, Workload
from testbed import waiting

pytestmark = pytest.mark.e2e

POLICY = "demo"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of the main job came to."""

    before: host.Settings
    samples: list[Sample]
    switched_on_s: float
    migrated_before: int


@pytest.fixture(scope="module")
def run(tiered: Stage) -> Iterator[Run]:
    before = host.settings(tiered.guest)
    workload = Workload(tiered.cluster, tiered.guest, Load())
    workload.start()
    migrated_before = host.migrated_bytes(tiered.guest)
    tiered.cluster.kubectl("apply", "-f", SAMPLES / f"{POLICY}.yaml")
    samples: list[Sample] = []

    def rests() -> bool:
        samples[:] = workload.samples()
        return at_rest(samples, for_s=10)

    waiting.until(rests, "memory to be where it belongs", limit_s=240, every_s=2, detail=lambda: str(samples[-1:]))
    applied = [line for line in tiered.agent_steps() if line.get("step") == "apply"]
    yield Run(before=before, samples=samples, switched_on_s=applied[0]["monotonic_s"], migrated_before=migrated_before)
    tiered.cluster.kubectl("delete", "tieringpolicy", POLICY, "--ignore-not-found")
    tiered.cluster.kubectl("delete", "namespace", WORKLOAD_NAMESPACE, "--ignore-not-found")


def test_the_hot_set_arrives_and_the_cold_set_stays_down(run: Run) -> None:
    assert run.samples[-1].hot_fast_ratio >= ARRIVED
    assert cold_promoted_ratio(run.samples) <= 0.01
    assert seconds_to(run.samples, ARRIVED, since_s=run.switched_on_s) is not None


def test_both_tables_tell_what_the_workload_saw(tiered: Stage, run: Run) -> None:
    tiered.wait("condition=Ready", f"tieringpolicy/{POLICY}")
    status: dict[str, int] = {}

    def totals_written() -> bool:
        status.update(tiered.policy(POLICY)["status"])
        return agrees(
            run.samples,
            promoted_bytes=status["promotedBytes"],
            demoted_bytes=status["demotedBytes"],
            migrated_bytes=host.migrated_bytes(tiered.guest) - run.migrated_before,
        )

    waiting.until(totals_written, "the totals to be those of the workload", limit_s=100, every_s=2)
    assert tiered.node_tiering()["status"]["promotedBytes"] == status["promotedBytes"]
    row = tiered.cluster.kubectl("get", "tieringpolicies").stdout.splitlines()[1].split()
    assert row[:5] == [POLICY, "Enforce", "1", "1/1", "1/1"]
    assert "damon" in tiered.cluster.kubectl("get", "nodetierings").stdout


def test_the_pods_fast_share_is_reported_by_name(tiered: Stage, run: Run) -> None:
    def share() -> dict[str, int] | None:
        pods = tiered.node_tiering()["status"]["pods"]
        return next((pod for pod in pods if (pod["namespace"], pod["name"]) == (WORKLOAD_NAMESPACE, POD)), None)

    waiting.until(lambda: share() is not None, "the workload's pod in the status", limit_s=100, every_s=2)
    pod = share()
    assert pod is not None
    seen = run.samples[-1].hot_fast_bytes + run.samples[-1].cold_fast_bytes
    assert abs(pod["fastBytes"] - seen) <= seen / 10 + (16 << 20)


def test_a_killed_agent_finds_its_kdamonds_and_goes_on(tiered: Stage, run: Run) -> None:
    kdamonds = host.running_kdamonds(tiered.guest)
    assert len(kdamonds) == 2
    [pid] = host.process_ids(tiered.guest, "terrace_agent")
    tiered.guest.run(f"kill -9 {pid}")
    waiting.until(
        lambda: host.process_ids(tiered.guest, "terrace_agent") not in ([], [pid]), "the new agent", limit_s=60
    )
    tiered.wait("condition=Ready", f"nodetiering/{tiered.guest.name}")
    waiting.until(lambda: len(tiered.agent_steps()) > 4, "the new agent's first turn", limit_s=60, every_s=1)
    assert host.running_kdamonds(tiered.guest) == kdamonds
    # Counts of aggregations may follow intervals that the kernel has tuned meanwhile: online, like any edit.
    reasons = [line["reason"] for line in tiered.agent_steps() if line.get("step") == "apply"]
    assert all("/age/" in reason for reason in reasons), "more was touched than ages"
    assert tiered.node_tiering()["status"]["promotedBytes"] > 0


def test_an_edited_policy_is_committed_without_a_restart(tiered: Stage, run: Run) -> None:
    kdamonds = host.running_kdamonds(tiered.guest)
    revision = tiered.node_tiering()["status"]["activeRevision"]
    patch = json.dumps({"spec": {"demotion": {"minAge": "20s"}}})
    tiered.cluster.kubectl("patch", "tieringpolicy", POLICY, "--type=merge", "-p", patch)

    def active() -> bool:
        return bool(tiered.node_tiering()["status"]["activeRevision"] != revision)

    waiting.until(active, "the new revision to be in force", limit_s=60, every_s=1)
    assert host.running_kdamonds(tiered.guest) == kdamonds


def test_a_deleted_policy_leaves_everything_as_it_was(tiered: Stage, run: Run) -> None:
    assert host.settings(tiered.guest) != run.before
    tiered.cluster.kubectl("delete", "tieringpolicy", POLICY)
    waiting.until(lambda: host.settings(tiered.guest) == run.before, "the settings to be restored", limit_s=60)
    assert host.running_kdamonds(tiered.guest) == {}
    waiting.until(
        lambda: not tiered.node_tiering()["status"]["activeRevision"], "the status to say so", limit_s=60, every_s=1
    )
    assert tiered.node_tiering()["spec"] == {"action": "Restore"}


def test_the_agent_is_confined(tiered: Stage) -> None:
    assert host.confinement(tiered.guest, "terrace_agent") == host.Confinement(
        effective_capabilities=0, no_new_privs=True, seccomp_filter=True, root_read_only=True
    )
    pod = json.loads(tiered.cluster.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json").stdout)
    assert not any(
        container.get("securityContext", {}).get("privileged")
        for item in pod["items"]
        for container in item["spec"]["containers"]
    )
