"""What a shell gets when somebody presses the tab key after `kubectl terrace`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cases.plugin_fleet import objects
from cases.small_api_server import SmallApiServer, kubeconfig
from terrace_kubectl.complete import main

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with SmallApiServer(lists=objects()).serving() as found:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", found, namespace="shop")))
        yield found


@pytest.mark.parametrize(
    ("words", "proposals"),
    [
        (["status", ""], ["policy", "node"]),
        (["status", "policy", "b"], ["batch"]),
        (["status", "node", "web-1"], ["web-1"]),
        (["explain", "p"], ["pod"]),
        (["explain", "pod", ""], ["orders-db-0", "cart-7d9f"]),
        (["explain", "-n", "batch", "pod", ""], ["train-x2k"]),
        (["explain", "policy", ""], []),
        (["status", "--context", ""], ["test"]),
        (["status", "-o", "j"], ["json"]),
        (["report", "-o", ""], ["html", "json", "yaml"]),
    ],
)
def test_kubectl_gets_proposals_and_no_files(words: list[str], proposals: list[str], capsys: Said) -> None:
    main(words)
    *found, directive = capsys.readouterr().out.splitlines()
    assert [line.partition("\t")[0] for line in found] == proposals
    assert directive == ":4"


def test_commands_come_with_what_they_do(capsys: Said) -> None:
    main(["d"])
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == ["diff", "doctor", ":4"]


def test_a_file_is_left_to_the_shell(capsys: Said) -> None:
    main(["diff", "-f", ""])
    assert capsys.readouterr().out == ":0\n"


def test_without_a_cluster_there_is_no_proposal_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "away", "http://127.0.0.1:9")))
    main(["status", "policy", ""])
    assert capsys.readouterr() == (":4\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_alone_completes_itself_in(shell: str) -> None:
    environment = {**os.environ, "_KUBECTL_TERRACE_COMPLETE": f"{shell}_source"}
    command = [str(Path(sys.executable).parent / "kubectl-terrace")]
    script = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "_KUBECTL_TERRACE_COMPLETE" in script


def test_the_plugin_runs_where_kopf_is_not_installed() -> None:
    """The extra does not ask for it, so that nothing may need it."""
    absent = "import sys; sys.modules.update(dict.fromkeys(['kopf', 'prometheus_client', 'terrace_agent']))"
    code = f"{absent}; import terrace_kubectl.main, terrace_kubectl.complete; print('imported')"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "imported\n"
    )
