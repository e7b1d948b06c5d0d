"""The kernel's own tiering on two nids: NUMA balancing in tiering mode, demotion in reclaim, orders to reclaim.

Coarse like `memory`: bytes are hot or cold for good, the cold ones of a nid are those of its cgroups. What it stands
for: Linux kernel/sched/fair.c (`should_numa_migrate_memory()`, `numa_promotion_rate_limit()`), mm/vmscan.c
(`can_demote()`, `user_proactive_reclaim()`).
"""

import errno
from dataclasses import dataclass, field
from pathlib import Path

from simkernel.kernel import CGROUPS, DEMOTION_ENABLED, SimKernel
from simkernel.memory import SimNid
from terrace_agent.errors import StoreRefused

NUMA_BALANCING = "/proc/sys/kernel/numa_balancing"
RATE_LIMIT = "/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps"
_NODES = "/sys/devices/system/node"
_TIERS = "/sys/devices/virtual/memory_tiering"
_PAGE_BYTES = 4_096
_MIB = 1 << 20
_PROMO_GAP = 32 * _MIB
FAST, SLOW = 0, 1


@dataclass(kw_only=True)
class SimTiering:
    """A `HostFs`: `kernel` with the files of its own tiering, which move the bytes of `nids`.

    Attributes:
        capable: whether who stores has CAP_SYS_ADMIN.
        tiering: whether the kernel has the mode at all (Linux 6.1).
        one_tier: the kernel takes both nids for equally fast.
        node_reclaim: whether nids take orders to reclaim (Linux 6.17).
        busy: somebody else's order is at the nid.
        promoted: bytes that moved up so far.
        demoted: bytes that moved down so far.
        asked: orders to reclaim so far.
    """

    kernel: SimKernel
    nids: dict[int, SimNid]
    capable: bool = True
    tiering: bool = True
    one_tier: bool = False
    node_reclaim: bool = False
    busy: bool = False
    promoted: int = 0
    demoted: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kernel.put(NUMA_BALANCING, "1")
        if self.tiering:
            self.kernel.put(RATE_LIMIT, "65536")
        if self.node_reclaim:
            for nid in self.nids:
                self.kernel.put(f"{_NODES}/node{nid}/reclaim", "")
        for tier, nids in {4: "0-1"}.items() if self.one_tier else {4: "0", 22: "1"}.items():
            self.kernel.put(f"{_TIERS}/memory_tier{tier}/nodelist", nids)
        self._tell()

    def read(self, path: str) -> str:
        """See `HostFs.read`."""
        return self.kernel.read(path)

    def names(self, path: str) -> tuple[str, ...]:
        """See `HostFs.names`."""
        return self.kernel.names(path)

    def locate(self, path: str) -> Path:
        """See `HostFs.locate`."""
        return self.kernel.locate(path)

    def folders(self, path: str) -> tuple[str, ...]:
        """See `HostFs.folders`."""
        return self.kernel.folders(path)

    def exists(self, path: str) -> bool:
        """See `HostFs.exists`."""
        return self.kernel.exists(path)

    def store(self, path: str, value: str) -> None:
        """See `HostFs.store`."""
        if path.endswith("reclaim"):
            self.kernel.read(path)
            self._reclaim(path, value)
            return
        if path == NUMA_BALANCING:
            self._check_mode(value)
        self.kernel.store(path, value)

    def make_cgroup(self, path: str, *, anon: int, file: int = 0) -> None:
        """Makes a leaf cgroup that has so much on the fast nid and takes orders to reclaim."""
        self.kernel.make_cgroup(path)
        folder = f"{CGROUPS}{path}"
        self.kernel.put(f"{folder}/memory.reclaim", "")
        self.kernel.put(f"{folder}/memory.numa_stat", f"anon N0={anon} N1=0\nfile N0={file} N1=0")

    def run(self, seconds: int) -> None:
        """Lets so much time pass."""
        for _ in range(seconds):
            bits = int(self.kernel.read(NUMA_BALANCING))
            if bits & 2 and not self.one_tier:
                self._promote(int(self.kernel.read(RATE_LIMIT)) * _MIB)
            elif bits & 1:  # Unmetered, from nids without CPUs (kernel fact 36).
                self._promote(self.nids[SLOW].hot)
            self._kswapd()
        self._tell()

    def _check_mode(self, value: str) -> None:
        highest = 3 if self.tiering else 1
        if not self.capable:
            raise StoreRefused(path=NUMA_BALANCING, value=value, errno=errno.EPERM)
        if not 0 <= int(value) <= highest:
            raise StoreRefused(path=NUMA_BALANCING, value=value, errno=errno.EINVAL)

    def _promote(self, rate: int) -> None:
        fast, slow = self.nids[FAST], self.nids[SLOW]
        size = max(0, min(rate, slow.hot, fast.free - fast.min_free))
        slow.hot, fast.hot = slow.hot - size, fast.hot + size
        self.promoted += size

    def _kswapd(self) -> None:
        """Keeps more free in the tiering mode, up to the promo watermark, so that promotion finds room."""
        gap = _PROMO_GAP if int(self.kernel.read(NUMA_BALANCING)) & 2 else 0
        lack = self.nids[FAST].min_free + gap - self.nids[FAST].free
        if lack > 0:
            self._demote(lack)

    def _demote(self, size: int) -> int:
        if self.kernel.read(DEMOTION_ENABLED) != "true" or self.one_tier:
            return 0
        fast, slow = self.nids[FAST], self.nids[SLOW]
        size = max(0, min(size, fast.cold, slow.free))
        fast.cold, slow.cold = fast.cold - size, slow.cold + size
        self.demoted += size
        return size

    def _reclaim(self, path: str, value: str) -> None:
        self.asked.append((path, value))
        size, _, option = value.partition(" ")
        if option not in {"", "swappiness=max"}:
            raise StoreRefused(path=path, value=value, errno=errno.EINVAL)
        if self.busy:
            raise StoreRefused(path=path, value=value, errno=errno.EBUSY)
        done = self._demote(int(size))
        self._tell()
        if done < int(size):
            raise StoreRefused(path=path, value=value, errno=errno.EAGAIN)

    def _tell(self) -> None:
        rows = ["thp_migration_success 0"]
        if self.tiering:
            rows += [f"pgpromote_success {self.promoted // _PAGE_BYTES}", "pgpromote_candidate 0"]
        rows += [f"pgdemote_kswapd {self.demoted // _PAGE_BYTES}", "pgdemote_direct 0"]
        if "pgdemote_proactive" in self.kernel.profile.has:
            rows.append("pgdemote_proactive 0")
        self.kernel.put("/proc/vmstat", "\n".join(rows))
