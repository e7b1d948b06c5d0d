"""The door to host files: what is below the mount point and what is not."""

import errno
from pathlib import Path

import pytest

from terrace_agent.errors import HostFileMissing, HostFileUnreadable, StoreRefused
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


def test_a_cgroup_that_is_removed_between_open_and_read_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(path: Path, **_: str) -> str:
        raise OSError(errno.ENODEV, "No such device", str(path))

    monkeypatch.setattr(Path, "read_text", removed)
    with pytest.raises(HostFileMissing):
        MountedHostFs(tmp_path).read("/sys/fs/cgroup/kubepods/memory.numa_stat")


@pytest.mark.parametrize("listing", ["names", "folders"])
def test_a_directory_that_cannot_be_listed_is_unreadable_and_one_that_is_not_there_is_empty(
    tmp_path: Path, listing: str
) -> None:
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys/module").symlink_to("module")
    fs = MountedHostFs(tmp_path)
    with pytest.raises(HostFileUnreadable) as caught:
        getattr(fs, listing)("/sys/module")
    assert caught.value.errno == errno.ELOOP
    assert getattr(fs, listing)("/sys/kernel/mm") == ()


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
