"""Privileged stores: handed to the sidecar, which makes those that are allowed and no other."""

import errno
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from terrace_agent.errors import HostFileMissing, StoreRefused
from terrace_agent.hostfs import MOUNTED, MountedHostFs
from terrace_agent.numa_balancing.allowed import is_privileged, may_store
from terrace_agent.relay.client import RelayedHostFs
from terrace_agent.relay.server import answer, make_server
from testbed import waiting

SWITCH = "/proc/sys/kernel/numa_balancing"
POD = "/sys/fs/cgroup/kubepods.slice/kubepods-pod1.slice/memory.reclaim"
HOST_MOUNTS = (*MOUNTED, "/proc/sys/kernel")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in {SWITCH: "1", POD: "", "/proc/sys/kernel/core_pattern": "core"}.items():
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


@contextmanager
def sidecar(root: Path) -> Iterator[Path]:
    socket_path = root / "socket"
    with make_server(MountedHostFs(root, mounted=HOST_MOUNTS), socket_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield socket_path
        finally:
            server.shutdown()
            thread.join()


def text(root: Path, path: str) -> str:
    return (root / path.lstrip("/")).read_text()


def test_a_privileged_store_is_made_by_the_sidecar(root: Path) -> None:
    with sidecar(root) as socket_path:
        agent = RelayedHostFs(root, socket_path)
        agent.store(SWITCH, "3")
        agent.store(POD, "1048576 swappiness=max")
    assert (text(root, SWITCH), text(root, POD)) == ("3", "1048576 swappiness=max")


def test_the_socket_is_for_its_own_user_only_and_a_left_one_is_replaced(root: Path) -> None:
    (root / "socket").write_text("left behind")
    with sidecar(root) as socket_path:
        assert socket_path.stat().st_mode & 0o777 == 0o600


def test_what_the_kernel_refuses_is_told_with_its_errno(root: Path) -> None:
    (root / SWITCH.lstrip("/")).unlink()
    (root / SWITCH.lstrip("/")).mkdir()
    with sidecar(root) as socket_path, pytest.raises(StoreRefused) as refused:
        RelayedHostFs(root, socket_path).store(SWITCH, "3")
    assert (refused.value.path, refused.value.errno) == (SWITCH, errno.EISDIR)


def test_a_cgroup_that_is_gone_is_a_missing_file_as_it_would_be_without_the_sidecar(root: Path) -> None:
    (root / POD.lstrip("/")).unlink()
    with sidecar(root) as socket_path, pytest.raises(HostFileMissing) as missing:
        RelayedHostFs(root, socket_path).store(POD, "1048576")
    assert missing.value.path == POD


def test_a_sidecar_that_is_gone_is_a_refused_store(root: Path) -> None:
    with sidecar(root) as socket_path:
        pass
    with pytest.raises(StoreRefused) as refused:
        RelayedHostFs(root, socket_path).store(SWITCH, "3")
    assert refused.value.errno == errno.ECONNREFUSED


def test_all_other_stores_are_made_by_the_agent_itself(root: Path) -> None:
    with sidecar(root) as socket_path, pytest.raises(HostFileMissing):
        RelayedHostFs(root, socket_path).store("/sys/kernel/mm/numa/demotion_enabled", "true")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/proc/sys/kernel/core_pattern", "|/bin/sh"),
        ("/proc/sys/kernel/numa_balancing", "4"),
        ("/proc/sys/kernel/numa_balancing", "1\n"),
        ("/proc/sys/kernel/../kernel/numa_balancing", "1"),
        ("/sys/fs/cgroup/../../proc/sysrq-trigger/memory.reclaim", "1"),
        ("/sys/fs/cgroup/a/cgroup.kill", "1"),
        ("/sys/fs/cgroup/a/../b/memory.reclaim", "1"),
        ("/sys/devices/system/node/node0/reclaim", "max"),
        ("/sys/devices/system/node/node0/compact", "1"),
    ],
)
def test_nothing_else_is_stored(root: Path, path: str, value: str) -> None:
    asked = f'{{"path": {path!r}, "value": {value!r}}}'.replace("'", '"').encode()
    assert not may_store(path, value)
    assert answer(MountedHostFs(root, mounted=HOST_MOUNTS), asked) == {"errno": errno.EACCES}
    assert text(root, "/proc/sys/kernel/core_pattern") == "core"


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"path": 1, "value": "1"}', b"\xff"])
def test_nonsense_is_answered_and_does_no_harm(root: Path, line: bytes) -> None:
    assert answer(MountedHostFs(root, mounted=HOST_MOUNTS), line)["errno"] in {errno.EBADMSG, errno.EACCES}


def test_the_agent_asks_for_nothing_that_the_sidecar_would_refuse() -> None:
    assert is_privileged("/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps")
    assert may_store("/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps", "100")
    assert may_store("/sys/devices/system/node/node12/reclaim", "33554432 swappiness=max")
    assert not is_privileged("/sys/kernel/mm/numa/demotion_enabled")


def test_it_ends_by_itself_when_it_is_told_to_and_answers_until_then(root: Path) -> None:
    socket_path = root / "socket"
    command = (sys.executable, "-m", "terrace_agent.relay.server", f"--host-root={root}", f"--socket={socket_path}")
    with subprocess.Popen(command) as process:
        agent = RelayedHostFs(root, socket_path)
        waiting.until(socket_path.is_socket, "the socket", limit_s=20)
        agent.store(SWITCH, "2")
        process.terminate()
        agent.store(SWITCH, "3")
        assert process.wait(20) == 0
    assert text(root, SWITCH) == "3"
