"""`make bench-placement`: Terrace beside what people use today, in the same guests and on the same workloads.

`workloads` and `contestants` say what is run, `rig` runs it in a guest. Pure are `counters`, `figures`, `rows`,
`verdict` and `page`: they make figures of what was seen, say who is first, and make docs/placement.md.
"""
