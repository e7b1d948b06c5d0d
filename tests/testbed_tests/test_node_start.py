"""A node whose kernel panics before it is Ready is booted again, a few times."""

from pathlib import Path
from typing import Any, cast

import pytest

from testbed import node
from testbed.cluster import Cluster
from testbed.errors import BedError, GuestError
from testbed.guest import BOOT_ATTEMPTS, Guest
from testbed.kernels import kernel


class Dying:
    """A guest that ends after each of its first boots."""

    name = "dying"

    def __init__(self, deaths: int, console: Path) -> None:
        self._console = console
        self.boots = 0
        self._deaths = deaths

    def boot(self) -> None:
        self.boots += 1

    def expect_running(self) -> None:
        if self.boots <= self._deaths:
            raise GuestError(self.name, "ended", self._console)

    def kubelet_log(self) -> str:
        return ""


class AllReady:
    """A cluster whose nodes are Ready."""

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/api/v1/nodes/dying"
        return {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def start(guest: Dying) -> None:
    node.start(cast(Cluster, AllReady()), cast(Guest, guest), limit_s=5)


def test_a_guest_that_ended_is_booted_again(tmp_path: Path) -> None:
    guest = Dying(1, tmp_path / "console.log")
    start(guest)
    assert guest.boots == 2


def test_a_guest_that_ends_every_time_is_an_error(tmp_path: Path) -> None:
    guest = Dying(BOOT_ATTEMPTS, tmp_path / "console.log")
    with pytest.raises(GuestError):
        start(guest)
    assert guest.boots == BOOT_ATTEMPTS


def test_a_kernel_that_no_pod_would_start_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BedError, match=r"linux 6\.12-idle is for guests without Kubernetes"):
        node.prepare(cast(Cluster, None), "one", directory=tmp_path, images=(), kernel=kernel("6.12-idle"))
