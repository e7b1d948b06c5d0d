"""The engine that tracks accesses and moves pages from user space, on kernels that do neither by themselves.

Rule: `procfs` reads and stores below `/proc/PID`, `words` what there is about frames, for `idle_pages` only, `syscall`
calls move_pages(2), to move in `mover` only, a process of its own that `pilot` watches. `heat`, `vmas`, `choose`,
`desired`, `batches` and `pace` are pure. Files of DAMON are its own engine's: `monitored` asks through
`terrace_agent.monitor`.

Flow::

    cgroup.procs ─► pids ─┐
    maps, numa_maps ──────┴─► vmas ─► tracker ─► heat ─► choose ─► Move ─► pilot ─► mover ─► move_pages(2)
                                                                            └─► outcome: what arrived, and why not

Sources: Linux Documentation/admin-guide/mm/pagemap.rst, soft-dirty.rst, fs/proc/task_mmu.c, mm/migrate.c;
move_pages(2).
"""
