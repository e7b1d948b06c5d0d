"""Which memory of this node may be moved: pods by rule, label and cpuset, down to the cgroups that hold their pages.

Rule: decisions are pure (`values`, `manifest`, `rules`, `resolve`); the API server is heard through `roster`,
cgroupfs is read by `cgroups` only. Engines get a `Movable` and know no pods.

Flow::

    API server ─► roster ─► Known ──┐
    policy ─► rules ────────────────┼─► resolve ─► Movable (for an engine) and one Decision per pod (for the status)
    cgroupfs ─► cgroups ─► Found ───┘
"""
