"""Host files as a literal: what a test's kernel says, without a kernel."""

import errno
from collections.abc import Mapping
from pathlib import Path

from terrace_agent.errors import HostFileMissing, HostFileUnreadable, StoreRefused

GIB = 1 << 30
MIB = 1 << 20


class HostTree:
    """A read-only `HostFs` over a mapping from path to text; a text that is an int is an errno."""

    def __init__(self, files: Mapping[str, str | int]) -> None:
        self.files = dict(files)

    def read(self, path: str) -> str:
        text = self.files.get(path)
        if text is None:
            raise HostFileMissing(path=path, errno=errno.ENOENT)
        if isinstance(text, int):
            raise HostFileUnreadable(path=path, errno=text)
        return text.rstrip("\n")

    def store(self, path: str, value: str) -> None:
        raise StoreRefused(path=path, value=value, errno=errno.EROFS)

    def names(self, path: str) -> tuple[str, ...]:
        below = path.rstrip("/") + "/"
        return tuple(sorted({file[len(below) :].split("/")[0] for file in self.files if file.startswith(below)}))

    def locate(self, path: str) -> Path:
        return Path("/nowhere", path.lstrip("/"))

    def folders(self, path: str) -> tuple[str, ...]:
        return tuple(name for name in self.names(path) if f"{path.rstrip('/')}/{name}" not in self.files)

    def exists(self, path: str) -> bool:
        return path in self.files or bool(self.names(path))


def zone_text(nid: int, name: str, *, start: int = 0, spanned: int = 0, free: int = 0, high: int = 0, boost: int = 0,
              protection: tuple[int, ...] = (0, 0, 0, 0, 0)) -> str:  # fmt: skip
    """One zone as `/proc/zoneinfo` prints it; empty zones are cut short after `protection`."""
    head = (
        f"Node {nid}, zone {name:>8}\n  pages free     {free}\n        boost    {boost}\n"
        f"        min      {high // 2}\n        low      {high * 3 // 4}\n        high     {high}\n"
        f"        promo    {high}\n        spanned  {spanned}\n        present  {spanned}\n"
        f"        managed  {spanned}\n        cma      0\n"
        f"        protection: ({', '.join(map(str, protection))})\n"
    )
    if not spanned:
        return head
    return head + (
        "      numa_hit     1\n  pagesets\n    cpu: 0\n              count:    7\n              high:     9\n"
        "              batch:    1\n  vm stats threshold: 4\n  node_unreclaimable:  0\n"
        f"  start_pfn:           {start}\n"
    )


def guest_files(*, hmat: bool = True) -> dict[str, str | int]:
    """A QEMU guest: nid 0 with both CPUs and 1 GiB, nid 1 with 512 MiB and no CPU, blocks of 128 MiB."""
    node = "/sys/devices/system/node"
    files: dict[str, str | int] = {
        f"{node}/has_memory": "0-1\n",
        f"{node}/online": "0-1\n",
        "/sys/devices/system/memory/block_size_bytes": "8000000\n",
        "/proc/zoneinfo": zone_text(
            0, "DMA", start=1, spanned=4095, free=3840, high=50, protection=(0, 100, 300, 300, 300)
        )
        + zone_text(0, "DMA32", start=4096, spanned=61440, free=50000, high=900, protection=(0, 0, 700, 700, 700))
        + zone_text(0, "Normal", start=65536, spanned=196608, free=9000, high=3000, boost=500)
        + zone_text(0, "Movable")
        + zone_text(0, "Device")
        + zone_text(1, "DMA")
        + zone_text(1, "DMA32")
        + zone_text(1, "Normal", start=262144, spanned=131072, free=100000, high=2000)
        + zone_text(1, "Movable")
        + zone_text(1, "Device"),
    }
    for nid, cpus, distance, kib, blocks in (
        (0, "0-1", "10 20", 1 << 20, range(8)),
        (1, "", "20 10", 1 << 19, range(8, 12)),
    ):
        files |= {
            f"{node}/node{nid}/cpulist": cpus + "\n",
            f"{node}/node{nid}/distance": distance + "\n",
            f"{node}/node{nid}/meminfo": f"Node {nid} MemTotal:       {kib} kB\n"
            f"Node {nid} MemFree:        {kib // 4} kB\nNode {nid} Inactive(file): {kib // 32} kB\n"
            f"Node {nid} HugePages_Total:     0\n",
        }
        for block in blocks:
            files[f"{node}/node{nid}/memory{block}/state"] = "online\n"
            files[f"/sys/devices/system/memory/memory{block}/state"] = "online\n"
    tiers = {4: "0", 120: "1"} if hmat else {4: "0-1"}
    for tier, nids in tiers.items():
        files[f"/sys/devices/virtual/memory_tiering/memory_tier{tier}/nodelist"] = nids + "\n"
    return files
