"""A whole simulated machine: DAMON behaves as `simkernel` says, everything else is a literal."""

from collections.abc import Callable
from pathlib import Path

from simkernel import LINUX_7_2, Profile, SimKernel, SimNid, SimTiering
from terrace_agent.errors import HostFileMissing
from terrace_agent.hostfs import HostFs
from unit.agent.host_tree import HostTree, guest_files
from unit.agent.orders import OSRELEASE

BOOT_ID = "/proc/sys/kernel/random/boot_id"


class SimHost:
    """A `HostFs`; stores reach the simulated kernel only, which with `tiering` can tier by itself.

    Attributes:
        once_looked_at: what happens, by folder, once after its folders were listed.
    """

    def __init__(
        self, profile: Profile = LINUX_7_2, files: dict[str, str | int] | None = None, *, tiering: bool = False
    ) -> None:
        self.kernel = SimKernel(profile)
        nids = {0: SimNid(total=1 << 30, min_free=32 << 20), 1: SimNid(total=512 << 20)}
        self._simulated: HostFs = SimTiering(kernel=self.kernel, nids=nids) if tiering else self.kernel
        self.once_looked_at: dict[str, Callable[[], object]] = {}
        self.tree = HostTree(guest_files() | OSRELEASE | {BOOT_ID: "boot-1"} | (files or {}))

    def read(self, path: str) -> str:
        try:
            return self._simulated.read(path)
        except HostFileMissing:
            return self.tree.read(path)

    def store(self, path: str, value: str) -> None:
        self._simulated.store(path, value)

    def names(self, path: str) -> tuple[str, ...]:
        return tuple(sorted({*self.kernel.names(path), *self.tree.names(path)}))

    def locate(self, path: str) -> Path:
        return self.kernel.locate(path)

    def folders(self, path: str) -> tuple[str, ...]:
        found = tuple(sorted({*self.kernel.folders(path), *self.tree.folders(path)}))
        self.once_looked_at.pop(path, lambda: None)()
        return found

    def exists(self, path: str) -> bool:
        return self.kernel.exists(path) or self.tree.exists(path)

    def pids(self) -> list[int]:
        """The kdamonds that run."""
        return sorted(running.pid for running in self.kernel.running.values())
