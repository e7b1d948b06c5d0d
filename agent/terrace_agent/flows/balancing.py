"""The kernel's NUMA balancing: its switch, and what it moves beside an engine that is another one. Pure.

Bits of the switch: NUMA_BALANCING_NORMAL and NUMA_BALANCING_MEMORY_TIERING (Linux include/linux/sched/sysctl.h). The
normal mode, which many nodes boot with, takes pages from nids without CPUs, too, at any rate (kernel fact 36); once the
bit of tiering is set those have its rate limit (`should_numa_migrate_memory()`, Linux kernel/sched/fair.c).
"""

from collections.abc import Iterator

NUMA_BALANCING = "/proc/sys/kernel/numa_balancing"
NORMAL, TIERING = 1, 2


def words(bits: int | None) -> Iterator[str]:
    """Yields what the kernel moves besides; `bits` is None on a kernel without it."""
    if bits is None:
        return
    if bits & TIERING:
        yield "kernel.numa_balancing has bit 2: the kernel promotes too; store 0 there to leave it to Terrace"
    elif bits & NORMAL:
        yield "kernel.numa_balancing has bit 1: the kernel may move pages from nids without CPUs too, unmetered"
