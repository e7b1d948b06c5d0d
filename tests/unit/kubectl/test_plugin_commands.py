"""The plugin as a person runs it, against an API server on loopback: what it prints, how it exits, what it asks for."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from cases.plugin_fleet import BATCH, a_lease, agent_pod, installation, objects
from cases.small_api_server import SmallApiServer, kubeconfig
from terrace_kubectl import inspection
from terrace_kubectl.main import run

TIERINGS = "/apis/terrace.dev/v1alpha1/nodetierings"
POLICIES = "/apis/terrace.dev/v1alpha1/tieringpolicies"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/terrace-system/leases/terrace-operator"
Said = pytest.CaptureFixture[str]
WRONG = {"apiVersion": "terrace.dev/v1alpha1", "kind": "TieringPolicy", "metadata": {"name": "x"}}


@pytest.fixture
def server() -> SmallApiServer:
    lists = {**objects(), **installation(ready=9)}
    lists["/api/v1/pods"].append(agent_pod("web-6", waiting="ImagePullBackOff"))
    singles = {"/version": {"major": "1", "minor": "34+"}, LEASE: a_lease()}
    return SmallApiServer(lists=lists, singles=singles, renewed={LEASE})


@pytest.fixture(autouse=True)
def url(server: SmallApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with server.serving() as found:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", found, namespace="shop")))
        yield found


@pytest.fixture
def policy_file(tmp_path: Path) -> Callable[..., str]:
    def write(**changes: object) -> str:
        path = tmp_path / "policy.yaml"
        path.write_text(yaml.safe_dump({**BATCH, "spec": {**BATCH["spec"], **changes}}))
        return str(path)

    return write


def fails(said: Said, *arguments: str) -> str:
    """Runs a command that has no answer; returns what it says about that."""
    assert run(arguments) == 2
    out, error = said.readouterr()
    assert out == ""
    assert "Traceback" not in error
    assert error.startswith("error: ")
    return error


def answers(said: Said, *arguments: str, status: int = 0) -> str:
    assert run(arguments) == status
    out, error = said.readouterr()
    assert error == ""
    return out


def test_the_fleet_at_a_glance(capsys: Said) -> None:
    lines = answers(capsys, "status").splitlines()
    assert lines[0] == "Nodes    10: 1 Degraded, 1 Pending, 1 Held, 2 Unsupported, 4 Ready, 1 Idle"
    assert next(line for line in lines if line.startswith("batch")).split()[-1] == "Ready"


@pytest.mark.parametrize("words", [("policy", "batch"), ("policy/batch",), ("tp", "batch"), ("tieringpolicies/batch",)])
def test_a_policy_can_be_named_as_with_kubectl(words: tuple[str, ...], capsys: Said) -> None:
    assert "batch (Enforce, priority 20)" in answers(capsys, "status", *words)


def test_a_long_list_of_nodes_is_cut_and_says_so(server: SmallApiServer, capsys: Said) -> None:
    server.lists.update(a_large_fleet(30))
    short, whole = answers(capsys, "status", "policy", "batch"), answers(capsys, "status", "policy", "batch", "--all")
    assert "and 10 more; --all shows them" in short
    assert "node-29" in whole
    assert "more; --all" not in whole


def test_lists_come_in_pages(server: SmallApiServer, capsys: Said) -> None:
    server.page = 3
    assert answers(capsys, "status").startswith("Nodes    10:")
    lists = [request for request in server.requests if request.startswith(f"GET {TIERINGS}?")]
    assert len(lists) == 4
    assert all("limit=500" in request for request in lists)


def test_a_list_whose_continue_token_expired_is_begun_anew(server: SmallApiServer, capsys: Said) -> None:
    server.page, server.expires = 3, 1
    assert answers(capsys, "status").startswith("Nodes    10:")


def test_a_fleet_of_thousands_is_read_in_pages_of_500(server: SmallApiServer, capsys: Said) -> None:
    server.lists.update(a_large_fleet(1200))
    assert answers(capsys, "status").startswith("Nodes    1200: 1200 Ready")
    assert len([request for request in server.requests if request.startswith(f"GET {TIERINGS}?")]) == 3


def test_one_node(capsys: Said) -> None:
    assert "Enforcing" in answers(capsys, "status", "node", "batch-1")


def test_a_pod_is_looked_for_in_the_namespace_of_the_context(capsys: Said) -> None:
    assert "Exclude by rule databases" in answers(capsys, "explain", "pod", "orders-db-0")
    assert "Tier by rule rest" in answers(capsys, "explain", "pod/train-x2k", "--namespace", "batch")


def test_why_a_node_is_as_it_is(capsys: Said) -> None:
    assert "it wants gpu=yes, and the node has no gpu" in answers(capsys, "explain", "node", "batch-1")


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_programs_get_json_or_yaml(output: str, capsys: Said) -> None:
    for command in (
        ["status"],
        ["status", "policy", "batch"],
        ["status", "node", "web-1"],
        ["explain", "node", "web-1"],
    ):
        text = answers(capsys, *command, "-o", output)
        assert (json.loads(text) if output == "json" else yaml.safe_load(text)).keys()


def test_an_edit_that_changes_nothing_exits_0(policy_file: Callable[..., str], capsys: Said) -> None:
    assert "Changes  nothing" in answers(capsys, "diff", "-f", policy_file())


def test_an_edit_that_changes_something_exits_1_and_says_what(policy_file: Callable[..., str], capsys: Said) -> None:
    out = answers(capsys, "diff", "-f", policy_file(quota={"size": "1Gi"}), status=1)
    assert "3 nodes: other settings by batch" in out
    assert "quota.size  400Mi  1Gi" in out


def test_a_field_that_is_gone_from_the_file_is_gone(tmp_path: Path, capsys: Said) -> None:
    spec = {key: value for key, value in BATCH["spec"].items() if key not in {"quota", "nodeSelector"}}
    (tmp_path / "batch.yaml").write_text(yaml.safe_dump({**BATCH, "spec": {**spec, "allNodes": True}}))
    out = answers(capsys, "diff", "-f", str(tmp_path / "batch.yaml"), status=1)
    assert re.search(r"quota\.size +400Mi", out)


def test_nothing_is_ever_changed(server: SmallApiServer, policy_file: Callable[..., str], capsys: Said) -> None:
    for command in (["status"], ["diff", "-f", policy_file()], ["doctor"], ["report"]):
        run(command)
    writes = [request for request in server.requests if not request.startswith("GET ")]
    assert [request.split("?")[0] for request in writes] == [f"PATCH {POLICIES}/batch"]
    assert all("dryRun=All" in request for request in writes)


def test_a_diff_without_the_right_to_apply_says_who_checked(
    server: SmallApiServer, policy_file: Callable[..., str], capsys: Said
) -> None:
    server.refuse = {f"{POLICIES}/": 403}
    out = answers(capsys, "diff", "-f", policy_file(quota={"size": "1Gi"}), status=1)
    assert "by this plugin only: you may not apply it" in out


def test_a_policy_file_that_is_wrong_names_the_field_and_the_cure(
    policy_file: Callable[..., str], capsys: Said
) -> None:
    error = fails(capsys, "diff", "-f", policy_file(quota={"size": "many"}))
    assert error.splitlines() == ["error: TieringPolicy: spec.quota.size: 'many' is not a size such as 200Mi"]


def test_a_policy_that_the_api_server_refuses_is_refused(
    server: SmallApiServer, policy_file: Callable[..., str], capsys: Said
) -> None:
    server.refuse = {f"{POLICIES}/": 422}
    assert fails(capsys, "diff", "-f", policy_file()).startswith("error: the API server refused (422): ")


def test_a_file_that_is_no_policy(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "x.yaml").write_text("kind: ConfigMap")
    assert "TieringPolicy" in fails(capsys, "diff", "-f", str(tmp_path / "x.yaml"))
    assert "No such file" in fails(capsys, "diff", "-f", str(tmp_path / "nothing.yaml"))


def test_a_doctor_that_finds_something_exits_1(capsys: Said) -> None:
    out = answers(capsys, "doctor", status=1)
    assert "web-6: no report: the agent's pod does not run (ImagePullBackOff)" in out


def test_a_doctor_that_finds_nothing_exits_0(server: SmallApiServer, capsys: Said) -> None:
    server.lists.update(a_large_fleet(3))
    assert answers(capsys, "doctor").splitlines()[-1] == "Nothing is wrong."


def test_a_doctor_says_what_it_may_not_look_at(server: SmallApiServer, capsys: Said) -> None:
    server.lists.update(a_large_fleet(3))
    server.refuse = {"/apis/apps/v1/daemonsets": 403, "/apis/coordination": 403, "/apis/admissionregistration": 403}
    out = answers(capsys, "doctor")
    assert [line.split()[:2] for line in out.splitlines() if "may not look" in line] == [
        ["UNKNOWN", "Admission"],
        ["UNKNOWN", "Leader"],
        ["UNKNOWN", "Agents"],
    ]
    assert out.splitlines()[-1] == "Nothing is wrong; 3 not looked at."


def test_a_doctor_who_may_not_look_at_deployments_does_not_look_for_a_lease(
    server: SmallApiServer, capsys: Said
) -> None:
    server.refuse = {"/apis/apps/": 403}
    assert "Leader" not in answers(capsys, "doctor", status=1)


@pytest.mark.parametrize(
    ("lease", "says"),
    [
        (a_lease(holder=""), "nobody holds Lease terrace-system/terrace-operator: no operator writes"),
        (a_lease(), "terrace-operator-0 holds Lease terrace-system/terrace-operator and does not renew it"),
        (None, "nobody holds Lease terrace-system/terrace-operator"),
    ],
)
def test_a_doctor_finds_that_no_operator_writes(
    lease: dict[str, object] | None, says: str, server: SmallApiServer, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "LEASE_S", 0.3)
    server.lists.update(a_large_fleet(3))
    server.renewed.clear()
    del server.singles[LEASE]
    if lease:
        server.singles[LEASE] = lease
    (found,) = [line for line in answers(capsys, "doctor", status=1).splitlines() if "Leader" in line]
    assert found.split(maxsplit=2)[2].startswith(says)


def test_a_doctor_on_a_cluster_without_terrace_says_what_to_install(server: SmallApiServer, capsys: Said) -> None:
    server.lists = {path: [] for path in server.lists if "terrace.dev" not in path}
    out = answers(capsys, "doctor", status=1)
    assert "CRD tieringpolicies.terrace.dev  it is not there" in out
    assert "helm install" in out


def test_a_report_is_a_page(capsys: Said) -> None:
    assert answers(capsys, "report").startswith("<!doctype html>")


def test_a_report_over_time_has_a_sample_for_each_step(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "report.json"
    assert answers(capsys, "report", "--for", "2s", "--every", "1s", "-o", "json", "--to", str(path)) == ""
    assert len(json.loads(path.read_text())["points"]) == 3


def test_an_api_server_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "away", "http://127.0.0.1:9")))
    for command in ("status", "doctor", "report"):
        error = fails(capsys, command)
        assert error == (
            "error: the API server at http://127.0.0.1:9 does not answer: Connection refused. "
            "Is it the right --context?\n"
        )


def test_something_that_is_no_api_server(server: SmallApiServer, capsys: Said) -> None:
    server.lists[POLICIES] = server.lists[TIERINGS] = None  # type: ignore[assignment]
    server.singles = {POLICIES: ["a", "list"], TIERINGS: []}
    assert "is no API server" in fails(capsys, "status")


def test_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    assert "Set KUBECONFIG, or give --kubeconfig and --context" in fails(capsys, "status")


def test_a_context_that_is_not_there(capsys: Said) -> None:
    error = fails(capsys, "status", "--context", "prod")
    assert "prod" in error
    assert len(error.splitlines()) == 1


def test_a_cluster_without_terrace(server: SmallApiServer, capsys: Said) -> None:
    server.lists = {"/api/v1/nodes": []}
    for command in (["status"], ["report"]):
        assert fails(capsys, *command).startswith("error: Terrace is not installed on this cluster")


@pytest.mark.parametrize("path", ["/api/v1/nodes", TIERINGS, POLICIES])
def test_a_user_without_rights_is_told_which_are_needed(path: str, server: SmallApiServer, capsys: Said) -> None:
    server.refuse = {path: 403}
    error = fails(capsys, "status")
    assert "is forbidden" in error
    assert "need get and list on nodes and pods" in error


def test_credentials_that_have_expired(server: SmallApiServer, capsys: Said) -> None:
    server.refuse = {"/": 401}
    for command in ("status", "doctor"):
        assert "Log in again" in fails(capsys, command)


def test_names_that_are_not_there(capsys: Said) -> None:
    assert fails(capsys, "status", "policy", "nope") == (
        "error: there is no TieringPolicy nope; there are batch, everywhere, gpu-nodes, watch\n"
    )
    for command in ("status", "explain"):
        assert fails(capsys, command, "node", "nope") == (
            'error: nodes "nope" not found; there are batch-1, batch-2, batch-3, edge-1, web-1, ...\n'
        )
        assert "there are web-5, web-" in fails(capsys, command, "node", "wbe-5")
    assert fails(capsys, "explain", "pod", "nope") == (
        'error: pods "nope" not found; looked in namespace shop; -n takes another\n'
    )


def test_a_pod_of_another_namespace_is_pointed_at(capsys: Said) -> None:
    assert fails(capsys, "explain", "pod", "train-x2k") == (
        'error: pods "train-x2k" not found; looked in namespace shop; there is one in namespace batch: add -n batch\n'
    )


def test_a_name_that_is_not_there_stays_the_error_where_others_may_not_be_listed(
    server: SmallApiServer, capsys: Said
) -> None:
    server.refuse = {TIERINGS: 403}
    assert fails(capsys, "explain", "pod", "nope") == 'error: pods "nope" not found\n'


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (["status", "pod", "x"], "write policy NAME or node NAME"),
        (["status", "node"], "write policy NAME or node NAME"),
        (["explain"], "write node NAME or pod NAME"),
        (["explain", "policy", "x"], "write node NAME or pod NAME"),
        (["report", "--for", "soon"], "as in 5ms"),
        (["status", "-o", "xml"], "'table', 'json', 'yaml'"),
        (["diff"], "--filename"),
        (["stats"], "No such command"),
    ],
)
def test_a_command_that_cannot_be_meant_says_what_can(arguments: list[str], cure: str, capsys: Said) -> None:
    assert cure in fails(capsys, *arguments)


def test_in_a_pipe_nothing_is_folded_and_nothing_is_coloured(capsys: Said) -> None:
    out = answers(capsys, "status")
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) > 200
    assert not [line for line in out.splitlines() if line.endswith(" ")]


def a_large_fleet(count: int) -> dict[str, list[dict[str, object]]]:
    """Nodes that are all like batch-1, and the policy that they follow."""
    found = objects()
    found[POLICIES] = found[POLICIES][:1]
    for path in ("/api/v1/nodes", TIERINGS):
        model = next(one for one in found[path] if one["metadata"]["name"] == "batch-1")
        found[path] = [_as(model, f"node-{index}") for index in range(count)]
    return found


def _as(model: dict[str, object], name: str) -> dict[str, object]:
    return json.loads(json.dumps(model).replace("batch-1", name))  # type: ignore[no-any-return]


DOCUMENTED = re.findall(r"`kubectl terrace ([a-z][^`]*)`", (Path(__file__).parents[3] / "docs/kubectl.md").read_text())


@pytest.mark.parametrize("command", DOCUMENTED)
def test_the_documented_commands_are_answered(
    command: str, policy_file: Callable[..., str], tmp_path: Path, capsys: Said
) -> None:
    for written, meant in (
        ("policy NAME", "policy batch"),
        ("node NAME", "node batch-1"),
        ("pod NAME -n NAMESPACE", "pod cart-7d9f -n shop"),
        ("policy.yaml", policy_file()),
        ("--for 10m", "--for 1s --every 1s"),
        ("report.html", str(tmp_path / "report.html")),
    ):
        command = command.replace(written, meant)
    assert run(command.split()) == (1 if command == "doctor" else 0)
    assert capsys.readouterr().err == ""
