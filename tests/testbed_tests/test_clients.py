"""How `kubectl` and `helm` are run, with programs in their place: no server is needed for it."""

from pathlib import Path

import pytest

from testbed.client import Client
from testbed.components import Layout, Ports
from testbed.errors import CommandError, WaitError


def client_whose_kubectl_does(script: str, directory: Path) -> Client:
    program = directory / "kubectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Client(Layout(directory=directory, programs=directory), Ports(etcd=1, etcd_peer=2, api=3))


def test_a_kubectl_that_hangs_is_ended_and_says_what_it_had_printed(tmp_path: Path) -> None:
    client = client_whose_kubectl_does("echo no answer yet >&2; exec sleep 60", tmp_path)
    with pytest.raises(WaitError, match=r"(?s)kubectl get nodes after .*no answer yet"):
        client.kubectl("get", "nodes", check=False, limit_s=0.5)


def test_a_kubectl_that_fails_is_an_error_unless_it_may_fail(tmp_path: Path) -> None:
    client = client_whose_kubectl_does("echo refused >&2; exit 7", tmp_path)
    with pytest.raises(CommandError, match=r"(?s)ended with 7.*refused"):
        client.kubectl("get", "nodes")
    assert client.kubectl("get", "nodes", check=False).returncode == 7
