"""Builds the project's two images from the repository's Dockerfile, with buildah.

No registry is needed: the base image is made of Debian packages, and the results are archives that
`build_node_disk` imports. RUN steps are chroots on the host's network, so pip works in them as on the host:
with its settings and its certificates, which are mounted and stay out of the images.
"""

from __future__ import annotations

import re
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed import apt, cache, debian, progress
from testbed.processes import run

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
BASE_DOCKERFILE = Path(__file__).parent / "base.Dockerfile"
SUITE = "trixie"
PACKAGES = ("python3", "python3-pip", "ca-certificates")
OPERATOR_IMAGE = "localhost/terrace-operator:dev"
AGENT_IMAGE = "localhost/terrace-agent:dev"
KEEP = 3
"""Archives are large, and there are new ones for every change of the code."""
MOST_LAYERS = 150
"""Each change of the code adds about 20, of 400 MB together."""
_TARGETS = {"operator": OPERATOR_IMAGE, "agent": AGENT_IMAGE}
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


def project_images() -> tuple[Path, ...]:
    """The docker-archives of `OPERATOR_IMAGE` and `AGENT_IMAGE`, built of the tree as it is."""
    base = _base()
    entry_key = cache.key(Path(__file__), DOCKERFILE, base.name, *_copied(DOCKERFILE.read_text()))
    directory = cache.entry("project-images", entry_key, lambda into: _build(base, into), keep=KEEP)
    return tuple(directory / f"{target}.tar" for target in _TARGETS)


def _copied(dockerfile: str) -> list[Path]:
    """What the Dockerfile copies from the repository."""
    return [ROOT / source for source in re.findall(r"^COPY (?!--)(\S+) ", dockerfile, re.MULTILINE)]


def _base() -> Path:
    """The cache entry with the base image's root as `base.tar`."""
    source = apt.machine_source().line(SUITE)
    entry_key = cache.key(BASE_DOCKERFILE, Path(debian.__file__), source, *PACKAGES)
    return cache.entry("image-base", entry_key, _install_base)


def _install_base(directory: Path) -> None:
    with progress.step(f"installing Debian {SUITE} with Python for the images", usually="60 s"):
        debian.install_root(SUITE, PACKAGES, directory / "base.tar", log=directory / "mmdebstrap.log")


def _build(base: Path, into: Path) -> None:
    _forget_old_layers()
    base_image = f"localhost/terrace-base:{base.name}"
    with _mounts() as mounts:
        if not _exists(base_image):
            with progress.step("importing the base image", usually="5 s"):
                _buildah(
                    "build", "--layers", "--isolation=chroot", "--tag", base_image, "--file", BASE_DOCKERFILE, base
                )
        for target, name in _TARGETS.items():
            with progress.step(f"building the {target}'s image", usually="60 s, 10 s if only code changed"):
                _buildah(
                    *("build", "--layers", "--isolation=chroot", "--pull-never", *mounts),
                    *("--build-arg", f"BASE={base_image}", "--target", target),
                    *("--tag", name, "--file", DOCKERFILE, ROOT),
                    log=into / f"{target}.log",
                )
                _buildah("push", name, f"docker-archive:{into / f'{target}.tar'}:{name}")


def _forget_old_layers() -> None:
    """Empties buildah's storage once in a while: nothing else ever removes layers of former builds."""
    layers = _storage() / "root" / _storage_driver()
    if layers.exists() and len(list(layers.iterdir())) > MOST_LAYERS:
        with progress.step("removing the layers of former builds", usually="10 s"):
            _buildah("rmi", "--all", "--force")


def _exists(image: str) -> bool:
    return bool(_buildah("images", "--quiet", "--filter", f"reference={image}").strip())


def _buildah(command: str, *args: str | Path, log: Path | None = None) -> str:
    """Runs buildah with a storage of its own, so that it does not meet what the machine's user keeps."""
    storage = _storage()
    storage.mkdir(parents=True, exist_ok=True)
    options = [f"--root={storage / 'root'}", f"--runroot={storage / 'run'}", f"--storage-driver={_storage_driver()}"]
    return run(["buildah", *options, command, *args], log=log)


def _storage() -> Path:
    return cache.root() / "buildah"


def _storage_driver() -> str:
    """Overlay is fast, and every file system that is no overlay itself can carry it."""
    return "overlay" if "overlay" in Path("/proc/filesystems").read_text() else "vfs"


@contextmanager
def _mounts() -> Iterator[list[str]]:
    """Arguments that give RUN steps the host's certificates and pip settings."""
    with tempfile.TemporaryDirectory() as directory:
        pip = Path(directory) / "pip.conf"
        pip.write_text(_pip_configuration())
        mounts = [f"{pip}:/etc/pip.conf:ro"]
        if bundle := ssl.get_default_verify_paths().cafile:
            mounts.append(f"{bundle}:/etc/ssl/certs/ca-certificates.crt:ro")
        yield [word for mount in mounts for word in ("--volume", mount)]


def _pip_configuration() -> str:
    listed = run([sys.executable, "-m", "pip", "config", "list"])
    found = re.findall(r"^(?:global|:env:|install)\.([\w-]+)='(.*)'$", listed, re.MULTILINE)
    lines = [f"{name} = {value}" for name, value in found if name in _PIP_SETTINGS]
    return "\n".join(["[global]", *lines, ""])
