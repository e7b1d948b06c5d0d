"""Builds everything that takes long before tests run: their fixtures have nobody to tell what they wait for."""

from __future__ import annotations

from collections.abc import Iterable

from testbed import kernels, progress
from testbed.build_controlplane import controlplane
from testbed.build_node import node_root
from testbed.build_node_disk import node_disk
from testbed.build_workload import workload
from testbed.images import project_images


def everything(versions: Iterable[str]) -> None:
    """Fills the cache with the control plane, the images, the node's disks and kernels; what is there stays.

    Args:
        versions: of kernels, as in "6.12"; "newest" for the newest.
    """
    controlplane()
    images = (*project_images(), *workload().images)
    node_root()
    node_disk(images)
    for version in versions:
        found = kernels.newest() if version == "newest" else kernels.kernel(version)
        progress.say(f"linux {kernels.boot_files(found).release} is there")
