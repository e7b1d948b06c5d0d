"""Memory behind a simulated kernel: hot and cold bytes on two nids, which its running schemes move.

Coarse on purpose: bytes are hot or cold for good, every scheme knows which, and only quotas, windows, goals, free
memory and memcg filters decide how much moves. What the young filter turns away is tried and charged, but stays; what
memcg filters turn away is not even tried.
"""

from collections import Counter
from dataclasses import dataclass, field

from simkernel.filters import Page, passes
from simkernel.kernel import Running, SimKernel
from simkernel.quota import Quota

MIB = 1 << 20
TICK_MS = 100
_PAGE_BYTES = 4_096
_NODES = "/sys/devices/system/node"


@dataclass(kw_only=True)
class SimCgroup:
    """What one cgroup has on a nid."""

    hot: int = 0
    cold: int = 0


@dataclass(kw_only=True)
class SimNid:
    """One NUMA node; `hot` and `cold` are of the root cgroup.

    Attributes:
        cgroups: of the others, by path.
        other: used, and never moved.
        min_free: what the kernel's own watermarks keep migration from using.
    """

    total: int
    hot: int = 0
    cold: int = 0
    other: int = 0
    min_free: int = 0
    cgroups: dict[str, SimCgroup] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Free bytes."""
        return self.total - self.hot - self.cold - self.other - self.used_below("/")

    def used_below(self, path: str) -> int:
        """Returns the bytes of a cgroup and all below it."""
        below = f"{path.rstrip('/')}/"
        return sum(one.hot + one.cold for name, one in self.cgroups.items() if f"{name}/".startswith(below))

    def holder(self, path: str) -> "SimNid | SimCgroup":
        """Returns what has a cgroup's bytes."""
        return self if path == "/" else self.cgroups.setdefault(path, SimCgroup())


@dataclass(kw_only=True)
class SimMemory:
    """Moves bytes as the kernel's schemes say; call `run` to let time pass.

    Attributes:
        passed: share in percent of what is tried that the young filter lets through.
        moved: bytes by direction that really changed nid.
        waiting_us: how long tasks wait for memory in each quota window (`some_mem_psi_us`).
    """

    kernel: SimKernel
    nids: dict[int, SimNid]
    passed: int = 100
    now_ms: int = 10**9
    moved: Counter[str] = field(default_factory=Counter)
    waiting_us: int = 0

    def run(self, ms: int) -> None:
        """Lets so much time pass."""
        for _ in range(ms // TICK_MS):
            self.now_ms += TICK_MS
            for running in self.kernel.running.values():
                if running.files["contexts/0/operations"] == "paddr":
                    self._apply(running)

    def score(self, metric: str, nid: int, path: str = "") -> int:
        """Returns the current value of a metric: a share of the nid in bp, or time in us."""
        total = self.nids[nid].total
        free_bp = self.nids[nid].free * 10_000 // total
        of_memcg = self.nids[nid].used_below(path)
        return {
            "node_memcg_used_bp": of_memcg * 10_000 // total,
            "node_memcg_free_bp": (total - of_memcg) * 10_000 // total,
            "node_mem_free_bp": free_bp,
            "node_mem_used_bp": 10_000 - free_bp,
            "some_mem_psi_us": self.waiting_us,
        }[metric]

    def _apply(self, running: Running) -> None:
        source = self._source(running)
        for number in range(int(running.files["contexts/0/schemes/nr_schemes"])):
            root = f"contexts/0/schemes/{number}/"
            files = {path.removeprefix(root): text for path, text in running.files.items() if path.startswith(root)}
            if files["action"] in {"migrate_hot", "migrate_cold"}:
                self._move(running, number, files, source)
            elif files["action"] == "stat":
                self._walk(running, number, files, source)

    def _source(self, running: Running) -> int:
        # As the testbed: nid 0 is first in physical memory, nid 1 begins where it ends.
        start = int(running.files["contexts/0/targets/0/regions/0/start"])
        return 1 if start >= self.nids[0].total else 0

    def _move(self, running: Running, number: int, files: dict[str, str], source: int) -> None:
        kind, target = files["action"].removeprefix("migrate_"), int(files["target_nid"])
        quota = self._quota(running, number)
        left = quota.left(files, self.now_ms, self.score) // _PAGE_BYTES * _PAGE_BYTES
        reached = self._reached(running, number, kind, source) if _matches(files) else []
        there = sum(getattr(self.nids[source].holder(path), kind) for path in reached)
        tried = min(left, there * 100 // self.passed)
        wanted = min(tried * self.passed // 100, there) // _PAGE_BYTES * _PAGE_BYTES
        room = max(0, self.nids[target].free - self.nids[target].min_free)
        arrived = min(wanted, room)
        self._shift(reached, kind, arrived, source, target)
        quota.charged += tried
        self.moved[kind] += arrived
        applied = arrived if self.kernel.profile.stays_on_target else wanted
        self._count(running, number, tried=tried, applied=applied)
        self._foreign(target, wanted - arrived)

    def _reached(self, running: Running, number: int, kind: str, nid: int) -> list[str]:
        """Returns the cgroups whose pages the scheme's filters let through."""
        young = kind == "hot"
        paths = ("/", *self.nids[nid].cgroups)
        return [path for path in paths if passes(running.files, number, Page(memcg=path, young=young))]

    def _shift(self, paths: list[str], kind: str, size: int, source: int, target: int) -> None:
        left = size
        for path in paths:
            here, there = self.nids[source].holder(path), self.nids[target].holder(path)
            part = min(left, getattr(here, kind))
            setattr(here, kind, getattr(here, kind) - part)
            setattr(there, kind, getattr(there, kind) + part)
            left -= part

    def _walk(self, running: Running, number: int, files: dict[str, str], source: int) -> None:
        quota = self._quota(running, number)
        left = quota.left(files, self.now_ms, self.score)
        tried = min(left, self.nids[source].total if _matches(files) else 0)
        quota.charged += tried
        self._count(running, number, tried=tried, applied=0)

    def _quota(self, running: Running, number: int) -> Quota:
        unbound = self.kernel.profile.first_window_unbound
        return running.quotas.setdefault(number, Quota(first_unbound=unbound))

    def _count(self, running: Running, number: int, *, tried: int, applied: int) -> None:
        stats = running.stats.setdefault(number, {})
        for name, amount in (("sz_tried", tried), ("sz_applied", applied)):
            stats[name] = stats.get(name, 0) + amount

    def _foreign(self, nid: int, missed: int) -> None:
        path = f"{_NODES}/node{nid}/numastat"
        count = int(self.kernel.read(path).split()[1]) + missed // _PAGE_BYTES
        self.kernel.put(path, f"numa_foreign {count}")


def _matches(files: dict[str, str]) -> bool:
    """Returns whether regions, all of which are larger than a page, are of a size that the scheme takes."""
    return int(files["access_pattern/sz/max"]) >= _PAGE_BYTES
