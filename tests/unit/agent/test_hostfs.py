"""The door to host files: what is below the mount point and what is not."""

import errno
from pathlib import Path

import pytest

from terrace_agent.errors import HostFileMissing, StoreRefused
from terrace_agent.hostfs import MOUNTED, MountedHostFs


def test_mounted_folders_are_looked_for_below_the_root(tmp_path: Path) -> None:
    for folder in MOUNTED:
        (tmp_path / folder.lstrip("/")).mkdir(parents=True)
        (tmp_path / folder.lstrip("/") / "file").write_text("mounted\n")
    fs = MountedHostFs(tmp_path)
    assert {fs.read(f"{folder}/file") for folder in MOUNTED} == {"mounted"}
    assert fs.names("/sys/kernel/mm") == ("file",)


@pytest.mark.parametrize("path", ["/proc/version", "/sys/devices/system/memory", "/sys/kernel/mmap"])
def test_everything_else_is_the_containers_own(path: str, tmp_path: Path) -> None:
    assert MountedHostFs(tmp_path).exists(path) == Path(path).exists()


def test_pids_are_the_hosts_or_nobodys(tmp_path: Path) -> None:
    fs = MountedHostFs(tmp_path)
    assert not fs.exists("/proc/1/stat")
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "proc/1/stat").write_text("1 (systemd) S")
    assert fs.read("/proc/1/stat") == "1 (systemd) S"


def test_a_store_replaces_nothing_but_the_value(tmp_path: Path) -> None:
    folder = tmp_path / "sys/kernel/mm"
    folder.mkdir(parents=True)
    (folder / "file").write_text("0")
    MountedHostFs(tmp_path).store("/sys/kernel/mm/file", "1")
    assert (folder / "file").read_text() == "1"


def test_a_store_never_makes_a_file(tmp_path: Path) -> None:
    (tmp_path / "sys/kernel/mm").mkdir(parents=True)
    with pytest.raises(HostFileMissing):
        MountedHostFs(tmp_path).store("/sys/kernel/mm/file", "1")
    assert MountedHostFs(tmp_path).names("/sys/kernel/mm") == ()


def test_a_refused_store_names_the_file_and_the_errno(tmp_path: Path) -> None:
    (tmp_path / "sys/kernel/mm/folder").mkdir(parents=True)
    with pytest.raises(StoreRefused) as caught:
        MountedHostFs(tmp_path).store("/sys/kernel/mm/folder", "1")
    assert (caught.value.path, caught.value.errno) == ("/sys/kernel/mm/folder", errno.EISDIR)
