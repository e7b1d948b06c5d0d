"""The main job from end to end, told by `make demo`, the benchmarks and tests/e2e alike.

`stage` sets up the real parts, `workload` is the pod whose memory moves, `placement` (pure) says how far it has come.
"""
