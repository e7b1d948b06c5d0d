"""Takes what a guest needs of a kernel: a file for QEMU, and two parts of an initrd.

The first part mounts the root disk; the second has the modules that a Kubernetes node, or a test, loads, and goes to
that disk at boot. So every kernel boots the same disk. `kernels` is the table of them. They are Debian's; what
none of Debian's has, `compile_kernel` makes.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from testbed import cache, compile_kernel, kernel_modules, newc, progress
from testbed.apt import Suite
from testbed.compile_kernel import compiled
from testbed.errors import BedError, MissingKernelError
from testbed.kernel_modules import ModuleTree, module_name
from testbed.processes import run

KEEP_PACKAGES = 1000
"""All: a suite that still has a kernel today may not have it tomorrow."""
INIT = Path(__file__).parent / "initrd-init.sh"
CONFIGS = Path(__file__).parent / "kernel_configs"
# ext4 asks for crc32c by the name of an algorithm until 6.13; virtio_pci is a module of 6.1.
_BOOT_MODULES = ("crc32c_generic", "virtio_pci", "virtio_blk", "ext4", "virtio_net", "virtio_rng")
_LATER_MODULES = (
    *("overlay", "br_netfilter", "bridge", "veth", "autofs4"),
    *("nf_tables", "nf_nat", "nf_conntrack", "nf_log_syslog"),
    *("nft_compat", "nft_chain_nat", "nft_nat", "nft_masq", "nft_ct", "nft_fib", "nft_limit", "nft_log"),
    *("nft_reject", "nft_reject_inet", "nft_reject_ipv4"),
    *("xt_comment", "xt_conntrack", "xt_MASQUERADE", "xt_nat", "xt_mark", "xt_addrtype", "xt_tcpudp"),
    *("xt_multiport", "xt_statistic", "xt_recent"),
    *("nd_e820", "nd_pmem", "dax_pmem", "device_dax", "kmem"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel's version and where it comes from."""

    version: str
    """Debian's, as in "7.2"; of one that is compiled here, with what it is for, as in "6.12-idle"."""
    suite: str
    config: str = ""
    """The file in `kernel_configs` that it is compiled with; empty for a kernel as Debian has it."""
    cpu: str = "max"
    """QEMU's CPU model."""
    migrates: bool = True
    """Whether its DAMON can migrate pages."""
    engine: bool = True
    """Whether Terrace has an engine for it; where it has none, it says why and changes nothing."""
    pods: bool = True
    """Whether it has what a Kubernetes node needs."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFiles:
    """What QEMU needs of a kernel; the two archives are parts of one initrd."""

    kernel: Kernel
    directory: Path

    @property
    def vmlinuz(self) -> Path:
        """The kernel itself."""
        return self.directory / "vmlinuz"

    @property
    def boot_archive(self) -> Path:
        """The init program and the modules it loads."""
        return self.directory / "boot.cpio"

    @property
    def modules_archive(self) -> Path:
        """The modules that are loaded later, for the guest's disk."""
        return self.directory / "modules.cpio"

    @property
    def release(self) -> str:
        """What `uname -r` says."""
        return (self.directory / "release").read_text()


def boot_files(one: Kernel) -> BootFiles:
    """A kernel's files, downloaded if they are not there yet.

    A version that was found once stays: a later upload to the suite does not replace it.

    Raises:
        MissingKernelError: the suite does not carry the version.
    """
    makers = (Path(__file__), Path(kernel_modules.__file__))
    configs = (Path(compile_kernel.__file__), CONFIGS / one.config) if one.config else ()
    entry_key = f"{one.version}-{one.suite}-{cache.key(*makers, INIT, _busybox(), *configs)}"
    directory = cache.entry("kernel", entry_key, lambda target: _build(one, target))
    return BootFiles(kernel=one, directory=directory)


def _build(one: Kernel, target: Path) -> None:
    source, unpack = (_compiled(one), shutil.copytree) if one.config else (_packages(one), _extract)
    tree = target / "tree"
    with progress.step(f"taking what a guest needs of linux {one.version}", usually="20 s"):
        unpack(source, tree)
        _pick(tree, target)
        shutil.rmtree(tree)


def _compiled(one: Kernel) -> Path:
    """The cache entry with the kernel that is made of the version's source, which lies as in extracted packages."""
    return compiled(one.version.partition("-")[0], one.suite, CONFIGS / one.config)


def _packages(one: Kernel) -> Path:
    """The cache entry with the kernel's packages."""
    found = f"{one.version}-{one.suite}-with-base"
    return cache.entry("kernel-packages", found, lambda into: _download(one, into), keep=KEEP_PACKAGES)


def _download(one: Kernel, into: Path) -> None:
    """Fetches the kernel's packages; those of newer kernels are split into several, of which the last may be gone."""
    with progress.step(f"downloading linux {one.version} from {one.suite}", usually="20 s"):
        suite = Suite(one.suite)
        image = _image_package(one, suite)
        parts = [name for name in suite.dependencies(image) if re.match(r"linux-(binary|modules|base)-\d", name)]
        suite.download([image, *parts], into)


def _extract(packages: Path, tree: Path) -> None:
    tree.mkdir()
    for package in packages.glob("*.deb"):
        run(["dpkg-deb", "--extract", package, tree])
    if not (tree / "usr/lib/modules").exists():
        (tree / "usr/lib").mkdir(parents=True, exist_ok=True)
        (tree / "lib/modules").rename(tree / "usr/lib/modules")


def _pick(tree: Path, target: Path) -> None:
    (directory,) = (tree / "usr/lib/modules").iterdir()
    release = directory.name
    (target / "release").write_text(release)
    # Until 7.1 below /boot, since then beside the modules.
    places = (tree / "boot" / f"vmlinuz-{release}", directory / "vmlinuz")
    next(place for place in places if place.exists()).rename(target / "vmlinuz")
    modules = ModuleTree(tree, release)
    (target / "boot.cpio").write_bytes(newc.archive(_boot_archive(modules)))
    (target / "modules.cpio").write_bytes(newc.archive(_modules_archive(modules)))


def _image_package(one: Kernel, suite: Suite) -> str:
    """The newest of the suite's image packages of this version, such as linux-image-7.2.13+deb14-amd64."""
    names = suite.packages(rf"linux-image-{re.escape(one.version)}(\.\d+)?([-+][^a-z]*(deb\d+[.\d]*)?)?-amd64")
    complete = [name for name in names if _has_all_parts(name, suite)]
    if not complete:
        raise MissingKernelError(one.version, one.suite)
    return max(complete, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def _has_all_parts(image: str, suite: Suite) -> bool:
    """A suite drops parts of old kernels before the others; apt names them in angle brackets then.

    `linux-base-VERSION` may be gone: it holds the configuration, the symbols, and the list of what is built in.
    """
    return not any(re.match(r"<linux-(binary|modules)-\d", name) for name in suite.dependencies(image))


def _boot_archive(modules: ModuleTree) -> dict[str, newc.File]:
    files = {
        "init": newc.File(data=INIT.read_bytes(), executable=True),
        "bin/busybox": newc.File(data=_busybox().read_bytes(), executable=True),
        "mnt/.keep": newc.File(data=b""),
        "dev/.keep": newc.File(data=b""),
    }
    for number, path in enumerate(modules.load_order(_BOOT_MODULES)):
        files[f"modules/{number:02}-{module_name(path)}.ko"] = newc.File(data=modules.read(path))
    return files


def _modules_archive(modules: ModuleTree) -> dict[str, newc.File]:
    files = modules.index(modules.load_order((*_BOOT_MODULES, *_LATER_MODULES)))
    where = f"seed/usr/lib/modules/{modules.release}"
    return {f"{where}/{path}": newc.File(data=data) for path, data in files.items()}


def _busybox() -> Path:
    found = shutil.which("busybox")
    if found is None:
        raise BedError("there is no busybox: install the packages of packages.txt")
    return Path(found)
