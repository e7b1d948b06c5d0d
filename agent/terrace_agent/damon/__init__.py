"""The engine that moves pages with DAMON's operation schemes, through `/sys/kernel/mm/damon/admin`.

Rule: values and decisions are pure (`tree`, `stores`, `features`, `desired`, `control`, `plan`, ...); files
are read by `read`, `look`, `surroundings`, `health` and `cputime`, stored to by `probe`, `apply` and `meter`, always
through `HostFs` and mostly with `patience`; `adapt` and `engine` join the two.

Flow::

    probe ─► features ─► ways ─────┐
    settings, topology ────────────┼─► desired (control: allowances) ─► validate ─┐
    sysfs ─► read ─► Observed ─────┴──────────────────────────────────────────────┴─► plan ─► apply ─► sysfs
                         └─► verify: what arrived

Sources: docs/kernel-facts.md; Linux mm/damon/sysfs.c, sysfs-schemes.c, core.c, paddr.c.
"""
