"""A cluster and nodes for work by hand: they outlive the command that starts them, until `down`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from testbed import cache, kernels, leftovers, node, progress
from testbed.build_workload import workload
from testbed.cluster import Cluster
from testbed.errors import BedError
from testbed.guest import Guest
from testbed.images import DOCKERFILE, project_images


def directory() -> Path:
    """Where the cluster and the nodes keep their files."""
    return cache.root() / "run"


def start_cluster() -> Cluster:
    """A new cluster, after what was there before has ended; the running one if there is one."""
    existing = existing_cluster()
    if existing is not None and existing.kubectl("get", "--raw", "/readyz", check=False).returncode == 0:
        progress.say("the cluster is up already")
        return existing
    if directory().exists():
        stop_all(directory())
    cluster = Cluster.create(directory() / "cluster")
    cluster.start(outlive=True)
    return cluster


def existing_cluster() -> Cluster | None:
    """The cluster that was made before, running or not; None if there is none, or one whose making was interrupted."""
    try:
        return Cluster.attach(directory() / "cluster")
    except FileNotFoundError:
        return None


def start_node(name: str, kernel_version: str) -> Guest:
    """A node of the running cluster, with the project's images, on which nothing but Terrace moves memory.

    Raises:
        BedError: there is no cluster, or a node of this name runs.
    """
    where = directory() / "nodes" / name
    cluster = existing_cluster()
    if cluster is None:
        raise BedError("there is no cluster: start one with `make cluster`")
    if leftovers.any_running(where):
        raise BedError(f"there is a node {name} already: choose another name, as in `make node NAME=second`")
    shutil.rmtree(where, ignore_errors=True)
    kernel = kernels.newest() if kernel_version == "newest" else kernels.kernel(kernel_version)
    images = (*workload().images, *(project_images() if DOCKERFILE.exists() else ()))
    return node.join(cluster, name, directory=where, images=images, kernel=kernel, append=node.ALONE, outlive=True)


def how_to_use(cluster: Cluster) -> str:
    """Returns what makes kubectl, helm and the plugin of this tree work with the cluster, for a shell."""
    exports = " ".join(f"{name}={value}" for name, value in cluster.environment.items())
    # The plugin is beside this Python.
    return f"export {exports} PATH={cluster.layout.programs}:{Path(sys.executable).parent}:$PATH"


def stop_all(where: Path) -> None:
    """Ends every process that was started for a directory, and removes it."""
    count = leftovers.stop_all(where)
    shutil.rmtree(where, ignore_errors=True)
    progress.say(f"{count} processes ended")
