"""What of a guest's kernel an agent changes, read without the agent's code."""

from testbed.guest import Guest

KDAMONDS = "/sys/kernel/mm/damon/admin/kdamonds"
STAT = "/sys/module/damon_stat/parameters/enabled"
_PIDS = f"""
for file in {KDAMONDS}/*/pid; do
    # EBUSY while a command of the agent's runs.
    until cat $file 2> /dev/null || [ ! -e $file ]; do sleep 0.05; done
done
"""


def settings(guest: Guest) -> tuple[str, ...]:
    """Returns how many kdamonds there are, DAMON_STAT where the kernel has it, and the safety net."""
    files = f"{KDAMONDS}/nr_kdamonds {STAT} /sys/kernel/mm/numa/demotion_enabled"
    return tuple(guest.run(f"cat {files} 2>/dev/null", check=False).stdout.split())


def running(guest: Guest) -> list[int]:
    """Returns the pids of the kdamonds, -1 for one that does not run."""
    return [int(pid) for pid in guest.run(_PIDS).stdout.split()]


def vmstat(guest: Guest) -> dict[str, int]:
    """Returns the counters of /proc/vmstat."""
    return {name: int(count) for name, count in map(str.split, guest.read("/proc/vmstat").splitlines())}


def free_mib(guest: Guest, nid: int) -> int:
    """Returns how much of a nid is free."""
    return _mib(guest, nid, "MemFree:")


def file_mib(guest: Guest, nid: int) -> int:
    """Returns how much page cache is on a nid."""
    return _mib(guest, nid, "FilePages:")


def _mib(guest: Guest, nid: int, row: str) -> int:
    meminfo = guest.read(f"/sys/devices/system/node/node{nid}/meminfo").splitlines()
    return next(int(line.split()[3]) for line in meminfo if row in line) // 1024
