"""The simulated kernel itself: files, the lock, the state commands, what runs."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from simkernel import validity
from simkernel.directories import NR_FILES, READ_ONLY, child_of, fresh
from simkernel.profiles import Profile
from simkernel.quota import Quota
from simkernel.values import accepted
from terrace_agent.damon.tree import ULONG_MAX
from terrace_agent.errors import HostFileMissing, HostFileUnreadable, StoreRefused

ADMIN = "/sys/kernel/mm/damon/admin/kdamonds"
DAMON_STAT = "/sys/module/damon_stat/parameters/enabled"
DEMOTION_ENABLED = "/sys/kernel/mm/numa/demotion_enabled"
CGROUPS = "/sys/fs/cgroup"
EXCLUSIVE_MODULES = ("damon_reclaim", "damon_lru_sort")


class Killed(BaseException):
    """The agent got SIGKILL: nothing of it may run any more."""


class KernelPanic(BaseException):
    """The machine is gone."""


@dataclass
class Running:
    """A kdamond that is on.

    Attributes:
        files: the tree as of the last `on` or `commit`: what the kernel does.
        stats: by scheme; copied to files by `update_schemes_stats`.
        quotas: by scheme; what becomes of its quota.
        passes: bytes tried in one pass, by scheme, else all that is monitored; copied by `update_schemes_tried_bytes`.
        intervals: sample and aggregation interval as tuned.
        commits: how often it took a new tree.
        goal_commits: how often it took only goals.
    """

    pid: int
    files: dict[str, str]
    stats: dict[int, dict[str, int]] = field(default_factory=dict)
    quotas: dict[int, Quota] = field(default_factory=dict)
    passes: dict[int, int] = field(default_factory=dict)
    intervals: tuple[int, int] = (0, 0)
    commits: int = 0
    goal_commits: int = 0

    def take(self, tree: dict[str, str]) -> None:
        """Takes a new tree: a scheme goes on as the one of its number, what has no number any more is gone."""
        self.files, self.intervals, self.commits = tree, validity.intervals(tree), self.commits + 1
        count = int(tree["contexts/0/schemes/nr_schemes"])
        self.stats = {number: stats for number, stats in self.stats.items() if number < count}
        self.quotas = {number: quota for number, quota in self.quotas.items() if number < count}


class SimKernel:
    """See the package; `nids` are the NUMA nodes with memory.

    Attributes:
        busy_for: how many more uses of the lock end with EBUSY.
        kill_after: the agent is dead after so many more stores, until this is None again.
        update_errno: what update commands end with.
        accessed: which addresses processes touch, by pid; there are no others.
        meanwhile: called before each command takes effect: what others do in between.
    """

    def __init__(self, profile: Profile, *, nids: tuple[int, ...] = (0, 1)) -> None:
        self.profile = profile
        self.nids = nids
        self.running: dict[int, Running] = {}
        self.stored: list[tuple[str, str]] = []
        self.busy_for = 0
        self.kill_after: int | None = None
        self.update_errno: int | None = None
        self.meanwhile: Callable[[str], None] | None = None
        self.accessed: dict[int, tuple[tuple[int, int], ...]] = {}
        self._next_pid = 100
        self._was_on: set[int] = set()
        self._late_calls: set[int] = set()
        self._files = {DEMOTION_ENABLED: "false", "/proc/sys/kernel/numa_balancing": "0"}
        self._files |= {f"/sys/devices/system/node/node{nid}/numastat": "numa_foreign 0" for nid in nids}
        self._files["/proc/vmstat"] = "thp_migration_success 0"
        if "pgdemote_proactive" in profile.has:
            self._files["/proc/vmstat"] += "\npgdemote_proactive 0"
        if "damon" in profile.has:
            self._files[f"{ADMIN}/nr_kdamonds"] = "0"
        if "damon_stat" in profile.has:
            self._files[DAMON_STAT] = "Y"

    def read(self, path: str) -> str:
        """See `HostFs.read`."""
        self._check_alive()
        if path not in self._files:
            raise HostFileMissing(path=path, errno=errno.ENOENT)
        if path.startswith(ADMIN) and path.endswith(("/pid", "/state")):
            self._take_lock(HostFileUnreadable(path=path, errno=errno.EBUSY))
        return self._files[path]

    def store(self, path: str, value: str) -> None:
        """See `HostFs.store`."""
        self._check_alive()
        if path not in self._files:
            raise HostFileMissing(path=path, errno=errno.ENOENT)
        if path.startswith(ADMIN):
            self._take_lock(StoreRefused(path=path, value=value, errno=errno.EBUSY))
        if number := self._store(path, value):
            raise StoreRefused(path=path, value=value, errno=number)
        self.stored.append((path, value))
        if self.kill_after is not None:
            self.kill_after -= 1
            self._check_alive()

    def names(self, path: str) -> tuple[str, ...]:
        """See `HostFs.names`."""
        below = (name.removeprefix(f"{path}/") for name in self._files if name.startswith(f"{path}/"))
        return tuple(sorted({name.partition("/")[0] for name in below}))

    def locate(self, path: str) -> Path:
        """See `HostFs.locate`: nothing of it is on disk."""
        return Path("/nowhere", path.lstrip("/"))

    def folders(self, path: str) -> tuple[str, ...]:
        """See `HostFs.folders`."""
        return tuple(name for name in self.names(path) if f"{path}/{name}" not in self._files)

    def exists(self, path: str) -> bool:
        """See `HostFs.exists`."""
        return path in self._files or bool(self.names(path))

    def paths(self, below: str) -> tuple[str, ...]:
        """Returns every file below a directory."""
        return tuple(sorted(path for path in self._files if path.startswith(f"{below}/")))

    def put(self, path: str, content: str) -> None:
        """Sets a file as the kernel itself would."""
        self._files[path] = content

    def make_cgroup(self, path: str, *, mems: str = "", memory: bool = True) -> None:
        """Makes a cgroup, `/a/b`, with a cpuset if it gets nids, and a memory controller unless told otherwise."""
        folder = f"{CGROUPS}{path}".rstrip("/")
        self._files[f"{CGROUPS}/cgroup.controllers"] = "cpuset cpu io memory pids"
        self._files[f"{folder}/cgroup.procs"] = ""
        if memory:
            self._files |= {f"{folder}/memory.stat": "", f"{folder}/memory.numa_stat": "anon N0=0 N1=0\nfile N0=0 N1=0"}
        if mems:
            self._files[f"{folder}/cpuset.mems.effective"] = mems

    def remove_cgroup(self, path: str) -> None:
        """Removes a cgroup and everything below."""
        self._files = {name: text for name, text in self._files.items() if not name.startswith(f"{CGROUPS}{path}/")}

    def kill_kdamond(self, index: int) -> None:
        """Ends a kdamond behind everybody's back."""
        del self.running[index]
        self._files[f"{ADMIN}/{index}/state"] = "off"
        self._files[f"{ADMIN}/{index}/pid"] = "-1"

    def count(self, index: int, scheme: int = 0, **bytes_: int) -> None:
        """Adds to the counters of a running scheme, as `sz_tried=...`."""
        stats = self.running[index].stats.setdefault(scheme, {})
        for name, amount in bytes_.items():
            stats[name] = stats.get(name, 0) + amount

    def _check_alive(self) -> None:
        # Not even a `finally` gets anything done after SIGKILL.
        if self.kill_after is not None and self.kill_after <= 0:
            raise Killed

    def _take_lock(self, error: Exception) -> None:
        if self.busy_for:
            self.busy_for -= 1
            raise error

    def _store(self, path: str, value: str) -> int | None:
        name = path.rpartition("/")[2]
        if name in READ_ONLY:
            return errno.EACCES
        if name == "state" and path.startswith(ADMIN):
            return self._command(int(path.split("/")[-2]), value)
        content = accepted(path, value, self.profile.has)
        if content is None:
            return errno.EINVAL
        if content.isdecimal() and int(content) > ULONG_MAX:
            return errno.ERANGE
        if path == DAMON_STAT and content == "Y" and (self.running or self._runs_exclusively()):
            return errno.EBUSY
        if name in NR_FILES:
            return self._resize(path, int(content))
        self._files[path] = content
        return None

    def _runs_exclusively(self) -> bool:
        return any(self._files.get(f"/sys/module/{name}/parameters/enabled") == "Y" for name in EXCLUSIVE_MODULES)

    def _resize(self, path: str, count: int) -> int | None:
        directory = path.rpartition("/")[0]
        if directory == ADMIN:
            if self.running:
                return errno.EBUSY
            self._was_on.clear()
            self._late_calls.clear()
        if path.endswith("nr_contexts") and count > 1:
            return errno.EINVAL
        for name in [name for name in self._files if name.startswith(f"{directory}/") and name != path]:
            del self._files[name]
        for number in range(count):
            for name, content in fresh(child_of(path), self.profile.has).items():
                self._files[f"{directory}/{number}/{name}"] = content
        self._files[path] = str(count)
        return None

    def _command(self, index: int, word: str) -> int | None:
        if self.meanwhile:
            self.meanwhile(word)
        match word:
            case "on":
                return self._on(index)
            case "off":
                return self._off(index)
            case "commit":
                return self._commit(index)
            case "commit_schemes_quota_goals":
                return self._commit_goals(index)
            case (
                "update_schemes_stats"
                | "update_tuned_intervals"
                | "update_schemes_effective_quotas"
                | "update_schemes_tried_bytes"
                | "update_schemes_tried_regions"
            ):
                return self._update(index, word)
            case _:
                return errno.EINVAL

    def _on(self, index: int) -> int | None:
        exclusive = any(path.startswith("/sys/module/damon_") and self._files[path] == "Y" for path in self._files)
        if index in self.running or exclusive:
            return errno.EBUSY
        tree = self._tree(index)
        if not validity.is_valid(tree) or not validity.pids(tree) <= set(self.accessed):
            return errno.EINVAL
        if not self._has_cgroups_of(tree):
            return errno.ENOMEM
        self._panic_on_bad_nid(tree)
        self._next_pid += 1
        self._was_on.add(index)
        self._late_calls.discard(index)
        self.running[index] = Running(pid=self._next_pid, files=tree, intervals=validity.intervals(tree))
        self._files[f"{ADMIN}/{index}/state"] = "on"
        self._files[f"{ADMIN}/{index}/pid"] = str(self._next_pid)
        return None

    def _off(self, index: int) -> int | None:
        if index not in self.running:
            return self.profile.off_when_off if index in self._was_on else errno.EINVAL
        self.kill_kdamond(index)
        return None

    def _commit(self, index: int) -> int | None:
        if index not in self.running:
            return self._late(index)
        tree = self._tree(index)
        if refusal := self._refusal_of_commit(tree):
            if not self.profile.invalid_commit_kills:
                return refusal
            self.kill_kdamond(index)
            return None
        self._panic_on_bad_nid(tree)
        self.running[index].take(tree)
        return None

    def _commit_goals(self, index: int) -> int | None:
        if index not in self.running:
            return self._late(index)
        tree = self._tree(index)
        if not self._are_there(validity.goal_memcg_paths(tree)):
            return errno.EINVAL
        self._panic_on_bad_nid(tree)
        running = self.running[index]
        running.files |= {path: text for path, text in tree.items() if "/quotas/goals/" in path}
        running.goal_commits += 1
        return None

    def _late(self, index: int) -> int:
        """Returns what a command to a kdamond that is off comes to."""
        if index not in self._was_on:
            return errno.EINVAL
        if self.profile.late_calls_stay and index in self._late_calls:
            raise KernelPanic
        self._late_calls.add(index)
        return self.profile.late_command

    def _refusal_of_commit(self, tree: dict[str, str]) -> int | None:
        if not validity.is_valid(tree):
            return errno.EINVAL
        return None if self._has_cgroups_of(tree) else errno.ENOMEM

    def _has_cgroups_of(self, tree: dict[str, str]) -> bool:
        """Returns whether every cgroup that filters and goals name is there."""
        return self._are_there(validity.memcg_paths(tree) | validity.goal_memcg_paths(tree))

    def _are_there(self, paths: set[str]) -> bool:
        """Returns whether each of the cgroups has a memory controller, as the root always has."""
        named = paths - {"/"}
        return all(f"{CGROUPS}{path}".rstrip("/") + "/memory.stat" in self._files for path in named)

    def _update(self, index: int, word: str) -> int | None:
        if index not in self.running:
            return self._late(index)
        if self.update_errno:
            return self.update_errno
        running, context = self.running[index], f"{ADMIN}/{index}/contexts/0"
        if word == "update_tuned_intervals":
            if "intervals_goal" not in self.profile.has:
                return errno.EINVAL
            sample_us, aggr_us = running.intervals
            self._files[f"{context}/monitoring_attrs/intervals/sample_us"] = str(sample_us)
            self._files[f"{context}/monitoring_attrs/intervals/aggr_us"] = str(aggr_us)
        if word == "update_schemes_effective_quotas":
            for scheme, quota in running.quotas.items():
                self._files[f"{context}/schemes/{scheme}/quotas/effective_bytes"] = str(quota.effective)
        if word == "update_schemes_tried_bytes":
            for scheme in range(int(running.files["contexts/0/schemes/nr_schemes"])):
                size = running.passes.get(scheme, validity.monitored_bytes(running.files))
                self._files[f"{context}/schemes/{scheme}/tried_regions/total_bytes"] = str(size)
        if word == "update_schemes_tried_regions":
            self._tell_regions(running, context)
        if word == "update_schemes_stats":
            for scheme, stats in running.stats.items():
                for name, value in stats.items():
                    if (path := f"{context}/schemes/{scheme}/stats/{name}") in self._files:
                        self._files[path] = str(value)
        return None

    def _tell_regions(self, running: Running, context: str) -> None:
        """Makes a directory of each region that a scheme tries; none says of which target it is."""
        for scheme in range(int(running.files["contexts/0/schemes/nr_schemes"])):
            folder = f"{context}/schemes/{scheme}/tried_regions"
            total = f"{folder}/total_bytes"
            self._files = {path: text for path, text in self._files.items() if path == total or folder not in path}
            for number, (start, end) in enumerate(validity.tried(running.files, scheme, self.accessed)):
                files = {"start": start, "end": end, "nr_accesses": 1, "age": 0}
                self._files |= {f"{folder}/{number}/{name}": str(value) for name, value in files.items()}

    def _tree(self, index: int) -> dict[str, str]:
        root = f"{ADMIN}/{index}/"
        return {path.removeprefix(root): text for path, text in self._files.items() if path.startswith(root)}

    def _panic_on_bad_nid(self, tree: dict[str, str]) -> None:
        if self.profile.bad_nid_panics and not validity.goal_nids(tree) <= set(self.nids):
            raise KernelPanic
