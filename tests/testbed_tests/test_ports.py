"""Ports that servers of tests bind a moment after they were found."""

import socket
from itertools import chain, count
from pathlib import Path

import pytest

from testbed import ports


def test_nobody_is_given_a_port_as_a_client_that_a_server_is_about_to_bind() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    found = ports.free(100)
    assert len(set(found)) == 100
    assert not [port for port in found if first <= port <= last]


def test_a_port_in_use_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as used:
        (port,) = ports.free(1)
        used.bind(("127.0.0.1", port))
        picks = chain((port, port), count(port + 1))
        monkeypatch.setattr("testbed.ports.random.randrange", lambda *_: next(picks))
        assert port not in ports.free(1)
