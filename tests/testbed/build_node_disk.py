"""Builds a node's second disk: the kubelet, and container images as the node's containerd stores them.

A change of the project's code makes only this one anew. The images are imported here, by the guest's own
containerd in a chroot: in the guest it would take minutes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from testbed import cache, progress
from testbed.build_controlplane import controlplane
from testbed.build_node import make_disk, node_root
from testbed.processes import in_own_namespaces, run

IMPORT = Path(__file__).parent / "import-images.sh"
DISK_SIZE = "4G"
KEEP = 3
"""Disks are large, and there is a new one for every change of the code."""


def node_disk(images: Sequence[Path]) -> Path:
    """The ext4 disk with the kubelet and these images.

    Args:
        images: docker-archives, which keep the names they carry.
    """
    root, programs = node_root(), controlplane()
    entry_key = cache.key(Path(__file__), IMPORT, root.name, programs.name, *sorted(images))

    def build(directory: Path) -> None:
        _build(root / "root", programs, images, directory)

    entry = cache.entry("node-disk", entry_key, build, keep=KEEP)
    return entry / "node.img"


def _build(root: Path, programs: Path, images: Sequence[Path], directory: Path) -> None:
    contents = directory / "contents"
    (contents / "bin").mkdir(parents=True)
    shutil.copy(programs / "kubelet", contents / "bin" / "kubelet")
    with progress.step(f"importing {len(images)} images for the nodes", usually="2 s, 15 s with the project's images"):
        with tempfile.TemporaryDirectory(dir=directory) as archives:
            for number, image in enumerate(images):
                os.link(image, Path(archives) / f"{number}-{image.name}")
            words = map(str, (IMPORT, root, contents, archives))
            run(in_own_namespaces(words), log=directory / "import.log")
        make_disk(directory / "node.img", contents, size=DISK_SIZE)
    shutil.rmtree(contents)
