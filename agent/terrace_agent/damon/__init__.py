"""The engine that moves pages with DAMON's operation schemes, through `/sys/kernel/mm/damon/admin`.

Rule: values and decisions are pure (`tree`, `stores`, `features`, `desired`, `control`, `plan`, ...); files
are touched by `read`, `look`, `probe`, `pinned`, `surroundings` and `apply` only, always through `HostFs`.

Flow::

    probe ─► features ─► ways ─────┐
    settings, topology ────────────┼─► desired (control: allowances) ─► validate ─┐
    sysfs ─► read ─► Observed ─────┴──────────────────────────────────────────────┴─► plan ─► apply ─► sysfs
                         └─► verify: what arrived

Sources: docs/kernel-facts.md; Linux mm/damon/sysfs.c, sysfs-schemes.c, core.c, paddr.c.
"""
