"""Reads which memory blocks of a nid are online.

Before: `HostFs`. After: `read`. Blocks are read at `/sys/devices/system/memory`, not through the links `nodeN/memoryM`,
which lead out of the one folder that the DaemonSet mounts (see `hostfs`).
"""

from terrace_agent.errors import HostFileMissing
from terrace_agent.hostfs import HostFs

_MEMORY = "/sys/devices/system/memory"
_PREFIX = "memory"


class OnlineBlocks:
    """Remembers what it read: a machine of terabytes has tens of thousands of blocks, each with a file of its own.

    A block that goes online or offline changes the nid's `MemTotal`, which is the sum of the managed pages of its zones
    (mm/show_mem.c, si_meminfo_node()); then all of its blocks are read anew.
    """

    def __init__(self, fs: HostFs) -> None:
        self._fs = fs
        self._known: dict[str, tuple[object, tuple[int, ...]]] = {}

    def read(self, folder: str, *, total_bytes: int) -> tuple[int, ...]:
        """Returns the numbers of the online blocks, ascending, of the nid whose folder in sysfs that is."""
        numbers = sorted(
            int(suffix)
            for name in self._fs.names(folder)
            if name.startswith(_PREFIX) and (suffix := name.removeprefix(_PREFIX)).isdigit()
        )
        state = (numbers, total_bytes)
        before, online = self._known.get(folder, (None, ()))
        if before != state:
            online = tuple(block for block in numbers if self._is_online(block))
            self._known[folder] = (state, online)
        return online

    def _is_online(self, block: int) -> bool:
        try:
            return self._fs.read(f"{_MEMORY}/memory{block}/state") == "online"
        except HostFileMissing:
            return False
