"""The engine that lets the kernel tier by itself: NUMA balancing in its tiering mode, and demotion in reclaim.

It decides little: the kernel finds hot pages by hint faults and promotes them, and reclaim demotes what is cold
instead of dropping it. Terrace sets the three settings, bounds the rate, makes room where the kernel can be asked to,
records what it found, and brings it back.

Rule: `observe` reads, `apply` and `engine` store, everything else is pure.

Flow::

    files ─► observe ─► Observed ─┬─► fitness: may it run here? ─┐
    settings, topology, movable ──┴─► desired, room ─────────────┴─► plan ─► apply ─► files
                                        └─► counters: what arrived

Sources: Linux Documentation/admin-guide/sysctl/kernel.rst (numa_balancing), kernel/sched/fair.c
(should_numa_migrate_memory()), mm/vmscan.c (can_demote()), mm/memory-tiers.c.
"""
