"""The pods of a node, over restarts and while the API server is away."""

import io
from pathlib import Path
from typing import Any

import pytest

from terrace_agent.laststate import LastState
from terrace_agent.steplog import StepLog
from terrace_agent.workloads.roster import Roster
from terrace_agent.workloads.values import Pod
from terrace_api.workloads import QosClass


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    def __init__(self, state_dir: Path, boot_id: str = "boot-1") -> None:
        self.clock = Clock()
        self.log = io.StringIO()
        last = LastState(state_dir, boot_id=boot_id, name="pods.json")
        self.roster = Roster(last, StepLog(self.log), clock=self.clock)
        self.roster.recall()

    @property
    def names(self) -> list[str]:
        return [pod.name for pod in self.roster.known().pods.values()]

    @property
    def gone(self) -> list[str]:
        return [pod.name for pod in self.roster.known().gone.values()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def manifest(uid: str = "u1", name: str = "web-0", **more: Any) -> dict[str, Any]:
    metadata = {"uid": uid, "name": name, "namespace": "shop"} | more.pop("metadata", {})
    return {"metadata": metadata, "spec": {}, "status": {"qosClass": "Burstable", "phase": "Running"}} | more


def test_only_what_rules_look_at_is_kept(bench: Bench) -> None:
    bench.roster.put(
        manifest(
            metadata={"labels": {"app": "web"}, "annotations": {"big": "x" * 1000}},
            spec={"priorityClassName": "high", "containers": [{"name": "app"}]},
        )
    )
    assert bench.roster.known().pods == {
        "u1": Pod(
            uid="u1",
            namespace="shop",
            name="web-0",
            labels={"app": "web"},
            qos_class=QosClass.BURSTABLE,
            priority_class="high",
        )
    }


def test_a_static_pod_is_known_by_the_hash_that_its_cgroup_is_named_after(bench: Bench) -> None:
    mirror = manifest(metadata={"annotations": {"kubernetes.io/config.hash": "0123456789abcdef0123456789abcdef"}})
    bench.roster.put(mirror)
    assert list(bench.roster.known().pods) == ["0123456789abcdef0123456789abcdef"]
    bench.roster.remove(mirror)
    assert (bench.names, bench.gone) == ([], ["web-0"])
    bench.roster.put(mirror)
    assert (bench.names, bench.gone) == (["web-0"], [])


LABELS = {"terrace.dev/tiering": "disabled"}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
@pytest.mark.parametrize("word", ["put", "remove", "replace"])
def test_a_pod_that_has_ended_is_known_until_its_cgroup_is_gone(bench: Bench, phase: str, word: str) -> None:
    bench.roster.put(manifest(metadata={"labels": LABELS}))
    ended = manifest(metadata={"labels": LABELS}, status={"phase": phase})
    getattr(bench.roster, word)([ended] if word == "replace" else ended)
    assert (bench.names, bench.gone) == ([], ["web-0"])
    assert bench.roster.known().gone["u1"].labels == LABELS
    bench.roster.forget({"u1"})
    assert bench.gone == []


def test_a_pod_that_a_list_lacks_is_known_until_its_cgroup_is_gone(bench: Bench) -> None:
    bench.roster.replace([manifest(), manifest("u2", "web-1")])
    bench.roster.replace([manifest("u2", "web-1")])
    assert (bench.names, bench.gone) == (["web-1"], ["web-0"])
    bench.roster.forget({"u1", "u2"})
    assert (bench.names, bench.gone) == (["web-1"], [])


def test_a_pod_that_had_ended_before_it_was_first_listed_is_known_too(bench: Bench) -> None:
    bench.roster.replace([manifest(status={"phase": "Failed"})])
    assert (bench.names, bench.gone) == ([], ["web-0"])


def test_to_forget_a_pod_is_not_to_have_heard_the_api_server(bench: Bench) -> None:
    bench.roster.remove(manifest())
    bench.clock.now += 1000
    bench.roster.forget({"u1"})
    assert not bench.roster.known().is_current


def test_a_pod_whose_class_this_version_does_not_know_is_kept_without(bench: Bench) -> None:
    bench.roster.put(manifest(status={"qosClass": "Platinum"}))
    assert bench.roster.known().pods["u1"].qos_class is None


def test_an_answer_stays_as_it_was_given(bench: Bench) -> None:
    bench.roster.replace([manifest()])
    before = bench.roster.known()
    bench.roster.put(manifest("u2", "web-1"))
    assert list(before.pods) == ["u1"]
    assert bench.names == ["web-0", "web-1"]


def test_pods_are_current_as_long_as_the_api_server_is_heard(bench: Bench) -> None:
    assert not bench.roster.known().is_current
    bench.roster.replace([])
    assert bench.roster.known().is_current
    bench.clock.now += 120
    bench.roster.heard()
    bench.clock.now += 120
    assert bench.roster.known().is_current
    bench.clock.now += 60
    assert not bench.roster.known().is_current


def test_the_agent_after_this_one_knows_the_same_pods_and_that_they_may_be_old(bench: Bench, tmp_path: Path) -> None:
    bench.roster.replace([manifest(metadata={"labels": LABELS}), manifest("u2", "b")])
    bench.roster.remove(manifest("u2", "b"))
    bench.roster.forget({"u2"})
    after = Bench(tmp_path)
    assert after.roster.known().pods == bench.roster.known().pods
    assert not after.roster.known().is_current


def test_the_agent_after_this_one_learns_by_its_first_list_who_has_gone(bench: Bench, tmp_path: Path) -> None:
    bench.roster.replace([manifest(metadata={"labels": LABELS}), manifest("u2", "deleted-between-two-agents")])
    bench.roster.remove(manifest(metadata={"labels": LABELS}))
    after = Bench(tmp_path)
    after.roster.replace([])
    assert set(after.gone) == {"web-0", "deleted-between-two-agents"}
    assert after.roster.known().gone["u1"].labels == LABELS
    after.roster.forget({"u1", "u2"})
    assert Bench(tmp_path).names == []


def test_pods_of_an_older_boot_are_not_recalled(bench: Bench, tmp_path: Path) -> None:
    bench.roster.replace([manifest()])
    assert Bench(tmp_path, boot_id="boot-2").names == []


def test_a_file_of_another_version_is_no_pods(tmp_path: Path) -> None:
    LastState(tmp_path, boot_id="boot-1", name="pods.json").save({"pods": [{"uid": "u1", "colour": "red"}]})
    assert Bench(tmp_path).names == []


def test_a_state_directory_that_is_gone_is_noted_and_no_reason_to_forget(bench: Bench, tmp_path: Path) -> None:
    tmp_path.rmdir()
    bench.roster.replace([manifest()])
    assert bench.names == ["web-0"]
    assert "pods not saved" in bench.log.getvalue()


def test_a_closed_one_goes_on_to_hear_and_writes_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.roster.close()
    bench.roster.put(manifest())
    assert bench.names == ["web-0"]
    assert list(tmp_path.iterdir()) == []


def test_of_pods_that_have_gone_only_the_last_are_kept_while_nobody_looks_whose_cgroups_have(bench: Bench) -> None:
    bench.roster.replace([])
    for number in range(1030):
        bench.roster.remove(manifest(uid=f"u{number}", name=f"job-{number}"))
    assert bench.gone == [f"job-{number}" for number in range(6, 1030)]


def test_a_list_of_many_that_have_ended_costs_none_that_is_known_to_have_run(bench: Bench) -> None:
    bench.roster.replace([manifest(uid="db", name="db")])
    bench.roster.remove(manifest(uid="db", name="db"))
    ended = {"status": {"qosClass": "Burstable", "phase": "Failed"}}
    bench.roster.replace([manifest(uid=f"u{number}", name=f"job-{number}", **ended) for number in range(1030)])
    assert "db" in bench.gone
    assert len(bench.gone) == 1024
