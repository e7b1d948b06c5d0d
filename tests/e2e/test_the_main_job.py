"""helm install, kubectl apply, and a real kernel moves a pod's memory; then everything is as it was."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from story import host, main_job
from story.main_job import POLICY, Run
from story.placement import ARRIVED, BROKEN_AFTER_S
from story.stage import NAMESPACE, Stage
from story.totals import near
from story.workload import NAMESPACE as WORKLOAD_NAMESPACE
from story.workload import POD
from testbed import waiting

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def run(tiered: Stage) -> Iterator[Run]:
    yield main_job.move(tiered)
    tiered.cluster.kubectl("delete", "tieringpolicy", POLICY, "--ignore-not-found")
    tiered.cluster.kubectl("delete", "namespace", WORKLOAD_NAMESPACE, "--ignore-not-found")


def test_the_hot_set_arrives_and_the_cold_set_stays_down(run: Run) -> None:
    assert run.placement.hot_fast_ratio >= ARRIVED
    assert run.placement.cold_promoted_ratio <= 0.01
    assert run.placement.seconds_to_99_percent is not None
    assert run.placement.seconds_to_99_percent <= BROKEN_AFTER_S


def test_memory_comes_to_rest(run: Run) -> None:
    assert run.at_rest


def test_both_tables_tell_what_the_workload_saw(tiered: Stage, run: Run) -> None:
    tables = main_job.tables(tiered, run)
    assert tables.agree, tables
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
    assert near(pod["fastBytes"], run.samples[-1].hot_fast_bytes + run.samples[-1].cold_fast_bytes)


def test_a_killed_agent_finds_its_kdamonds_and_goes_on(tiered: Stage, run: Run) -> None:
    kdamonds = host.running_kdamonds(tiered.guest)
    assert len(kdamonds) == 2
    [pid] = host.process_ids(tiered.guest, "terrace_agent")
    tiered.guest.run(f"kill -9 {pid}")
    told = tiered.node_tiering()["status"]
    steps: list[dict[str, Any]] = []

    def status_went_on() -> bool:
        return bool(tiered.node_tiering()["status"]["lastHeartbeatTime"] > told["lastHeartbeatTime"])

    def turn_logged() -> bool:
        steps[:] = tiered.agent_steps() if host.process_ids(tiered.guest, "terrace_agent") not in ([], [pid]) else []
        return any(line.get("step") == "report" for line in steps)

    waiting.until(turn_logged, "the new agent's first turn", limit_s=90, every_s=1)
    waiting.until(status_went_on, "the new agent's status", limit_s=90, every_s=1)
    tiered.wait("condition=Ready", f"nodetiering/{tiered.guest.name}")
    assert tiered.node_tiering()["status"]["promotedBytes"] >= told["promotedBytes"] > 0
    assert host.running_kdamonds(tiered.guest) == kdamonds
    # Counts of aggregations may follow intervals that the kernel has tuned meanwhile: online, like any edit.
    touched = [line["reason"] for line in steps if line.get("step") == "apply" and "/age/" not in line["reason"]]
    assert touched == [], "more was touched than ages"


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
    assert main_job.restored(tiered, run)
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
