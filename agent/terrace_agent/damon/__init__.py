"""The engine that moves pages with DAMON's operation schemes, through `/sys/kernel/mm/damon/admin`.

Rule: values and decisions are pure (`tree`, `stores`, `desired`, `goals`, `plan`, `ownership`, `moved`); files are
touched by `read`, `features` and `apply` only, always through `HostFs`.

Flow::

    settings, topology ─► desired ─┐
    sysfs ─► read ─► Observed ─────┴─► plan ─► apply ─► sysfs
                         └─► verify: what arrived

Sources: kernel.md sections 1-5 and 11; Linux mm/damon/sysfs.c, sysfs-schemes.c, paddr.c.
"""
