"""What a person runs on a machine: probe, plan, run --file, stop. The damon engine on a simulated kernel."""

import io
import json
from pathlib import Path

import pytest

from cases.pods import container_path, make_host, make_pod
from simkernel import NO_DAMON
from simkernel.kernel import DAMON_STAT, DEMOTION_ENABLED
from terrace_agent import byhand
from terrace_agent.cycle import Cycle
from terrace_agent.damon.process_monitor import ProcessMonitor
from terrace_agent.engines import make_engines
from terrace_agent.errors import AnotherAgentRuns, EngineUnavailable, SettingsRejected, StoreWithheld, UnexpectedContent
from terrace_agent.flows.balancing import NUMA_BALANCING
from terrace_agent.journal_file import FileJournal
from terrace_agent.lock import held_if_free, lock
from terrace_agent.main import main
from terrace_agent.steplog import StepLog
from terrace_agent.turn import Turn
from unit.agent.orders import order
from unit.agent.sim_host import SimHost

ENFORCE = """
apiVersion: terrace.dev/v1alpha1
kind: TieringPolicy
metadata: {name: enforce}
spec: {mode: Enforce, allNodes: true}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(ENFORCE)
    return file


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def run(host: SimHost, state: Path, policy: Path) -> Turn:
    received = byhand.as_received(byhand.read_policy(policy), node="n1", revision="r1")
    return Cycle(host, make_engines(host, state), StepLog(io.StringIO())).turn(order(received), None)


def test_probe_shows_tiers_engines_and_reasons(state: Path) -> None:
    text = byhand.probe(SimHost(), state, as_json=False)
    assert "0    fast  DRAM  1Gi    256Mi  2     fast: memory_tier4; DRAM: has CPUs" in text
    assert (
        "1    slow  Slow  512Mi  128Mi  0     slow: memory_tier120; Slow: no CPUs, and nothing tells its kind" in text
    )
    assert "damon           yes" in text


def test_probe_on_a_kernel_without_damon_says_what_would_help(state: Path) -> None:
    shown = json.loads(byhand.probe(SimHost(NO_DAMON), state, as_json=True))
    reasons = {engine["name"]: engine["reason"] for engine in shown["engines"] if not engine["available"]}
    assert reasons == {"damon": "NoDamonSysfs", "numa_balancing": "NoTieringMode", "move_pages": "NoHostProc"}
    assert "helps" in shown["engines"][0]["message"]


def test_probe_leaves_the_kernel_as_it_was(state: Path) -> None:
    host = SimHost()
    byhand.probe(host, state, as_json=False)
    assert host.read("/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds") == "0"
    assert (host.read(DAMON_STAT), host.read(DEMOTION_ENABLED)) == ("Y", "false")


def test_plan_prints_the_stores_and_makes_none_of_them(state: Path, policy: Path) -> None:
    host = SimHost()
    byhand.probe(host, state, as_json=False)
    host.kernel.stored.clear()
    text = byhand.plan(host, state, policy)
    assert host.kernel.stored == []
    assert "/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds <- 2" in text
    assert text.splitlines()[-1].endswith("/state <- on")


def test_what_is_planned_is_what_is_stored(state: Path, policy: Path) -> None:
    host = SimHost()
    byhand.probe(host, state, as_json=False)
    planned = [line for line in byhand.plan(host, state, policy).splitlines() if not line.startswith("#")]
    host.kernel.stored.clear()
    assert run(host, state, policy).failure is None
    stored = [f"{path} <- {value}" for path, value in host.kernel.stored if not value.startswith("update_")]
    assert stored == planned


def test_plan_of_what_is_in_force_stores_nothing(state: Path, policy: Path) -> None:
    host = SimHost()
    run(host, state, policy)
    assert "nothing to store" in byhand.plan(host, state, policy)


@pytest.mark.parametrize("command", ["probe", "plan"])
def test_beside_an_agent_neither_its_journal_nor_the_kernel_is_written(state: Path, policy: Path, command: str) -> None:
    host = SimHost()
    lock(state)
    run(host, state, policy)
    host.kernel.count(0, sz_tried=1 << 20, sz_applied=1 << 20)
    journal = (state / "journal.json").read_bytes()
    host.kernel.stored.clear()
    policy.write_text(ENFORCE.replace("mode: Enforce", "mode: Enforce, youngFilter: false"))
    text = byhand.probe(host, state, as_json=False) if command == "probe" else byhand.plan(host, state, policy)
    assert "commit" in text if command == "plan" else f"pid {host.pids()[0]}" in text
    assert (state / "journal.json").read_bytes() == journal
    assert host.kernel.stored == []


def test_beside_an_agent_that_has_not_probed_yet_nothing_is_staged(state: Path) -> None:
    host = SimHost()
    lock(state)
    with pytest.raises(StoreWithheld, match="another terrace-agent runs"):
        byhand.probe(host, state, as_json=False)
    assert host.kernel.stored == []
    assert not (state / "journal.json").exists()


def test_an_agent_that_starts_during_a_probe_waits_for_its_end(state: Path) -> None:
    with held_if_free(state) as alone:
        assert alone
        with pytest.raises(AnotherAgentRuns):
            lock(state)
    lock(state)


def test_plan_says_that_observe_stores_nothing(state: Path, policy: Path) -> None:
    policy.write_text(ENFORCE.replace("Enforce", "Observe"))
    assert "mode is Observe" in byhand.plan(SimHost(), state, policy)


def test_plan_says_what_is_ignored_because_it_is_for_fleets(state: Path, policy: Path) -> None:
    selector = "nodeSelector: {matchLabels: {memory: cxl}}, trial: {nodeNames: [other], duration: 1h}"
    policy.write_text(ENFORCE.replace("allNodes: true", selector))
    assert "taken for this machine: nodeSelector, trial" in byhand.plan(SimHost(), state, policy)


def test_plan_says_that_by_hand_no_pod_has_a_name_to_exclude_it_by(state: Path, policy: Path) -> None:
    host = SimHost()
    make_host(host.kernel)
    make_pod(host.kernel, 1)
    policy.write_text(ENFORCE.replace("allNodes", "workloads: [{name: all, action: Exclude}], allNodes"))
    text = byhand.plan(host, state, policy)
    assert "By hand there is none" in text
    assert "/system.slice" in text
    assert container_path(1) not in text


def test_a_single_tier_needs_no_stores(state: Path, policy: Path) -> None:
    host = SimHost(files={"/sys/devices/system/node/has_memory": "0"})
    assert "nothing would be stored" in byhand.plan(host, state, policy)
    assert host.kernel.stored == []


def test_a_nid_that_is_not_there_is_refused_before_the_first_store(state: Path, policy: Path) -> None:
    tiers = "allNodes: true, tiers: [{name: fast, nids: [0]}, {name: slow, nids: [7]}]"
    policy.write_text(ENFORCE.replace("allNodes: true", tiers))
    host = SimHost()
    byhand.probe(host, state, as_json=False)
    host.kernel.stored.clear()
    with pytest.raises(SettingsRejected) as caught:
        byhand.plan(host, state, policy)
    assert caught.value.reason == "NidNotFound"
    assert "nid 7" in str(caught.value)
    assert host.kernel.stored == []


def test_an_agent_after_sigkill_finds_the_same_kdamonds(state: Path, policy: Path) -> None:
    host = SimHost()
    run(host, state, policy)
    pids = host.pids()
    turn = run(host, state, policy)
    assert (turn.failure, turn.steps, host.pids()) == (None, 0, pids)
    assert len(pids) == 2


def test_stop_brings_everything_back(state: Path, policy: Path) -> None:
    host = SimHost()
    run(host, state, policy)
    assert (host.read(DAMON_STAT), host.read(DEMOTION_ENABLED)) == ("N", "true")
    byhand.stop(host, state)
    assert host.pids() == []
    assert (host.read(DAMON_STAT), host.read(DEMOTION_ENABLED)) == ("Y", "false")


def test_stop_brings_back_what_it_can_before_it_says_what_it_could_not(state: Path, policy: Path) -> None:
    host = SimHost(tiering=True)
    policy.write_text(ENFORCE.replace("allNodes", "engine: NUMABalancing, allNodes"))
    found = host.read(NUMA_BALANCING)
    run(host, state, policy)
    assert host.read(NUMA_BALANCING) != found
    (state / "journal.json").write_text("of a version that this one cannot read")
    with pytest.raises(UnexpectedContent):
        byhand.stop(host, state)
    assert host.read(NUMA_BALANCING) == found


def test_observe_goes_on_watching_and_says_what_enforce_would_do(state: Path, policy: Path) -> None:
    host = SimHost()
    run(host, state, policy)
    policy.write_text(ENFORCE.replace("Enforce", "Observe"))
    turn = run(host, state, policy)
    assert len(host.pids()) == 2
    assert (host.read(DAMON_STAT), host.read(DEMOTION_ENABLED)) == ("N", "false")
    assert {kdamond.direction for kdamond in turn.moved.kdamonds} == {"monitoring"}
    assert turn.plan
    assert any("promote" in word for word in turn.plan.words)


def test_stop_ends_the_watch_over_processes_that_a_killed_agent_has_left(state: Path) -> None:
    host = SimHost()
    host.kernel.accessed = {41: ()}
    state.mkdir()
    ProcessMonitor(host, FileJournal(state, boot_id="boot-1", name="damon_processes.json")).watch((41,), window_s=1)
    assert len(host.pids()) == 1
    text = byhand.stop(host, state)
    assert (host.pids(), host.read(DAMON_STAT)) == ([], "Y")
    assert "in force" not in text


def test_stop_says_when_there_was_nothing(state: Path) -> None:
    assert "nothing of Terrace was running" in byhand.stop(SimHost(), state)


def test_stop_refuses_while_an_agent_would_start_everything_again(state: Path) -> None:
    lock(state)
    with pytest.raises(AnotherAgentRuns) as caught:
        byhand.stop(SimHost(), state)
    assert str(state) in str(caught.value)


def test_without_an_engine_there_is_no_plan_but_the_reason(state: Path, policy: Path) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        byhand.plan(SimHost(NO_DAMON), state, policy)
    assert "DAMON" in str(caught.value)


def test_a_wrong_file_ends_the_command_with_its_field(
    tmp_path: Path, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write_text(ENFORCE.replace("allNodes: true", "allNodes: true, speed: 3"))
    with pytest.raises(SystemExit) as caught:
        main(["plan", str(policy), "--host-root", str(tmp_path), "--state-dir", str(tmp_path / "state")])
    assert caught.value.code == 1
    assert "spec.speed" in capsys.readouterr().err


def test_run_in_a_cluster_asks_which_node_this_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "--node", "", "--host-root", str(tmp_path), "--state-dir", str(tmp_path / "state")])
    assert caught.value.code == 2
    assert "NODE_NAME" in capsys.readouterr().err


def test_an_address_without_a_port_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "--node", "n1", "--listen", "9465"])
    assert caught.value.code == 2
    assert "host:port" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-3", "nan", "120", "often"])
def test_an_interval_that_is_no_pause_is_wrong_usage(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "--node", "n1", "--interval", seconds])
    assert caught.value.code == 2
    assert "--interval" in capsys.readouterr().err


def test_the_state_directory_is_for_its_owner_alone_whoever_made_it(state: Path) -> None:
    state.mkdir(mode=0o755)
    lock(state)
    assert state.stat().st_mode & 0o777 == 0o700
