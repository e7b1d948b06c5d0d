"""What the node itself says: the kernel's settings, and the processes of Terrace as the kernel sees them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from testbed.guest import Guest

_SETTINGS = {
    "demotion_enabled": "/sys/kernel/mm/numa/demotion_enabled",
    "damon_stat": "/sys/module/damon_stat/parameters/enabled",
    "nr_kdamonds": "/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds",
    "numa_balancing": "/proc/sys/kernel/numa_balancing",
    "promote_rate_limit": "/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps",
}
ABSENT = "-"
_PAGE_BYTES = 4_096
_PIDS = """
cd /sys/kernel/mm/damon/admin/kdamonds 2>/dev/null || exit
for k in [0-9]*; do
    # EBUSY while a command of the agent's runs; a directory may also vanish.
    while [ -e $k ]; do
        if pid=$(cat $k/pid 2>/dev/null); then echo "$k $pid"; break; fi
        sleep 0.05
    done
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The kernel's settings that Terrace may change, `-` where this kernel has none."""

    demotion_enabled: str
    damon_stat: str
    nr_kdamonds: str
    numa_balancing: str
    promote_rate_limit: str

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """How the kernel confines a process, from `/proc/PID`."""

    effective_capabilities: int
    no_new_privs: bool
    seccomp_filter: bool
    root_read_only: bool


def settings(guest: Guest) -> Settings:
    """Returns the settings as they are now."""
    script = "\n".join(f"echo {name}=$(cat {path} 2>/dev/null || echo {ABSENT})" for name, path in _SETTINGS.items())
    pairs = (line.split("=", 1) for line in guest.run(script).stdout.splitlines())
    return Settings(**dict(pairs))


def running_kdamonds(guest: Guest) -> dict[int, int]:
    """Returns the pid of every kdamond of the sysfs tree that runs, by its index."""
    pairs = (line.split() for line in guest.run(_PIDS, check=False).stdout.splitlines())
    return {int(index): int(pid) for index, pid in pairs if int(pid) > 0}


def migrated_bytes(guest: Guest) -> int:
    """Returns what the kernel has migrated since boot by its own count, reclaim's demotion left out.

    DAMON's migrations are in `pgmigrate_success` and in no counter of their own; compaction's are, too.
    """
    counts = {name: int(count) for name, count in map(str.split, guest.read("/proc/vmstat").splitlines())}
    by_reclaim = sum(count for name, count in counts.items() if name.startswith("pgdemote_"))
    return (counts["pgmigrate_success"] - by_reclaim) * _PAGE_BYTES


def process_ids(guest: Guest, module: str) -> list[int]:
    """Returns the processes that run `python3 -m MODULE`, as the node counts pids."""
    return [int(pid) for pid in guest.run(f"pgrep -f -- '-m {module}'", check=False).stdout.split()]


def resident_bytes(guest: Guest, module: str) -> int:
    """Returns the resident memory of the one process of a module; 0 if there is none."""
    pids = process_ids(guest, module)
    if not pids:
        return 0
    return int(guest.run(f"awk '/^VmRSS/{{print $2}}' /proc/{pids[0]}/status").stdout) * 1024


def confinement(guest: Guest, module: str) -> Confinement:
    """Returns how the process of a module is confined."""
    [pid] = process_ids(guest, module)
    status = dict(line.split(":", 1) for line in guest.read(f"/proc/{pid}/status").splitlines() if ":" in line)
    mounts = (line.split() for line in guest.read(f"/proc/{pid}/mountinfo").splitlines())
    root_options = next(fields[5] for fields in mounts if fields[4] == "/")
    return Confinement(
        effective_capabilities=int(status["CapEff"], 16),
        no_new_privs=status["NoNewPrivs"].strip() == "1",
        seccomp_filter=status["Seccomp"].strip() == "2",
        root_read_only="ro" in root_options.split(","),
    )
