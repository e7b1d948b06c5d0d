"""Fixtures for tests on real parts, and the evidence that a failed test leaves in `artifacts/`.

`cluster` is one control plane for all tests. `guest` is a factory: what it boots runs until its `with` block, or else
the session, ends. A guest takes one of the machine's few CPUs: keep few at a time.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Generator, Iterator
from typing import Protocol

import pytest

from testbed import evidence, kernels
from testbed.build_node import node_root
from testbed.cluster import Cluster
from testbed.guest import Guest
from testbed.machine import Machine
from testbed.topology import TWO_TIERS, Topology

NEWEST = "newest"
_RUNNING = pytest.StashKey[list["Guest | Cluster"]]()


class BootGuest(Protocol):
    """Boots a guest without Kubernetes."""

    def __call__(self, *, kernel: str = NEWEST, topology: Topology = TWO_TIERS, append: str = "") -> Guest: ...


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane for all tests of the session."""
    made = Cluster.create(tmp_path_factory.mktemp("cluster") / "cluster")
    running(request.config).append(made)
    try:
        made.start()
        yield made
    finally:
        running(request.config).remove(made)
        made.stop()


@pytest.fixture(scope="session")
def guest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootGuest]:
    """Boots guests without Kubernetes, for tests of the kernel."""
    booted: list[Guest] = []

    def boot(*, kernel: str = NEWEST, topology: Topology = TWO_TIERS, append: str = "") -> Guest:
        machine = Machine(
            boot=kernels.boot_files(_kernel(kernel)),
            root_disk=node_root() / "root.img",
            topology=topology,
            append=append,
        )
        one = Guest(f"guest-{len(booted)}", machine, tmp_path_factory.mktemp("guest"))
        _remember(request, booted, one)
        one.boot()
        return one

    yield boot
    _forget(request, booted)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Saves what all running parts tell when a test failed, before anything of it is stopped."""
    report = yield
    if report.failed:
        directory = evidence.ARTIFACTS / re.sub(r"[^\w.-]+", "_", item.nodeid)
        for part in running(item.config):
            if isinstance(part, Cluster):
                evidence.save(part, directory / "cluster")
            elif not part.stopped:
                evidence.save(part, directory / part.name)
    return report


def pytest_configure(config: pytest.Config) -> None:
    """Ends the guests on SIGTERM as on Ctrl-C."""
    config.stash[_RUNNING] = []
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("SIGTERM", returncode=143))


def running(config: pytest.Config) -> list[Guest | Cluster]:
    """What runs now, and is asked for evidence when a test fails."""
    return config.stash[_RUNNING]


def _remember(request: pytest.FixtureRequest, booted: list[Guest], one: Guest) -> None:
    booted.append(one)
    running(request.config).append(one)


def _forget(request: pytest.FixtureRequest, booted: list[Guest]) -> None:
    for one in booted:
        running(request.config).remove(one)
        one.stop()


def _kernel(version: str) -> kernels.Kernel:
    return kernels.newest() if version == NEWEST else kernels.kernel(version)
