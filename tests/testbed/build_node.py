"""Builds the guests' root disk: Debian sid with what a Kubernetes node needs, and without a kernel.

The kernel and its modules come from `kernels` at boot, the container images and the kubelet from
`build_node_disk`: neither a new kernel nor a change of the project's code makes this one anew.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from testbed import apt, cache, debian, progress
from testbed.processes import run

SUITE = "sid"
PACKAGES = (
    "systemd-sysv",
    "dbus",
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "nftables",
    "kmod",
    "iproute2",
    "mount",
    "util-linux",
    "procps",
    "numactl",
    "python3",
    "libpython3-stdlib",
    "python3-yaml",
)
OVERLAY = Path(__file__).parent / "node_root"
MASKED_UNITS = Path(__file__).parent / "masked-units.txt"
MACHINE_ID = "0123456789abcdef0123456789abcdef"
DISK_SIZE = "4G"


def node_root() -> Path:
    """The cache entry with `root/`, a directory to chroot into, and `root.img`, the ext4 disk made of it."""
    installed = _installed()
    entry_key = cache.key(Path(__file__), OVERLAY, MASKED_UNITS, installed.name)
    return cache.entry("node", entry_key, lambda directory: _build(installed / "root", directory))


def _installed() -> Path:
    """The cache entry with Debian's packages alone."""
    source = apt.machine_source().line(SUITE)
    return cache.entry(f"debian-{SUITE}", cache.key(Path(debian.__file__), source, *PACKAGES), _install)


def _install(directory: Path) -> None:
    with progress.step(f"installing Debian {SUITE} for the guests", usually="60 s"):
        debian.install_root(SUITE, PACKAGES, directory / "root", log=directory / "mmdebstrap.log")


def _build(installed: Path, directory: Path) -> None:
    root = directory / "root"
    with progress.step("making the guests' root disk", usually="5 s"):
        run(["cp", "--archive", "--reflink=auto", installed, root])
        _configure(root)
        make_disk(directory / "root.img", root, size=DISK_SIZE)


def make_disk(image: Path, contents: Path, *, size: str) -> None:
    """An ext4 disk image with a directory's contents; sparse, so that it takes what it holds."""
    run(["truncate", "--size", size, image])
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", contents, image])


def _configure(root: Path) -> None:
    for unwanted in (root / "etc/resolv.conf", root / "etc/mtab"):
        unwanted.unlink(missing_ok=True)
    shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
    shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
    shutil.copytree(OVERLAY, root, dirs_exist_ok=True)
    (root / "etc/machine-id").write_text(MACHINE_ID + "\n")
    (root / "var/lib/node").mkdir()
    units = root / "etc/systemd/system"
    for name in MASKED_UNITS.read_text().split():
        _link(units / name, "/dev/null")
    _link(units / "default.target", "testbed-node.target")
    for generator in (root / "usr/lib/systemd/system-generators").iterdir():
        _link(root / "etc/systemd/system-generators" / generator.name, "/dev/null")


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
