"""The main job from end to end, told by `make demo`, the benchmarks and tests/e2e alike.

`stage` sets up the real parts, `workload` is the pod whose memory moves, `main_job` lets it move. Pure are `placement`,
which says how far it has come, `totals`, which hold the tables to it, and `figures` and `runs`, which judge it.
"""
