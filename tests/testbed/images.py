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

from testbed import apt, buildah, cache, debian, progress
from testbed.buildah import Buildah
from testbed.processes import run

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
BASE_DOCKERFILE = Path(__file__).parent / "base.Dockerfile"
SUITE = "trixie"
PACKAGES = ("python3", "python3-pip", "ca-certificates")
TAG = "dev"
_NAMES = {"operator": "localhost/terrace-operator", "agent": "localhost/terrace-agent"}
OPERATOR_IMAGE = f"{_NAMES['operator']}:{TAG}"
AGENT_IMAGE = f"{_NAMES['agent']}:{TAG}"
KEEP = 3
"""Archives are large, and there are new ones for every change of the code."""
MOST_LAYERS = 150
"""Each change of the code adds about 20, of 400 MB together."""
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


def project_images(root: Path = ROOT, tag: str = TAG) -> tuple[Path, ...]:
    """The docker-archives of the operator's and the agent's image, built of a tree as it is.

    Args:
        root: the repository's, or that of another state of it.
        tag: of both images; what is installed side by side needs tags of its own.
    """
    base = base_root()
    makers = (Path(__file__), Path(buildah.__file__))
    dockerfile = root / "Dockerfile"
    entry_key = cache.key(*makers, tag, dockerfile, base.name, *_copied(root, dockerfile.read_text()))
    directory = cache.entry("project-images", entry_key, lambda into: _build(root, tag, base, into), keep=KEEP)
    return tuple(directory / f"{target}.tar" for target in _NAMES)


def _copied(root: Path, dockerfile: str) -> list[Path]:
    """What the Dockerfile copies from the repository."""
    return [root / source for source in re.findall(r"^COPY (?!--)(\S+) ", dockerfile, re.MULTILINE)]


def base_root() -> Path:
    """The cache entry with `base.tar`: the root directory that both images are built on here."""
    source = apt.machine_source().line(SUITE)
    entry_key = cache.key(BASE_DOCKERFILE, Path(debian.__file__), source, *PACKAGES)
    return cache.entry("image-base", entry_key, _install_base)


def _install_base(directory: Path) -> None:
    with progress.step(f"installing Debian {SUITE} with Python for the images", usually="60 s"):
        debian.install_root(SUITE, PACKAGES, directory / "base.tar", log=directory / "mmdebstrap.log")


def _build(root: Path, tag: str, base: Path, into: Path) -> None:
    builder = Buildah(cache.root() / "buildah")
    _forget_old_layers(builder)
    base_image = f"localhost/terrace-base:{base.name}"
    if not builder.has(base_image):
        with progress.step("importing the base image", usually="5 s"):
            builder.build(base, BASE_DOCKERFILE, "--tag", base_image)
    with _mounts() as mounts:
        for target, repository in _NAMES.items():
            name = f"{repository}:{tag}"
            options = ("--pull-never", *mounts, "--build-arg", f"BASE={base_image}", "--target", target, "--tag", name)
            with progress.step(f"building the {target}'s image", usually="60 s, 10 s if only code changed"):
                builder.build(root, root / "Dockerfile", *options, log=into / f"{target}.log")
                builder.run("push", name, f"docker-archive:{into / f'{target}.tar'}:{name}")


def _forget_old_layers(builder: Buildah) -> None:
    """Empties buildah's storage once in a while: nothing else ever removes layers of former builds."""
    if builder.layers() > MOST_LAYERS:
        with progress.step("removing the layers of former builds", usually="10 s"):
            builder.clear()


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
